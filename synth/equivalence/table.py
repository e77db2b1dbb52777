"""Proofs of equality as a table for a terminal, and what refutes one in a line."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.table import Table

from hamming.synth.equivalence.report import BlockProof, EquivalenceReport

__all__ = ["equivalence_table", "refutation"]

_VERDICTS = {True: "yes", False: "NO", None: "not decided"}


def equivalence_table(report: EquivalenceReport) -> Table:
    """Lay out a proof: a row a block, with registers and nets compared, seconds, how it was proved, and the verdict."""
    table = Table(
        title=f"{report.top}: netlist against Verilog, by ABC's cec",
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
    )
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
