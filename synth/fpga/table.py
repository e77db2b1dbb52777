"""Implementations as tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from hamming.synth.fpga.devices import DEVICES, RESOURCES
from hamming.synth.fpga.report import Implementation

__all__ = ["implementation_tables"]


def implementation_tables(found: Sequence[Implementation]) -> RenderableType:
    """Lay out designs on one device: blocks, what is used of the device, clocks by seed, and the critical path."""
    parts: list[RenderableType] = []
    for one in found:
        parts.append(_blocks(one))
        parts += [_sites(one), _path(one)] if one.runs else []
    if len(found) == 2:
        parts.append(_ratios(*found))
    tools = ", ".join(f"{name} {version}" for name, version in found[0].tools.items())
    parts.append(Text(f"{tools}; {'with' if found[0].dsp else 'without'} multipliers of the device", style="dim"))
    return Group(*parts)


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)


def _blocks(one: Implementation) -> Table:
    table = _table(f"{one.design} on {DEVICES[one.device].title}")
    table.add_column("block")
    for heading in RESOURCES.values():
        table.add_column(heading, justify="right")
    for block, numbers in one.blocks.items():
        table.add_row(block, *(f"{numbers[key]:,g}" for key in RESOURCES))
    table.add_section()
    table.add_row("total", *(f"{one.total[key]:,g}" for key in RESOURCES), style="bold")
    return table


def _sites(one: Implementation) -> Table:
    run = one.best or one.runs[0]
    table = _table("placed" if one.fits else "does not fit")
    table.add_column("site")
    for heading in ("used", "of", "share"):
        table.add_column(heading, justify="right")
    for kind, used in run.used.items():
        available = run.available[kind]
        style = "bold red" if used > available else ""
        share = f"{used / available:.1%}" if available else "-"
        table.add_row(kind, f"{used:,}", f"{available:,}", share, style=style)
    return table


def _path(one: Implementation) -> RenderableType:
    best = one.best
    if best is None:
        return Text("")
    table = _table(f"{best.mhz:.1f} MHz, seed {best.seed}")
    for heading in ("at, ns", "cell", "wire"):
        table.add_column(heading, justify="right")
    table.add_column("critical path")
    at = 0.0
    for step in best.path:
        at += step.logic + step.wire
        table.add_row(f"{at:.2f}", f"{step.logic:.2f}", f"{step.wire:.2f}", escape(step.signal))
    clocks = ", ".join(f"{run.mhz:.1f}" if run.mhz else "-" for run in one.runs)
    return Group(table, Text(f"MHz by seed: {clocks}\n")) if len(one.runs) > 1 else table


def _ratios(ours: Implementation, other: Implementation) -> Table:
    table = _table(f"{ours.design} of {other.design}")
    for heading in (*RESOURCES.values(), "clock"):
        table.add_column(heading, justify="right")
    shares = [ours.total[key] / other.total[key] if other.total[key] else None for key in RESOURCES]
    shares.append(ours.best.mhz / other.best.mhz if ours.best and other.best else None)  # type: ignore[operator]
    table.add_row(*("-" if share is None else f"{share:.0%}" for share in shares))
    return table
