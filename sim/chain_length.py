"""`python -m hamming.sim.chain_length`: cycles a query of engines in a chain, by how many there are.

The Verilog of all engines runs over 131,072 keys; all answers are held against golden over all of them. Broken off, it
goes on: what is measured is kept in `sim/chain_length.json`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hamming.rtl.design import Design, load_design
from hamming.rtl.top import top
from hamming.rtl.verilog import emit
from hamming.sim import kept_points
from hamming.sim.engine_testbench import EngineTestbench, Traffic
from hamming.sim.kept_points import KeptPoints
from hamming.sim.stimulus import random_vectors

__all__ = ["LENGTHS", "RESULTS", "design_of", "markdown", "measure", "read"]

RESULTS = Path(__file__).with_name("chain_length.json")
_PAGE = Path(__file__).resolve().parents[1] / "docs" / "long-context.md"
_MARKS = ("<!-- table: python -m hamming.sim.chain_length -->\n", "<!-- end of engines -->\n")

N_KEYS, TOP_K = 131_072, 64

#: Engines in the chain.
LENGTHS = (8, 32)

#: Queries that fill the pipeline, and those that are measured.
_FILL, _QUERIES = 8, 24


def design_of(n_engines: int, n_keys: int = N_KEYS) -> Design:
    """Return a chain of engines like the flagship's, over more keys, of which more are kept."""
    changes = [f"spec.n_keys={n_keys}", f"spec.top_k={TOP_K}", "engine.value_banks=1", f"engine.n_engines={n_engines}"]
    return load_design("flagship", changes)


def measure(n_engines: int, n_keys: int = N_KEYS) -> dict[str, Any]:
    """Measure a chain: cycles a query, back to back, and CPU seconds of emission.

    Raises
    ------
    RuntimeError
        An answer was wrong.
    """
    design = design_of(n_engines, n_keys)
    dims = design.dimensions
    before = os.times()
    verilog = emit(top(design.spec, design.config), design.config.name)
    emission = sum(os.times()[:4]) - sum(before[:4])  # of Yosys, too, a process of its own
    vectors = random_vectors(
        design.spec,
        np.random.default_rng(n_engines),
        n_heads=1,
        n_queries=_FILL + _QUERIES,
        has_mask=False,
        all_valid=True,
    )
    bench = EngineTestbench(design)
    [result] = bench.run([Traffic(vectors=vectors)])
    if result.failures:
        raise RuntimeError(f"{n_engines} engines: {result.failures[0]}")
    return {
        "n_engines": n_engines,
        "n_keys": n_keys,
        "n_lanes": dims.n_lanes,
        "queries": vectors.n_valid.size,
        "cycles": float(result.arrays["cycles"][0, _FILL:].mean()),
        "latency": int(result.arrays["cycles"][0, 0]),
        "stored": dims.n_stored,
        "verilog_lines": verilog.count("\n"),
        "emission_seconds": round(emission, 1),
        "versions": bench.version,
    }


def read(path: Path = RESULTS) -> list[dict[str, Any]]:
    """Return what was measured."""
    return kept_points.read(path)


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """Lay the rows out for a document."""
    lines = [
        "| engines | keys | keys a lane | cycles a query | of it | first answer | stored | lines | emitted in, CPU |",
        "|---:" * 9 + "|",
    ]
    for row in rows:
        least = row["n_keys"] / (row["n_lanes"] * row["n_engines"])
        lines.append(
            f"| {row['n_engines']} | {row['n_keys']:,} | {least:,.0f} | {row['cycles']:,.1f} | "
            f"{least / row['cycles']:.1%} | {row['latency']:,} | {row['stored']} | {row['verilog_lines']:,} | "
            f"{row['emission_seconds']} s |"
        )
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    return KeptPoints(
        program="python -m hamming.sim.chain_length",
        description=str(__doc__).partition("\n")[0],
        points=LENGTHS,
        point_of=lambda row: row["n_engines"],
        measure=measure,
        results=RESULTS,
        markdown=markdown,
        page=_PAGE,
        marks=_MARKS,
    ).main(arguments)


if __name__ == "__main__":
    sys.exit(main())
