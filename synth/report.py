"""Reports of area, and of proofs, as tables for a terminal."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hamming.synth.equivalence.report import BlockProof, EquivalenceReport
from hamming.synth.mapping.area import AreaReport, Figures

__all__ = ["area_table", "equivalence_table", "refutation"]


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


_VERDICTS = {True: "yes", False: "NO", None: "not decided"}


def equivalence_table(report: EquivalenceReport) -> RenderableType:
    """Lay out a proof: a row a block, with registers and nets compared, seconds, how it was proved, and the verdict."""
    table = _table(f"{report.top}: netlist against Verilog, by ABC's cec")
    table.add_column("block", no_wrap=True)
    for heading in ("registers", "by name", "others", "nets", "seconds"):
        table.add_column(heading, justify="right")
    table.add_column("matched by")
    table.add_column("equal")
    for block in report.blocks:
        table.add_row(block.name, *_proof(block), block.how, _VERDICTS[block.equal])
    total = BlockProof(name=report.top, modules=report.modules)
    table.add_section()
    table.add_row("total", *_proof(total), "", _VERDICTS[total.equal], style="bold")
    return table


def refutation(report: EquivalenceReport) -> str:
    """Say in one line which module is not proved equal, and what shows it."""
    wrong = [module for module in report.modules if module.equal is False] or [
        module for module in report.modules if module.equal is None
    ]
    module = wrong[0]
    verdict = "is not proved equal" if module.equal is None else "is not equal"
    return f"the netlist of {module.module} {verdict} to the Verilog: {module.difference or module.reason}"


def _proof(block: BlockProof) -> tuple[str, ...]:
    registers, matched, merged, constant, points = map(
        block.total, ("registers", "matched", "merged", "constant", "points")
    )
    counts = (f"{count:,}" for count in (registers, matched, merged + constant, points))
    return *counts, f"{block.total('seconds'):.1f}"


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)


def _figures(figures: Figures, total: Figures) -> tuple[str, ...]:
    share = figures.area / total.area if total.area else 0.0
    return f"{figures.area:,.0f}", f"{share:.1%}", f"{figures.cells:,}", f"{figures.sequential_share:.0%}"
