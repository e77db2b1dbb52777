"""Exported heads through the simulated Verilog, held against the golden model and the exported outputs, bit by bit.

    python -m distill.verilog EXPORT --layer NAME --json FILE

One engine serves all heads: the Verilog of each head's file is the same, and its table is loaded before its queries.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.attention import attend
from rtl.design import load_design
from sim.runner import SimulationFailed, SimulatorMissing
from sim.simulate import EngineTestbench, Report, Traffic, hold_cycles
from sim.stimulus import Vectors

__all__ = ["simulate_layer"]


def simulate_layer(
    folder: Path,
    layer: str | None = None,
    *,
    simulator: str = "verilator",
    progress: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Send the vectors of each head of a layer through its engine.

    Parameters
    ----------
    folder
        What `distill.export.export_model` wrote.
    layer
        Name of a layer; None: the first.
    simulator
        `verilator` or `icarus`.
    progress
        Called with each head's file, before it is simulated.

    Returns
    -------
    JSON's types: `layer`, `heads`, `queries`, `mismatches`, `violations`, `cycles_a_query`, `cycles_expected` and
    `cycles_bound` of a query, back to back, `verilog_sha256`, `simulator`; and `by_head`, a report of each.

    Raises
    ------
    ValueError
        There is no such export or layer, its files do not belong together, or the heads' engines differ.
    SimulatorMissing, SimulationFailed
        As of `sim.simulate.simulate`.
    """
    try:
        facts = json.loads((folder / "export.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{str(folder)!r} is no export, which `hamming export` writes: {error}") from error
    layers = facts["layers"]
    layer = next(iter(layers)) if layer is None else layer
    if layer not in layers:
        raise ValueError(f"layer must be one of {', '.join(layers)}, not {layer!r}")
    reports, hashes = [], set()
    with np.load(folder / layer / "outputs.npz") as stored:
        outputs = stored["out"]
    for name, out in zip(layers[layer]["heads"], outputs, strict=True):
        if progress is not None:
            progress(name)
        report, digest = _simulate_head(folder / name, out, simulator)
        reports.append(report)
        hashes.add(digest)
    if len(hashes) > 1:
        raise ValueError(f"the heads of {layer} must have one engine, not {len(hashes)}: table must be 'loadable'")
    return {
        "layer": layer,
        "heads": len(reports),
        "queries": sum(report.queries for report in reports),
        "mismatches": sum(report.n_mismatches for report in reports),
        "violations": sum(len(report.violations) for report in reports),
        **{key: _mean(reports, key) for key in ("cycles_a_query", "cycles_expected", "cycles_bound")},
        "verilog_sha256": hashes.pop(),
        "simulator": reports[0].simulator,
        "engine": facts["engine"],
        "by_head": [
            {"queries": r.queries, "mismatches": r.n_mismatches, "cycles_a_query": r.cycles_a_query} for r in reports
        ],
    }


def _simulate_head(path: Path, out: NDArray[np.int64], simulator: str) -> tuple[Report, str]:
    design = load_design(path)
    with np.load(path.with_suffix(".npz")) as stored:
        arrays = {key: stored[key] for key in stored.files}
    q, k, v, mask = arrays["q"], arrays["k"], arrays["v"].astype(np.int64), arrays.get("mask")
    shape = q.shape[:-1]
    n_valid = np.broadcast_to(arrays.get("n_valid", np.int64(k.shape[-2])), shape)
    expected = attend(design.spec, q, k, v, n_valid=n_valid, mask=mask)
    if not np.array_equal(expected.out, out):
        raise ValueError(f"{path.with_suffix('.npz')} does not give the outputs that were exported with it")
    if mask is not None:
        mask = np.broadcast_to(mask, (*shape, k.shape[-2]))
    vectors = Vectors(q=q, k=k, v=v, n_valid=n_valid, mask=mask)
    bench = EngineTestbench(design, simulator=simulator)
    [result] = bench.run([Traffic(vectors=vectors, expected=expected)])
    report = Report(simulator=bench.version)
    report.add(result, n_valid.size)
    hold_cycles(report, design, vectors, result)
    return report, bench.manifest["verilog_sha256"]


def _mean(reports: list[Report], key: str) -> float | None:
    figures = [getattr(report, key) for report in reports]
    return None if None in figures else sum(figures) / len(figures)


def main() -> None:
    """Simulate the heads of a layer; the exit status is 1 if anything differs."""
    parser = argparse.ArgumentParser(prog="python -m distill.verilog", description=main.__doc__)
    parser.add_argument("export", type=Path, help="folder that `hamming export` wrote")
    parser.add_argument("--layer", help="name of a layer (default: the first)")
    parser.add_argument("--simulator", choices=("verilator", "icarus"), default="verilator")
    parser.add_argument("--json", type=Path, help="write the report here, too")
    options = parser.parse_args()
    try:
        found = simulate_layer(
            options.export, options.layer, simulator=options.simulator, progress=lambda name: print(name, flush=True)
        )
    except (ValueError, SimulationFailed, SimulatorMissing) as error:
        parser.exit(1, f"Error: {error}\n")
    text = json.dumps(found, indent=2)
    print(text)
    if options.json is not None:
        options.json.write_text(text + "\n", encoding="utf-8")
    if found["mismatches"] or found["violations"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
