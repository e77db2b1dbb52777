"""A plan as tables for a terminal."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hamming.plan.plan import Plan, Side
from hamming.plan.question import Question

__all__ = ["BYTES", "asked", "plan_tables", "rates", "shape", "shown"]


def shown(value: float, units: tuple[str, ...], step: float = 1000.0) -> str:
    """Return a value with the unit that leaves it at 1 or more."""
    for unit in units[:-1]:
        if abs(value) < step:
            return f"{value:.3g} {unit}"
        value /= step
    return f"{value:,.3g} {units[-1]}" if abs(value) < 1000 else f"{value:,.0f} {units[-1]}"


#: Units of bytes.
BYTES = ("B", "kB", "MB", "GB", "TB")

#: What a row shows, and where ours, and the others', comes from.
_ROWS: tuple[tuple[str, Callable[[Side], str], str, str], ...] = (
    ("engines", lambda side: f"{side.n_engines:,}", "exact, by the clock", "exact, by the clock"),
    ("clock, GHz", lambda side: f"{side.clock:.2f}", "{source}", "measured"),
    ("cycles used", lambda side: f"{side.utilisation:.0%}", "exact", "exact"),
    ("logic, mm²", lambda side: f"{side.logic_mm2:,.3g}", "{source}", "model"),
    ("memories in the engines, mm²", lambda side: f"{side.memory_mm2:,.3g}", "model", "model"),
    ("logic, W", lambda side: f"{side.logic_w:,.3g}", "{source}", "model"),
    ("memories in the engines, W", lambda side: f"{side.memory_w:,.3g}", "model", "model"),
    ("DRAM reads, W", lambda side: f"{side.dram_w:,.3g}", "assumed", "assumed"),
    ("all, mm²", lambda side: f"{side.mm2:,.3g}", "", ""),
    ("all, W", lambda side: f"{side.watts:,.3g}", "", ""),
    ("keys and values held", lambda side: shown(side.held_bytes, BYTES), "exact", "exact"),
    ("of them read a second", lambda side: shown(side.read_bytes, BYTES), "exact", "exact"),
)


def plan_tables(found: Plan) -> RenderableType:
    """Lay out what is asked, and a column for each way of doing it."""
    table = Table(title=f"{found.question.name}: {asked(found.question)}")
    table.add_column("")
    for side in found.sides:
        table.add_column(f"{side.name}\n{side.engine}", justify="right")
    table.add_column("ours is", style="dim")
    table.add_column("theirs is", style="dim")
    for phase in found.question.phases:
        cells = [f"{side.cycles[phase.name]:,.4g}" for side in found.sides]
        table.add_row(f"cycles a query, {phase.name}", *cells, "exact", "exact")
    for name, cell, ours, theirs in _ROWS:
        if name.startswith("DRAM") and found.question.place != "dram":
            continue
        source = ours.format(source=found.ours.source)
        table.add_row(name, *(cell(side) for side in found.sides), source, theirs)
    return Group(table, Text("\n".join(_lines(found))))


def asked(question: Question) -> str:
    """Return the question in words."""
    return f"{shape(question)}; {rates(question)}"


def shape(question: Question) -> str:
    """Return the model in words."""
    of_keys = f", {question.kv_heads} of keys" if question.group > 1 else ""
    return (
        f"{question.layers} layers, {question.heads} heads of {question.d_head}{of_keys}, {question.context:,} tokens"
    )


def rates(question: Question) -> str:
    """Return what is asked of it, in words."""
    found = []
    if question.sequences:
        found.append(f"{question.sequences:,g} sequences a second")
    if question.prefill:
        found.append(f"{question.prefill:,g} tokens of prompts a second")
    if question.decode:
        found.append(f"{question.decode:,g} tokens a second, decoded for {question.batch:,} sequences")
    return ", ".join(found)


def _lines(found: Plan) -> list[str]:
    ours, lines = found.ours, []
    for other in found.others:
        less = ", ".join(
            f"{1 - mine / theirs:.0%} less {what}"
            for what, mine, theirs in (
                ("area", ours.mm2, other.mm2),
                ("power", ours.watts, other.watts),
                ("read", ours.read_bytes, other.read_bytes),
            )
        )
        lines.append(f"against {other.name}: {less}")
    if ours.source == "estimated":
        errors = found.engine.errors
        lines.append(
            f"estimated: logic's area ± {errors['area']:.0%}, energy ± {errors['energy']:.0%}, clock ± "
            f"{errors['period']:.0%}, mean errors of engines within the estimate's range"
        )
    if found.question.place == "dram":
        lines.append(f"assumed: a bit read from DRAM takes {found.question.dram_pj_a_bit:g} pJ")
    return [*lines, *(f"Note: {note}" for note in found.notes)]
