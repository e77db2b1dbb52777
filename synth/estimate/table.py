"""An estimate as tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hamming.synth.compare.figures import MemoryFigures
from hamming.synth.estimate.model import Estimate

__all__ = ["estimate_tables"]


def estimate_tables(title: str, found: Estimate) -> RenderableType:
    """Lay out an estimate: a row a block, memories, what a query takes, and how far off all that may be."""
    logic = Table(title=f"{title}: estimated logic")
    logic.add_column("block")
    for heading in ("area, µm²", "± mean", "energy, pJ a query", "± mean"):
        logic.add_column(heading, justify="right")
    for block in sorted(found.blocks, key=lambda block: -block.area):
        logic.add_row(
            block.name,
            f"{block.area:,.0f}",
            _error(block.area_error, block.is_beyond),
            f"{block.energy:,.4g}",
            _error(block.energy_error, block.is_beyond),
        )
    logic.add_section()
    area, energy = (_error(found.errors[name]["mean"], bool(found.notes)) for name in ("area", "energy"))
    logic.add_row("logic", f"{found.area:,.0f}", area, f"{found.energy:,.4g}", energy, style="bold")

    memories = Table(title="memories, modelled (docs/memories.md)")
    memories.add_column("array", no_wrap=True)
    for heading in ("words", "bits a word", "area, µm²", "pJ a query", "access, ns"):
        memories.add_column(heading, justify="right")
    for alike in _alike(found.memories):
        first, n = alike[0], len(alike)
        name = first.name if n == 1 else f"{first.name.partition('.')[0]}, {n} banks"
        area, energy = sum(one.area for one in alike), sum(one.energy for one in alike)
        time = f"{first.access_time:.2f}"
        memories.add_row(name, f"{first.depth:,}", f"{first.width:,}", f"{area:,.0f}", f"{energy:,.4g}", time)

    off = found.errors["period"]["mean"]
    lines = [
        f"{found.cycles:,.0f} cycles a query at most; {1 / found.period:.2f} GHz ± {off:.0%}, set by {found.path}",
        *(f"Note: {note}" for note in found.notes),
    ]
    worst = ", ".join(f"{name} {found.errors[name]['worst']:.0%}" for name in ("area", "energy", "period"))
    how = f"nangate45, gates sized for 1 GHz; of engines that the fit had not seen the worst was off by: {worst}"
    return Group(logic, memories, Text("\n".join(lines)), Text(how, style="dim"))


def _alike(memories: Sequence[MemoryFigures]) -> list[list[MemoryFigures]]:
    """Return memories with their banks of the same words and bits together."""
    found: dict[tuple[str, int, int], list[MemoryFigures]] = {}
    for memory in memories:
        found.setdefault((memory.name.partition(".")[0], memory.depth, memory.width), []).append(memory)
    return list(found.values())


def _error(share: float | None, is_beyond: bool) -> str:
    return "beyond" if is_beyond else "" if share is None else f"{share:.0%}"
