"""What the commands print: presets, a manifest, a simulation's report, a training run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from hamming.rtl.design import Design

if TYPE_CHECKING:
    from hamming.sim.report import Report

__all__ = ["manifest_table", "presets_table", "run_table", "simulation_table"]


def presets_table(designs: Mapping[str, Design]) -> Table:
    """A row a design; cycles are those of a query that sees all keys, back to back."""
    table = Table("preset", box=SIMPLE_HEAD)
    for column in ("d_head", "d_value", "n_keys", "top_k", "n_lanes", "n_macs", "cycles"):
        table.add_column(column, justify="right")
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
        engine, _, name = memory["name"].partition(".")
        is_one_of_many = engine.startswith("engine_")
        if is_one_of_many and engine != "engine_0":  # all have the same
            continue
        table.add_row(
            name if is_one_of_many else memory["name"],
            f"{memory['depth']} words of {memory['bits_a_word']} bits, {memory['location']}"
            + (f", in each of {facts['engine']['n_engines']} engines" if is_one_of_many else ""),
        )
    cycles = facts["cycles"]
    table.add_row("cycles a query", f"{cycles['a_query']}, back to back, of all keys; the bound is {cycles['bound']}")
    table.add_row("latency", f"{cycles['latency']['cycles']} cycles")
    return table


def simulation_table(report: Report, *, passed: bool, missing: Sequence[str] | None = None) -> Table:
    """What was sent, what differed, the cycles a query took, and which situations occurred."""
    table = Table(box=SIMPLE_HEAD, show_header=False)
    table.add_row("result", "passed" if passed else "FAILED")
    table.add_row("queries", str(report.queries))
    table.add_row("mismatches", _count_and_list(report.n_mismatches, report.mismatches))
    table.add_row("protocol violations", _count_and_list(len(report.violations), report.violations))
    if report.cycles_a_query and report.cycles_expected and report.cycles_bound:
        share = report.cycles_bound / report.cycles_a_query
        table.add_row("cycles a query, back to back", f"{report.cycles_a_query:.2f}")
        table.add_row("by the manifest", f"{report.cycles_expected:.2f}")
        table.add_row("bound of lanes and multipliers", f"{report.cycles_bound:.2f}: {share:.2%} of it reached")
    table.add_row("situations met", str(sum(map(bool, report.coverage.values()))))
    if missing is not None:
        table.add_row("situations not met, but possible", ", ".join(missing) or "none")
    table.add_row("simulated", f"{report.simulated_cycles} cycles in {report.seconds:.1f} s, {report.simulator}")
    for note in report.notes:
        table.add_row("note", escape(note))
    return table


def run_table(metrics: Mapping[str, Any]) -> Table:
    """The accuracies of a training run, and how its attention compares with its teacher's."""
    table = Table(box=SIMPLE_HEAD, show_header=False)
    for name, share in metrics["accuracy"].items():
        if isinstance(share, float):
            table.add_row(name.replace("_", " "), f"{share:.2%}")
        elif share:
            table.add_row(name.replace("_", " "), ", ".join(f"{key}: {value:.2%}" for key, value in share.items()))
    for name, likeness in metrics.get("attention", {}).items():
        text = f"{likeness['recall']:.3f}; divergence {likeness['divergence']:.4f}"
        table.add_row(f"recall of the teacher's best {likeness['top_n']}, {name}", text)
    return table


def _count_and_list(count: int, lines: Sequence[str]) -> str:
    return "\n".join([str(count), *map(escape, lines)])
