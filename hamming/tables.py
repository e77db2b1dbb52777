"""What the commands print: presets, a manifest, a simulation's report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from rtl.design import Design

if TYPE_CHECKING:
    from sim.simulate import Report

__all__ = ["manifest_table", "presets_table", "simulation_table"]


def presets_table(designs: Mapping[str, Design]) -> Table:
    """A row a design; cycles are those of a query that sees all keys, back to back."""
    table = _table("preset", "d_head", "d_value", "n_keys", "top_k", "n_lanes", "n_macs", "cycles")
    for name, design in designs.items():
        spec, dims = design.spec, design.dimensions
        cycles = max(dims.cycle_terms().values())
        cells = (spec.d_head, spec.d_value, spec.n_keys, spec.top_k, dims.n_lanes, dims.n_macs, cycles)
        table.add_row(name, *map(str, cells))
    return table


def manifest_table(facts: Mapping[str, Any]) -> Table:
    """The streams, memories and cycles of a manifest."""
    table = Table(box=SIMPLE_HEAD, show_header=False)
    for name, stream in facts["streams"].items():
        fields = ", ".join(field["name"] for field in stream["fields"])
        table.add_row(name, f"{stream['direction']} stream, {stream['bits']} bits: {fields}")
    for memory in facts["memories"]:
        table.add_row(
            memory["name"],
            f"{memory['depth']} words of {memory['bits_a_word']} bits, {memory['location']}",
        )
    cycles = facts["cycles"]
    table.add_row("cycles a query", f"{cycles['a_query']}, back to back, of all keys; the bound is {cycles['bound']}")
    table.add_row("latency", f"{cycles['latency']['cycles']} cycles")
    return table


def simulation_table(design: Design, reports: Mapping[str, Report]) -> Table:
    """A column a run: what was sent, what differed, the cycles a query took, and what was covered."""
    table = _table(design.config.name, *reports)
    cells = [dict(_simulation_cells(report)) for report in reports.values()]
    for label in cells[0]:
        table.add_row(label, *(cell[label] for cell in cells))
    return table


def _simulation_cells(report: Report) -> Iterator[tuple[str, str]]:
    yield "result", "passed" if report.passed else "FAILED"
    yield "queries", str(report.queries)
    yield "mismatches", _count_and_list(report.n_mismatches, report.mismatches)
    yield "protocol violations", _count_and_list(len(report.violations), report.violations)
    yield "cycles a query", _cycles(report.cycles_a_query)
    yield "  the configuration's", _cycles(report.cycles_expected)
    yield "  the bound", _cycles(report.cycles_bound)
    yield "situations met", f"{sum(map(bool, report.coverage.values()))} of {len(report.coverage)}"
    yield "cycles simulated", str(report.simulated_cycles)
    yield "seconds", f"{report.seconds:.1f}, and {report.build_seconds:.1f} to build"


def _count_and_list(count: int, lines: Sequence[str]) -> str:
    return "\n".join([str(count), *lines])


def _cycles(cycles: float | None) -> str:
    return "-" if cycles is None else f"{cycles:.2f}"


def _table(*columns: str) -> Table:
    table = Table(*columns, box=SIMPLE_HEAD)
    for column in table.columns[1:]:
        column.justify = "right"
    return table
