"""`python -m hamming.sim.latency`: what a DRAM costs an engine in cycles, by the requests under way, and in bytes.

The engine's Verilog runs beside a model of a memory (`sim/verilog/hamming_request_memory.v`), once as one that answers
in the next cycle, once as a DRAM: a response comes 60 to 400 cycles after its request, 100 on average, one a cycle and
in order, and in 260 of 7,800 cycles, while rows are refreshed, none does. All answers are held against golden.
Broken off, it goes on: what is measured is kept in `sim/latency.json`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hamming.rtl.design import Design, load_design
from hamming.sim import kept_points
from hamming.sim.engine_testbench import EngineTestbench, Traffic
from hamming.sim.kept_points import KeptPoints
from hamming.sim.stimulus import random_vectors

__all__ = ["DRAM", "POINTS", "RESULTS", "Point", "bytes_read", "markdown", "measure", "plot", "read"]

#: Controls of the model (`sim.harness.MEMORY_CONTROLS`): refresh as of DDR4 of 4 Gb at 1 GHz (tRFC, tREFI).
DRAM = {"latency_least": 60, "latency_more": 40, "latency_most": 400, "refresh_every": 7800, "refresh": 260}
AT_ONCE = {"latency_least": 1}

RESULTS = Path(__file__).with_name("latency.json")
_PAGE = Path(__file__).resolve().parents[1] / "docs" / "long-context.md"
_MARKS = ("<!-- table: python -m hamming.sim.latency -->\n", "<!-- end of table -->\n")

#: Cycles that are simulated for a point, beside those in which rows are loaded: dozens of refreshes.
_CYCLES = 150_000


class Point(NamedTuple):
    """An engine: the flagship with another number of keys, and of kept ones."""

    n_keys: int
    top_k: int
    memories: str
    outstanding: int

    @property
    def design(self) -> Design:
        """The engine."""
        option = {"keys and values": "memory", "values": "value_memory"}[self.memories]
        return load_design(
            "flagship",
            [
                f"spec.n_keys={self.n_keys}",
                f"spec.top_k={self.top_k}",
                "engine.value_banks=1",
                f"engine.{option}=request",
                f"engine.outstanding={self.outstanding}",
            ],
        )


POINTS = (
    *(Point(1024, 32, memories, n) for memories in ("keys and values", "values") for n in (32, 64, 128, 256, 512)),
    Point(8192, 32, "keys and values", 512),
    Point(131072, 64, "keys and values", 512),
    Point(8192, 32, "values", 64),
)


def measure(point: Point) -> dict[str, Any]:
    """Measure a point: cycles a query, back to back, and bytes read.

    Raises
    ------
    RuntimeError
        An answer was wrong.
    """
    design = point.design
    n_cycles = max(design.dimensions.cycle_terms().values())
    vectors = random_vectors(
        design.spec,
        np.random.default_rng(point.n_keys),
        n_heads=1,
        n_queries=max(16, _CYCLES // n_cycles),
        has_mask=False,
        all_valid=True,
    )
    bench = EngineTestbench(design)
    results = bench.run([Traffic(vectors=vectors, memory=memory) for memory in (AT_ONCE, DRAM)])
    if failures := [failure for result in results for failure in result.failures]:
        raise RuntimeError(f"{point}: {failures[0]}")
    # The first queries fill the pipeline.
    cycles = [float(result.arrays["cycles"][0, 4:].mean()) for result in results]
    bits = {kind: memory["bits_a_word"] for kind, memory in bench.manifest["memory_streams"].items()}
    words = dict(zip(bits, results[1].arrays["words_read"].tolist(), strict=True))
    return {
        **point._asdict(),
        "queries": vectors.n_valid.size,
        "cycles_at_once": cycles[0],
        "cycles_dram": cycles[1],
        "buffer_bits": sum(m["bits"] for m in bench.manifest["memories"] if "_requests." in m["name"]),
        "bytes_a_query": {kind: words[kind] * bits[kind] / 8 / vectors.n_valid.size for kind in bits},
    }


def read(path: Path = RESULTS) -> list[dict[str, Any]]:
    """Return what was measured."""
    return kept_points.read(path)


def bytes_read(n_keys: int, top_k: int, *, d: int = 64, value_bits: int = 8) -> dict[str, float]:
    """Return the bytes that a query reads of `n_keys` keys and values of `d` elements.

    Binary keys are read whole, a bit an element, and the values of the `top_k` kept ones; standard attention reads all.
    """
    return {
        "binary, top k": (n_keys * d + top_k * d * value_bits) / 8,
        "int8": 2 * n_keys * d,
        "bfloat16": 4 * n_keys * d,
    }


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """Lay the rows out for a document: cycles, then bytes."""
    lines = [
        "| keys | top_k | asked for | `outstanding` | buffers, bits | cycles a query, at once | with DRAM | share |",
        "|---:|---:|---|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        lines.append(
            f"| {row['n_keys']:,} | {row['top_k']} | {row['memories']} | {row['outstanding']} | "
            f"{row['buffer_bits']:,} | {row['cycles_at_once']:,.1f} | {row['cycles_dram']:,.1f} | "
            f"{row['cycles_at_once'] / row['cycles_dram']:.1%} |"
        )
    lines += ["", "| keys | top_k | keys, bytes | values | together | int8 | bfloat16 |", "|---:" * 7 + "|"]
    for row in {(row["n_keys"], row["top_k"]): row for row in rows if "key" in row["bytes_a_query"]}.values():
        told = bytes_read(row["n_keys"], row["top_k"])
        ours = row["bytes_a_query"]
        whole = sum(ours.values())
        lines.append(
            f"| {row['n_keys']:,} | {row['top_k']} | {ours['key']:,.0f} | {ours['value']:,.0f} | {whole:,.0f} | "
            f"{told['int8']:,} ({told['int8'] / whole:.1f} times) | "
            f"{told['bfloat16']:,} ({told['bfloat16'] / whole:.1f} times) |"
        )
    return "\n".join(lines) + "\n"


def plot(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw throughput by `outstanding`, and bytes a query by keys."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "hamming"  # the same file for the same points
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4))
    for memories, style in (("keys and values", "o-"), ("values", "s--")):
        found = [row for row in rows if row["memories"] == memories and row["n_keys"] == 1024]
        share = [100 * row["cycles_at_once"] / row["cycles_dram"] for row in found]
        left.plot([row["outstanding"] for row in found], share, style, label=f"{memories} in DRAM")
    left.axhline(95, color="#999999", linewidth=1)
    left.set_xscale("log", base=2)
    left.set_xticks([row["outstanding"] for row in found], [str(row["outstanding"]) for row in found])
    left.set(xlabel="outstanding", ylabel="% of the throughput with one-cycle memory", ylim=(0, 102))
    n_keys = [1024 * 2**n for n in range(8)]
    for name, style in (("bfloat16", "^:"), ("int8", "s--"), ("binary, top k", "o-")):
        right.plot(n_keys, [bytes_read(n, 32)[name] for n in n_keys], style, label=name)
    right.set_xscale("log", base=2)
    right.set_yscale("log")
    right.set_xticks(n_keys, [f"{n:,}" for n in n_keys], rotation=45)
    right.set(xlabel="keys", ylabel="bytes read a query, d = 64, k = 32")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(path, format="svg", metadata={"Date": None})
    pyplot.close(figure)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    return KeptPoints(
        program="python -m hamming.sim.latency",
        description=str(__doc__).partition("\n")[0],
        points=POINTS,
        point_of=lambda row: Point(*(row[name] for name in Point._fields)),
        measure=measure,
        results=RESULTS,
        markdown=markdown,
        page=_PAGE,
        marks=_MARKS,
        plot=plot,
    ).main(arguments)


if __name__ == "__main__":
    sys.exit(main())
