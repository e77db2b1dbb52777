"""Tables of the results kept in `distill/report/results/hardware`.

Files there are named after the command that wrote them, the run and its seed: `evaluate-RUN-SEED.json`
(`hamming evaluate --json`), `widths-RUN-SEED.json` (`python -m hamming.distill.hardware.widths --json`), and
`verilog-RUN-SEED.json` (`python -m hamming.distill.hardware.verilog --json`). Runs that differ in their seed alone
share a row: means.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from hamming.distill.method.quantize import Widths

__all__ = ["RESULTS", "all_width_rows", "evaluation_rows", "read", "verilog_rows", "width_rows"]

RESULTS = Path(__file__).parent / "results" / "hardware"


def read(kind: str, folder: Path = RESULTS) -> dict[str, list[Any]]:
    """Return the results of a kind (`evaluate`, `widths` or `verilog`) by run, one for each seed."""
    found: dict[str, list[Any]] = {}
    for path in sorted(folder.glob(f"{kind}-*.json")):
        run = re.sub(r"-\d+$", "", path.stem.removeprefix(f"{kind}-"))
        found.setdefault(run, []).append(json.loads(path.read_text(encoding="utf-8")))
    return found


def evaluation_rows(folder: Path = RESULTS) -> Iterator[str]:
    """Give the table of accuracies, likeness and cost, of the default widths."""
    yield from _head(
        "run",
        *("seeds", "test items", "kept keys"),
        *("teacher, %", "student, float, %", "student, integers, %", "same class, %"),
        *("cosine, mean", "cosine, worst", "flipped bits, last layer, %"),
        *("CPU s a thousand: teacher", "float", "integers", "MiB: teacher", "float", "integers"),
    )
    for run, found in read("evaluate", folder).items():
        yield _row(
            f"`{run}`",
            len(found),
            f"{found[0]['items']:,}",
            "all" if found[0]["top_n"] is None else found[0]["top_n"],
            *(_percent(one["accuracy"].get(name) for one in found) for name in ("teacher", "float", "integer")),
            _percent(one["agreement"] for one in found),
            f"{fmean(one['attention']['mean'] for one in found):.5f}",
            f"{min(one['attention']['worst'] for one in found):.5f}",
            _percent([*one["flipped"].values()][-1] for one in found),
            *(_mean(2, (one["cpu_seconds"].get(name) for one in found)) for name in ("teacher", "float", "integer")),
            *(_mean(0, (one["peak_mib"].get(name) for one in found)) for name in ("teacher", "float", "integer")),
        )


def width_rows(found: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Give the table of accuracy and cosine against widths of one run: a row a point."""
    headings = ("values, bits", "fraction bits", "table", "accuracy, %", "same class, %", "cosine, mean", "worst")
    yield from _head("weights, bits", *headings)
    for at in zip(*(one["points"] for one in found), strict=True):
        widths = Widths(**{key: at[0][key] for key in vars(Widths())})
        yield _row(
            f"{widths.weight_bits}{'*' if widths == Widths() else ''}",
            widths.value_bits,
            widths.out_frac_bits,
            "powers of two" if widths.weight_form == "power_of_two" else "exponential",
            _percent(point["accuracy"] for point in at),
            _percent(point["agreement"] for point in at),
            f"{fmean(point['attention']['mean'] for point in at):.5f}",
            f"{min(point['attention']['worst'] for point in at):.5f}",
        )


def verilog_rows(folder: Path = RESULTS) -> Iterator[str]:
    """Give the table of layers that went through the simulated Verilog; queries and mismatches of all seeds."""
    yield from _head("run", "layer", "seeds", "heads", "queries", "mismatches", "cycles a query", "the bound")
    for run, found in read("verilog", folder).items():
        for same in zip(*found, strict=True):
            yield _row(
                f"`{run}`",
                f"`{same[0]['layer']}`",
                len(same),
                same[0]["heads"],
                f"{sum(one['queries'] for one in same):,}",
                sum(one["mismatches"] for one in same),
                *(_mean(2, (one[key] for one in same)) for key in ("cycles_a_query", "cycles_bound")),
            )


def all_width_rows(folder: Path = RESULTS) -> Iterator[str]:
    """Give a line and a table for each run whose widths were swept, empty lines between."""
    for run, found in read("widths", folder).items():
        seeds, exact = f"{len(found)} seed{'s' if len(found) > 1 else ''}", _percent(one["float"] for one in found)
        yield f"`{run}`, {seeds}, {found[0]['items']:,} items; floating point: {exact} %"
        yield from ("", *width_rows(found), "")


def _head(first: str, *others: str) -> Iterator[str]:
    yield _row(first, *others)
    yield f"|---|{'---:|' * len(others)}"


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _mean(digits: int, figures: Iterable[float | None], factor: float = 1) -> str:
    there: Sequence[float] = [factor * figure for figure in figures if figure is not None]
    return f"{fmean(there):.{digits}f}" if there else ""


def _percent(shares: Iterable[float | None]) -> str:
    return _mean(2, shares, 100)
