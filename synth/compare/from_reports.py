"""From the reports of area, energy and timing to the figures of a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from hamming.synth.compare.figures import ROLES, BlockFigures, Energy, MemoryFigures, PathStep, TimingFigures
from hamming.synth.memory.sram import SramModel

if TYPE_CHECKING:
    from hamming.synth.energy.report import EnergyReport
    from hamming.synth.mapping.area import AreaReport
    from hamming.synth.timing.report import TimingReport

__all__ = ["ENGINE_ROLES", "STANDARD_ROLES", "block_figures", "critical_path", "memory_figures", "timing_figures"]

#: Roles of the engine's children and memories.
ENGINE_ROLES = {
    "key_memory": "keys",
    "key_requests": "keys",
    "row_range": "scores",
    "query_stage": "scores",
    "fetch": "scores",
    "score": "scores",
    "shared_rows": "selection",  # and scores, the smaller part
    "spare_row": "selection",
    "selector": "selection",
    "spare_key": "selection",
    "locate": "selection",
    "located": "selection",
    "kept_stage": "selection",
    "spare_kept": "selection",
    "replay": "selection",
    "table_queue": "softmax",
    "before_tables": "softmax",
    "softmax": "softmax",
    "value_memory": "values",
    "value_requests": "values",
    "weighted_sum": "weighted sum",
    "normalizer": "division",
    "loader": "control",
    "fork": "control",
    "range_fork": "control",
    "turns": "control",
    "(top)": "control",
}


#: Roles of the baseline's children and memories.
STANDARD_ROLES = {
    "key_memory": "keys",
    "scorer": "scores",
    "score_memory": "softmax",
    "value_memory": "values",
    "weigher": "weighted sum",
    "divider": "division",
    "loader": "control",
    "(top)": "control",
    # Where keys are selected:
    "distances": "selection",
    "selector": "selection",
    "spare_row": "selection",
    "spare_key": "selection",
    "replay": "selection",
    "softmax": "softmax",
    "weighted_sum": "weighted sum",
    "normalizer": "division",
}


def block_figures(area: AreaReport, energy: EnergyReport, roles: Mapping[str, str]) -> tuple[BlockFigures, ...]:
    """Join area and energy by block; a memory's energy here is that of the nets that it drives, and it has no area.

    Raises
    ------
    ValueError
        A block has no role.
    """
    areas = {block.name: block.figures for block in area.blocks}
    found = []
    for name in dict.fromkeys([*areas, *energy.blocks]):
        figures, spent = areas.get(name), energy.blocks.get(name)
        kinds = {kind: getattr(spent, kind) if spent else 0.0 for kind in ("switching", "internal", "clock", "leakage")}
        found.append(
            BlockFigures(
                name=name,
                role=_role(name, roles),
                area=figures.area if figures else 0.0,
                sequential_area=figures.sequential_area if figures else 0.0,
                cells=figures.cells if figures else 0,
                energy=Energy(**kinds),
            )
        )
    return tuple(found)


def memory_figures(energy: EnergyReport, roles: Mapping[str, str], model: SramModel) -> tuple[MemoryFigures, ...]:
    """Ask the memory model for every macro that was seen at work, with the reads and writes that were seen.

    A macro below a child of the top has the child's role, unless `roles` has its own name.
    """
    query_time = energy.cycles_a_query * energy.clock_ns
    return tuple(
        MemoryFigures.of(
            model,
            name=name,
            role=_role(name, roles),
            depth=seen.depth,
            width=seen.width,
            reads=seen.reads,
            writes=seen.writes,
            query_time=query_time,
        )
        for name, seen in energy.accesses.items()
    )


def timing_figures(report: TimingReport, *, tool: str = "synth.timing") -> TimingFigures:
    """Return the least period, and what was assumed, in words."""
    given = report.environment
    driver = f"{given.driving_cell} at inputs" if given.driving_cell else f"inputs with {given.input_slew:g} ns slew"
    wires = f"wire load {given.wire_load}" if given.wire_load else "no wires"
    return TimingFigures(
        tool=tool, period=report.period, assumptions=f"{driver}, {given.output_load:g} fF at outputs, {wires}"
    )


def critical_path(report: TimingReport) -> tuple[PathStep, ...]:
    """Return the steps of the slowest path."""
    return tuple(
        PathStep(block=step.block, instance=step.instance, cell=step.cell, delay=step.delay, arrival=step.arrival)
        for step in report.critical_path.steps
    )


def _role(name: str, roles: Mapping[str, str]) -> str:
    role = roles.get(name) or roles.get(name.split(".")[0])
    if role not in ROLES:
        raise ValueError(f"{name!r} has no role; known: {', '.join(roles)}")
    return role
