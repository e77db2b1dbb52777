"""A comparison as tables for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from hamming.synth.compare.comparison import Comparison
from hamming.synth.compare.design_figures import DesignFigures
from hamming.synth.compare.figures import ROLES, BlockFigures
from hamming.synth.compare.published import Published, published

__all__ = ["comparison_tables"]


def comparison_tables(comparison: Comparison) -> RenderableType:
    """Lay out a comparison: roles side by side, blocks, memories, time, what vouches for it, savings, published."""
    main = (comparison.hamming, comparison.standard)
    parts: list[RenderableType] = [_side_by_side(comparison, *main)]
    parts += [_blocks(design) for design in main]
    parts += [_memories(comparison), _facts(comparison), _savings(comparison)]
    shown = [published()[key] for key in comparison.published]
    parts += [_published(comparison, other) for other in shown if other.blocks]
    parts.append(Text(_footer(comparison), style="dim"))
    return Group(*parts)


def _table(title: str, first: str, headings: Iterable[str]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    table.add_column(first, no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right")
    return table


def _side_by_side(comparison: Comparison, ours: DesignFigures, theirs: DesignFigures) -> Table:
    table = _table(
        f"{comparison.title}: {ours.title} against {theirs.title}",
        "logic by role",
        ("ours, µm²", "standard, µm²", "left", "ours, pJ", "standard, pJ", "left"),
    )
    for role in ROLES:
        areas = ours.role_area(role), theirs.role_area(role)
        if any(areas):
            table.add_row(role, *_areas(*areas), *_energies(ours.role_energy(role), theirs.role_energy(role)))
    table.add_section()
    for name, prefix in (("logic", ""), ("memories, modelled", "memory_"), ("logic and memories", "total_")):
        areas, energies = ([getattr(design, prefix + what) for design in (ours, theirs)] for what in ("area", "energy"))
        table.add_row(name, *_areas(*areas), *_energies(*energies), style="bold")
    return table


def _areas(ours: float, theirs: float) -> tuple[str, str, str]:
    return f"{ours:,.0f}", f"{theirs:,.0f}", _left(ours, theirs)


def _energies(ours: float, theirs: float) -> tuple[str, str, str]:
    return _energy(ours), _energy(theirs), _left(ours, theirs)


def _left(ours: float, theirs: float) -> str:
    return f"{ours / theirs:.1%}" if theirs else "-"


def _blocks(design: DesignFigures) -> Table:
    headings = ("area, µm²", "sequential", "cells", "switching, pJ", "internal", "clock", "leakage", "sum")
    table = _table(f"{design.title}: area, and energy a query", "block", headings)
    for block in sorted(design.blocks, key=lambda block: -block.area):
        table.add_row(escape(block.name), *_block(block))
    table.add_section()
    total = BlockFigures(
        name="",
        role="",
        area=design.area,
        sequential_area=design.sequential_area,
        cells=design.cells,
        energy=design.energy_by_cause,
    )
    table.add_row("logic", *_block(total), style="bold")
    return table


def _block(block: BlockFigures) -> tuple[str, ...]:
    energy = block.energy
    parts = (energy.switching, energy.internal, energy.clock, energy.leakage, energy.total)
    share = block.sequential_area / block.area if block.area else 0.0
    return f"{block.area:,.0f}", f"{share:.0%}", f"{block.cells:,}", *map(_energy, parts)


def _energy(energy: float) -> str:
    return f"{energy:,.1f}" if energy < 1000 else f"{energy:,.0f}"


def _memories(comparison: Comparison) -> Table:
    headings = ("words", "bits a word", "reads", "writes", "area, µm²", "pJ a query", "access, ns")
    table = _table("memories, modelled (docs/memories.md)", "design", ("array", *headings))
    for design in comparison.designs:
        for memory in design.memories:
            table.add_row(
                design.key,
                escape(memory.name),
                f"{memory.depth:,}",
                f"{memory.width:,}",
                f"{memory.reads:,.4g}",
                f"{memory.writes:,.4g}",
                f"{memory.area:,.0f}",
                _energy(memory.energy),
                f"{memory.access_time:.2f}",
            )
        table.add_section()
    return table


def _facts(comparison: Comparison) -> Table:
    designs = comparison.designs
    table = _table("time, energy and what vouches for them", "", (design.key for design in designs))

    def row(name: str, value: Callable[[DesignFigures], str]) -> None:
        values = [value(design) for design in designs]
        if any(values):
            table.add_row(name, *values)

    row("cycles a query, simulated", lambda design: f"{design.cycles:.2f}")
    row("over queries", lambda design: f"{design.cycles_counted_over:,}")
    row("by formula", lambda design: f"{design.cycles_by_formula:.2f}")
    for tool in dict.fromkeys(timing.tool for design in designs for timing in design.timings):
        row(f"Fmax by {tool}", lambda design, tool=tool: _fmax(design, tool))
    row("critical path", lambda design: " > ".join(dict.fromkeys(step.block for step in design.critical_path)))
    row(f"logic, mW at {comparison.clock:g} GHz", lambda design: f"{comparison.power(design.energy, design):,.1f}")
    row("with memories, mW", lambda design: f"{comparison.power(design.total_energy, design):,.1f}")
    row("queries behind the energy", lambda design: f"{design.energy_queries:,}")
    row("glitches' share of energy", lambda design: "" if design.glitch_share is None else f"{design.glitch_share:.0%}")
    for vectors in dict.fromkeys(contrast.vectors for design in designs for contrast in design.contrast):
        row(f"pJ a query, {vectors} vectors", lambda design, vectors=vectors: _contrast(design, vectors))
    row("cosine against ideal, mean", lambda d: "\n".join(f"{found.mean_cosine:.5f}" for found in d.accuracy))
    row("and worst", lambda design: "\n".join(f"{found.worst_cosine:.5f}" for found in design.accuracy))
    row("queries through the gates", lambda design: f"{design.verification.queries:,}" if design.verification else "")
    row("that differed", lambda design: f"{design.verification.mismatches:,}" if design.verification else "")
    row("synthesis, s", lambda design: f"{design.synthesis_seconds:,.0f}" if design.synthesis_seconds else "")
    row("peak memory, MiB", lambda design: f"{design.peak_memory_mib:,.0f}" if design.peak_memory_mib else "")
    return table


def _fmax(design: DesignFigures, tool: str) -> str:
    return "".join(f"{timing.fmax:.3f} GHz" for timing in design.timings if timing.tool == tool)


def _contrast(design: DesignFigures, vectors: str) -> str:
    return "".join(_energy(contrast.energy) for contrast in design.contrast if contrast.vectors == vectors)


def _savings(comparison: Comparison) -> RenderableType:
    headings = ("less area", "less energy", "less area", "less energy")
    table = _table("what is saved: of the logic, and with memories", "", headings)
    for design in comparison.of_kind("hamming"):
        for baseline in comparison.of_kind("standard"):
            saving = comparison.saving(design, baseline)
            shares = (saving.area, saving.energy, saving.total_area, saving.total_energy)
            table.add_row(f"{design.key} against {baseline.key}", *(f"{share:.1%}" for share in shares))
    table.add_section()
    for other in map(published().__getitem__, comparison.published):
        if other.less_area is not None and other.less_power is not None:
            table.add_row(f"published: {other.name}", f"{other.less_area:.0%}", f"{other.less_power:.0%}", "", "")
    notes = [f"{design.key}: {design.note}" for design in comparison.designs if design.note]
    return Group(table, *(Text(note, style="dim") for note in notes))


def _published(comparison: Comparison, other: Published) -> RenderableType:
    ours = comparison.hamming
    table = _table(f"beside {other.name}, as published", "", (ours.key, other.name))
    table.add_row("cycles a query", f"{ours.cycles:.1f}", f"{other.cycles:,}")
    table.add_row("clock, GHz", f"{comparison.clock:g}", f"{other.clock_ghz:g}")
    assert other.area is not None
    assert other.energy is not None
    assert other.logic_area is not None
    assert other.logic_energy is not None
    table.add_row("logic, µm²", f"{ours.area:,.0f}", f"{other.logic_area:,.0f}")
    table.add_row("with memories, µm²", f"{ours.total_area:,.0f}", f"{other.area:,.0f}")
    table.add_row("logic, pJ a query", f"{ours.energy:,.0f}", f"{other.logic_energy:,.0f}")
    table.add_row("with memories, pJ a query", f"{ours.total_energy:,.0f}", f"{other.energy:,.0f}")
    table.add_row("selection", "exact", (other.selection or "").split(":")[0])
    notes = [f"not comparable: {note}" for note in other.not_comparable]
    return Group(table, Text(f"{other.source}; {other.node_nm:g} nm; {other.workload}", style="dim"), *map(_dim, notes))


def _dim(text: str) -> Text:
    return Text(text, style="dim")


def _footer(comparison: Comparison) -> str:
    library = comparison.library
    tools = ", ".join(f"{name} {version}" for name, version in comparison.tools.items())
    flags = ", ".join(f"{name} {value}" for name, value in comparison.flags.items())
    return f"{library['name']} {library['sha256'][:12]}; {tools}; {flags}; vectors: {comparison.vectors}"
