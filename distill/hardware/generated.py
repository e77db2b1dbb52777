"""A layer's heads through the simulated Verilog, with the rows and queries of a text that was generated."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hamming.distill.hardware.generate import Engines, generate
from hamming.golden.attention import attend
from hamming.sim.engine_testbench import EngineTestbench, Traffic
from hamming.sim.stimulus import Vectors

__all__ = ["simulate_generated", "verilog_outputs"]


def verilog_outputs(
    engines: Engines, layer: str, *, simulator: str = "verilator"
) -> tuple[NDArray[np.int64], dict[str, Any]]:
    """Send the rows and queries that a layer's engines have seen through their Verilog.

    Rows are appended while queries are under way, each query waiting for the rows that it sees alone.

    Parameters
    ----------
    engines
        After a text.
    layer
        Name of a layer.
    simulator
        `verilator` or `icarus`.

    Returns
    -------
    Outputs `(n_heads, n_queries, d_value)` as they came from the Verilog, and JSON's types: `layer`, `heads`, `queries`
    and `rows` of a head, `mismatches` to the golden model, `violations` of a stream's protocol, `verilog_sha256`,
    `simulator`, `seconds`.

    Raises
    ------
    ValueError
        There is no such layer, or the heads' engines differ.
    SimulatorMissing, SimulationFailed
        As of `sim.simulate.simulate`.
    """
    if layer not in engines.rows:
        raise ValueError(f"layer must be one of {', '.join(engines.rows)}, not {layer!r}")
    rows, began = engines.rows[layer], time.monotonic()
    q = np.concatenate(rows.q, axis=1)
    n_valid, first, table, expected = (
        np.concatenate(part, axis=1) for part in (rows.n_valid, rows.first, rows.table, rows.out)
    )
    room = engines.n_keys - rows.k.shape[1]
    after = ((0, 0), (0, room), (0, 0))
    k, v = np.pad(rows.k, after), np.pad(rows.v.astype(np.int64), after)
    outputs, hashes, mismatches, violations, version = [], set(), 0, 0, ""
    for head in range(len(q)):
        design = engines.design(layer, head)
        own = slice(head, head + 1)
        low = first[own] if design.config.range else None
        vectors = Vectors(q=q[own], k=k[own], v=v[own], n_valid=n_valid[own], first=low, table=table[own])
        said = attend(design.spec, vectors.q, vectors.k, vectors.v, **vectors.limits)
        if not np.array_equal(said.out, expected[own]):
            raise ValueError(f"{layer}, head {head}: its rows do not give the outputs that the text was made with")
        bench = EngineTestbench(design, simulator=simulator)
        [result] = bench.run([Traffic(vectors=vectors, expected=said, append=True)])
        outputs.append(result.arrays["out"][0])
        hashes.add(bench.manifest["verilog_sha256"])
        mismatches += result.n_mismatches
        violations += len(result.violations)
        version = bench.version
    if len(hashes) > 1:
        raise ValueError(f"the heads of {layer} must have one engine, not {len(hashes)}")
    facts = {
        "layer": layer,
        "heads": len(q),
        "queries": q.shape[1],
        "rows": int(rows.k.shape[1]),
        "mismatches": mismatches,
        "violations": violations,
        "verilog_sha256": hashes.pop(),
        "simulator": version,
        "seconds": round(time.monotonic() - began, 1),
    }
    return np.stack(outputs), facts


def simulate_generated(
    engines: Engines, layer: str, prompt: Tensor, tokens: Tensor, *, simulator: str = "verilator"
) -> dict[str, Any]:
    """Generate a text again with the Verilog's outputs in one layer, and say whether every token is the same.

    Parameters
    ----------
    engines
        After `generate` gave `tokens` behind `prompt`.
    layer, simulator
        As of `verilog_outputs`.

    Returns
    -------
    What `verilog_outputs` says, and `tokens`, and how many of them are the `same_tokens`.
    """
    outputs, facts = verilog_outputs(engines, layer, simulator=simulator)
    engines.clear()
    with engines.attached({layer: outputs}):
        again, _ = generate(engines.model, prompt, len(tokens))
    return facts | {"tokens": len(tokens), "same_tokens": int(torch.sum(again == tokens))}
