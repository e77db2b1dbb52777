"""Exported heads through the simulated Verilog, held against the golden model and the exported outputs, bit by bit.

    python -m hamming.distill.hardware.verilog EXPORT --json FILE

One engine serves all heads: the Verilog of each head's file is the same, and its table is loaded before its queries.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hamming.golden.attention import attend
from hamming.rtl.design import load_design
from hamming.sim.engine_testbench import EngineTestbench, Traffic
from hamming.sim.report import Report, hold_cycles
from hamming.sim.runner import SimulationFailed, SimulatorMissing
from hamming.sim.stimulus import Vectors

__all__ = ["layer_names", "simulate_layer"]


def layer_names(folder: Path) -> list[str]:
    """Return the layers of what `export.export_model` wrote.

    Raises
    ------
    ValueError
        There is no such export.
    """
    return list(_index(folder)["layers"])


def _index(folder: Path) -> dict[str, Any]:
    try:
        return json.loads((folder / "export.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{str(folder)!r} is no export, which `hamming export` writes: {error}") from error


def simulate_layer(
    folder: Path,
    layer: str,
    *,
    simulator: str = "verilator",
) -> dict[str, Any]:
    """Send the vectors of each head of a layer through its engine.

    Parameters
    ----------
    folder
        What `export.export_model` wrote.
    layer
        Name of a layer.
    simulator
        `verilator` or `icarus`.

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
    facts = _index(folder)
    layers = facts["layers"]
    if layer not in layers:
        raise ValueError(f"layer must be one of {', '.join(layers)}, not {layer!r}")
    reports, hashes = [], set()
    with np.load(folder / layer / "outputs.npz") as stored:
        outputs = stored["out"]
    for name, out in zip(layers[layer]["heads"], outputs, strict=True):
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
    first, table = arrays.get("first"), arrays.get("table")
    shape = q.shape[:-1]
    n_valid = np.broadcast_to(arrays.get("n_valid", np.int64(k.shape[-2])), shape)
    expected = attend(design.spec, q, k, v, first=first, n_valid=n_valid, mask=mask, table=table)
    if not np.array_equal(expected.out, out):
        raise ValueError(f"{path.with_suffix('.npz')} does not give the outputs that were exported with it")
    if mask is not None:
        mask = np.broadcast_to(mask, (*shape, k.shape[-2]))
    if first is not None:
        first = np.broadcast_to(first, shape)
    vectors = Vectors(q=q, k=k, v=v, n_valid=n_valid, mask=mask, first=first, table=table)
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
    """Simulate the heads of all layers, or of one; the exit status is 1 if anything differs."""
    parser = argparse.ArgumentParser(prog="python -m hamming.distill.hardware.verilog", description=main.__doc__)
    parser.add_argument("export", type=Path, help="folder that `hamming export` wrote")
    parser.add_argument("--layer", help="name of a layer (default: all)")
    parser.add_argument("--simulator", choices=("verilator", "icarus"), default="verilator")
    parser.add_argument("--json", type=Path, help="write the reports, a list of one for each layer, here")
    options = parser.parse_args()
    try:
        names = layer_names(options.export) if options.layer is None else [options.layer]
        reports = []
        for name in names:
            report = simulate_layer(options.export, name, simulator=options.simulator)
            reports.append(report)
            print(
                f"{name}: {report['heads']} heads, {report['queries']} queries, {report['mismatches']} mismatches, "
                f"{report['violations']} violations of a stream's protocol",
                flush=True,
            )
        if options.json is not None:
            options.json.write_text(json.dumps(reports, indent=2) + "\n", encoding="utf-8")
    except (OSError, ValueError, SimulationFailed, SimulatorMissing) as error:
        parser.exit(1, f"Error: {error}\n")
    if any(report["mismatches"] or report["violations"] for report in reports):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
