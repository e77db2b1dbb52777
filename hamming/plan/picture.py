"""A plan as a picture: area, power and bytes read, beside standard attention's. SVG, by hand."""

from __future__ import annotations

import html
from collections.abc import Sequence

from hamming.plan.plan import Plan, Side
from hamming.plan.table import rates, shape, shown

__all__ = ["plan_picture", "plans_picture"]

_COLOURS = ("#0b6e4f", "#2f6fd6", "#c2660a")
_WIDTH, _LABEL, _BAR, _GAP = 760, 150, 16, 10

#: Panels: a title, parts of a bar with their value, and units.
_PANELS = (
    ("area, mm²", (("logic", lambda side: side.logic_mm2), ("memories", lambda side: side.memory_mm2)), ("mm²",)),
    (
        "power, W",
        (
            ("logic", lambda side: side.logic_w),
            ("memories", lambda side: side.memory_w),
            ("DRAM", lambda side: side.dram_w),
        ),
        ("W",),
    ),
    ("keys and values read a second", (("read", lambda side: side.read_bytes),), ("B", "kB", "MB", "GB", "TB")),
)


def plan_picture(found: Plan) -> str:
    """Return a plan's picture as SVG."""
    return plans_picture([found])


def plans_picture(plans: Sequence[Plan]) -> str:
    """Return the pictures of several plans, one below the other, as one SVG."""
    parts, y = [], 8
    for found in plans:
        drawn, y = _plan(found, y)
        parts += drawn
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" width="{_WIDTH}" height="{y}" '
        f'font-family="system-ui, sans-serif" font-size="12" fill="#1d2430">\n'
        f'<rect width="{_WIDTH}" height="{y}" fill="#ffffff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _plan(found: Plan, y: int) -> tuple[list[str], int]:
    parts = [_text(8, y + 14, f"{found.question.name}: {shape(found.question)}", weight="bold")]
    parts.append(_text(8, y + 31, f"{rates(found.question)}; dark is logic, lighter memories, lightest DRAM"))
    y += 46
    for title, values, units in _PANELS:
        parts.append(_text(8, y + 12, title))
        y += 20
        most = max(sum(value(side) for _, value in values) for side in found.sides) or 1.0
        for side, colour in zip(found.sides, _COLOURS, strict=True):
            parts += _bar(side, colour, y, values, most, units)
            y += _BAR + 3
        y += _GAP
    return parts, y + _GAP


def _bar(side: Side, colour: str, y: int, values: Sequence, most: float, units: tuple[str, ...]) -> list[str]:
    room = _WIDTH - _LABEL - 110
    parts, x, total = [_text(_LABEL - 8, y + 12, side.name, anchor="end")], float(_LABEL), 0.0
    for number, (name, value) in enumerate(values):
        amount = value(side)
        width = room * amount / most
        title = f"<title>{html.escape(f'{side.name}, {name}: {shown(amount, units)}')}</title>"
        opacity = (1.0, 0.6, 0.35)[number]
        parts.append(
            f'<rect x="{x:.1f}" y="{y}" width="{max(width, 0.5):.1f}" height="{_BAR}" fill="{colour}" '
            f'opacity="{opacity}">{title}</rect>'
        )
        x, total = x + width, total + amount
    parts.append(_text(x + 6, y + 12, shown(total, units)))
    return parts


def _text(x: float, y: float, text: str, *, anchor: str = "start", weight: str = "normal") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}">{html.escape(text)}</text>'
