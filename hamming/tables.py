"""What the commands print: presets, a manifest, a simulation's report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
    cells = [dict(_simulation_cells(design, report)) for report in reports.values()]
    for label in cells[0]:
        table.add_row(label, *(cell[label] for cell in cells))
    return table


def _simulation_cells(design: Design, report: Report) -> Iterator[tuple[str, str]]:
    yield "queries", str(report.queries)
    yield "mismatches", "\n".join([str(report.n_mismatches), *report.mismatches])
    yield "protocol violations", "\n".join([str(len(report.violations)), *report.violations])
    cycles = "-" if report.cycles_per_query is None else f"{report.cycles_per_query:.2f}"
    yield "cycles a query", cycles
    yield "expected, and bound", f"{report.cycles_expected}, {report.cycles_bound}"
    yield "simulated cycles", str(report.simulated_cycles)
    yield "seconds", f"{report.seconds:.1f}"
    yield "simulator", report.simulator
    yield "result", "passed" if report.passed else "FAILED"


def _table(*columns: str) -> Table:
    table = Table(*columns, box=SIMPLE_HEAD)
    for column in table.columns[1:]:
        column.justify = "right"
    return table
