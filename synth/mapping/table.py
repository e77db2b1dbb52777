"""Reports of area as tables for a terminal."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hamming.synth.mapping.report import AreaReport, Figures

__all__ = ["area_table"]


def area_table(report: AreaReport) -> RenderableType:
    """Lay out a report: a row a block, totals with hierarchy kept and flattened, memories in bits, tool and library."""
    library = report.library
    table = _table(f"{report.top} in {library['name']}")
    table.add_column("block")
    for heading in (f"area, {library['area_unit']}", "share", "cells", "sequential"):
        table.add_column(heading, justify="right")
    table.add_column("mapping")
    for block in report.blocks:
        table.add_row(block.name, *_figures(block.figures, report.total), block.mapping)
    table.add_section()
    table.add_row("total", *_figures(report.total, report.total), "", style="bold")
    if report.flat is not None:
        table.add_row("flattened", *_figures(report.flat, report.total), "")

    parts: list[RenderableType] = [table]
    if report.memories:
        memories = _table("storage")
        memories.add_column("array")
        for heading in ("words", "bits a word", "bits"):
            memories.add_column(heading, justify="right")
        memories.add_column("")
        for memory in report.memories:
            kind = "macro, not in the area" if memory.is_macro else "flip-flops, in the area"
            memories.add_row(memory.name, f"{memory.depth:,}", f"{memory.bits_a_word:,}", f"{memory.bits:,}", kind)
        parts.append(memories)
    parts.append(
        Text(
            f"{report.yosys_version.split(' (')[0]}; {library['name']} {library['sha256'][:12]}; "
            f"mapping {report.mapping}; "
            + ("smallest gates" if report.clock_ns is None else f"sized for {report.clock_ns:g} ns"),
            style="dim",
        )
    )
    return Group(*parts)


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)


def _figures(figures: Figures, total: Figures) -> tuple[str, ...]:
    share = figures.area / total.area if total.area else 0.0
    return f"{figures.area:,.0f}", f"{share:.1%}", f"{figures.cells:,}", f"{figures.sequential_share:.0%}"
