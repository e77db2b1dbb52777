"""The pictures of a comparison's page, as SVG that takes its colours from the page."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from hamming.synth.compare.comparison import Comparison
from hamming.synth.compare.design_figures import DesignFigures
from hamming.synth.compare.figures import ROLES

__all__ = ["area_bars", "energy_bars", "floor", "own_bars"]

#: Width of all pictures; room above a floor, and the longest side of one.
_WIDTH, _TOP, _FULL = 1060, 34.0, 380.0

#: CSS class of each role's colour.
ROLE_CLASS = {role: f"role-{role.replace(' ', '-')}" for role in ROLES}


@dataclass(frozen=True)
class _Part:
    """A piece of a floor: its name, role, size, and whether it is a memory."""

    name: str
    role: str
    size: float
    is_memory: bool = False


@dataclass(frozen=True)
class _Box:
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class _Bar:
    """A bar of several pieces, each with a CSS class."""

    label: str
    pieces: tuple[tuple[str, float], ...]
    text: str

    @property
    def size(self) -> float:
        return sum(size for _, size in self.pieces)


# --- floors


def floor(comparison: Comparison, *, name: str, quantity: str = "area", memories: bool) -> Markup:
    """Draw both designs' floors to one scale, and the smaller one again, as large as the other.

    A rectangle is a block, as large as the block's `quantity`, `area` or `energy`. `name` is the picture's id.
    """
    show = _mm2 if quantity == "area" else _nj
    ours, theirs = (_parts(design, quantity, memories) for design in _pair(comparison))
    sizes = [sum(part.size for part in parts) for parts in (ours, theirs)]
    share, scale = sizes[0] / sizes[1], _FULL / math.sqrt(max(sizes))
    sides = [math.sqrt(size) * scale for size in sizes]
    theirs_at = _Box(0, _TOP + _FULL - sides[1], sides[1], sides[1])
    ours_at = _Box(sides[1] + 30, _TOP + _FULL - sides[0], sides[0], sides[0])
    enlarged = _Box(_WIDTH - _FULL, _TOP, _FULL, _FULL)
    is_enlarged = ours_at.x + sides[0] + 20 < enlarged.x
    lines = [
        _text(0, theirs_at.y - 14, f"{comparison.standard.title}: {show(sizes[1])}", "title"),
        *_tiles(theirs, theirs_at, show),
        *_tiles(ours, ours_at, show, labels=not is_enlarged),
    ]
    title = f"{comparison.hamming.title}: {show(sizes[0])}"
    if is_enlarged:
        right = ours_at.x + sides[0]
        lines += [
            _line(right, ours_at.y, enlarged.x, enlarged.y, "lens"),
            _line(right, _TOP + _FULL, enlarged.x, _TOP + _FULL, "lens"),
            _text(ours_at.x, ours_at.y - 30, "the same scale:", "note"),
            _text(ours_at.x, ours_at.y - 12, f"{share:.1%} is left", "title"),
            _text(enlarged.x, _TOP - 14, f"{title}, enlarged", "title"),
            *_tiles(ours, enlarged, show),
        ]
    else:
        lines.append(_text(ours_at.x, ours_at.y - 14, f"{title}, {share:.1%}", "title"))
    what = "logic and memories" if memories else "logic, without memories"
    alternative = f"{quantity} of {what}: {comparison.hamming.title} has {share:.1%} of {comparison.standard.title}"
    return _svg(name, _WIDTH, _TOP + _FULL, lines, alternative)


def _parts(design: DesignFigures, quantity: str, memories: bool) -> list[_Part]:
    parts = [
        _Part(block.name, block.role, block.area if quantity == "area" else block.energy.total)
        for block in design.blocks
    ]
    if memories:
        parts += [_Part(memory.name, memory.role, getattr(memory, quantity), True) for memory in design.memories]
    return [part for part in parts if part.size > 0]


def _tiles(parts: Sequence[_Part], box: _Box, show: Callable[[float], str], *, labels: bool = True) -> Iterable[Markup]:
    total = sum(part.size for part in parts)
    for part, tile in squarify(sorted(parts, key=lambda part: -part.size), box):
        kind = ROLE_CLASS[part.role]
        tip = f"{part.name} ({part.role}): {show(part.size)}, {part.size / total:.1%}"
        yield _rectangle(tile, f"tile {kind}", tip)
        if part.is_memory:
            yield _rectangle(tile, "hatch", tip)
        if labels and tile.width > 7.9 * len(part.name) + 12 and tile.height > 24:
            yield _text(tile.x + 6, tile.y + 16, part.name, "on")
            if tile.height > 42:
                yield _text(tile.x + 6, tile.y + 32, f"{part.size / total:.1%}", "on faint")


def squarify(parts: Sequence[_Part], box: _Box) -> list[tuple[_Part, _Box]]:
    """Tile a box with parts, largest first, in proportion and as near to squares as can be (Bruls and others, 2000)."""
    placed: list[tuple[_Part, _Box]] = []
    rest, free = list(parts), box
    while rest:
        scale = free.width * free.height / sum(part.size for part in rest)
        side = min(free.width, free.height)
        row = [rest.pop(0)]
        while rest and _worst([*row, rest[0]], side, scale) <= _worst(row, side, scale):
            row.append(rest.pop(0))
        depth = sum(part.size for part in row) * scale / side
        along = 0.0
        for part in row:
            length = part.size * scale / depth
            is_column = free.width >= free.height
            place = (free.x, free.y + along, depth, length) if is_column else (free.x + along, free.y, length, depth)
            placed.append((part, _Box(*place)))
            along += length
        if free.width >= free.height:
            free = _Box(free.x + depth, free.y, free.width - depth, free.height)
        else:
            free = _Box(free.x, free.y + depth, free.width, free.height - depth)
    return placed


def _worst(row: Sequence[_Part], side: float, scale: float) -> float:
    """Return the worst ratio of sides in a row that is laid along `side`."""
    depth = sum(part.size for part in row) * scale / side
    return max(max(depth**2 / (part.size * scale), part.size * scale / depth**2) for part in row)


# --- bars


def area_bars(comparison: Comparison) -> Markup:
    """Draw the area of both designs' logic by role, flip-flops in the deeper shade."""
    return _pair_bars(
        "area-by-block",
        [(role, [_area(design, role) for design in _pair(comparison)]) for role in _roles(comparison)],
        "Area of the logic by role, both designs",
    )


def energy_bars(comparison: Comparison) -> Markup:
    """Draw the energy of both designs' logic by role, in four shades by cause."""
    return _pair_bars(
        "energy-by-block",
        [(role, [_energy(design, role) for design in _pair(comparison)]) for role in _roles(comparison)],
        "Energy of the logic by role, both designs",
    )


def own_bars(comparison: Comparison) -> Markup:
    """Draw where the engine's energy goes, block by block: what is left, on its own scale."""
    bars = []
    for block in sorted(comparison.hamming.blocks, key=lambda block: -block.energy.total):
        energy, kind = block.energy, ROLE_CLASS[block.role]
        pieces = zip(_CAUSES, (energy.switching, energy.internal, energy.clock, energy.leakage), strict=True)
        bars.append(_Bar(block.name, tuple((f"{kind} {cause}", size) for cause, size in pieces), _pj(energy.total)))
    lines, height = [], 24.0 * len(bars)
    most = max(bar.size for bar in bars) or 1.0
    for number, bar in enumerate(bars):
        lines += [
            _text(150, 24 * number + 16, bar.label, "label end"),
            *_bar(bar, 160, 24 * number + 3, 18, 700 / most),
        ]
    return _svg("energy-left", _WIDTH, height, lines, f"Energy of {comparison.hamming.title}, block by block")


#: CSS classes of the shades for the causes of energy, in the order of `Energy`.
_CAUSES = ("shade-1", "shade-2", "shade-3", "shade-4")


def _pair(comparison: Comparison) -> tuple[DesignFigures, DesignFigures]:
    return comparison.hamming, comparison.standard


def _roles(comparison: Comparison) -> list[str]:
    return [role for role in ROLES if any(design.role_area(role) for design in _pair(comparison))]


def _area(design: DesignFigures, role: str) -> _Bar:
    blocks = [block for block in design.blocks if block.role == role]
    area, sequential = sum(block.area for block in blocks), sum(block.sequential_area for block in blocks)
    kind = ROLE_CLASS[role]
    pieces = ((f"{kind} shade-1", area - sequential), (f"{kind} shade-3", sequential))
    return _Bar(_names(design, role), pieces, f"{area:,.0f} µm²" if area else "none")


def _energy(design: DesignFigures, role: str) -> _Bar:
    energies = [block.energy for block in design.blocks if block.role == role]
    sums = [
        sum(getattr(energy, cause) for energy in energies) for cause in ("switching", "internal", "clock", "leakage")
    ]
    pieces = tuple((f"{ROLE_CLASS[role]} {shade}", size) for shade, size in zip(_CAUSES, sums, strict=True))
    return _Bar(_names(design, role), pieces, _pj(sum(sums)) if energies else "none")


def _names(design: DesignFigures, role: str) -> str:
    return ", ".join(block.name for block in design.blocks if block.role == role)


def _pair_bars(name: str, rows: Sequence[tuple[str, Sequence[_Bar]]], alternative: str) -> Markup:
    most = max(bar.size for _, bars in rows for bar in bars) or 1.0
    lines, y = [], 0.0
    for role, bars in rows:
        lines.append(_text(110, y + 26, role, "label end"))
        for bar, who in zip(bars, ("ours", "standard"), strict=True):
            share = f" ({bar.size / bars[1].size:.1%})" if who == "ours" and bars[1].size else ""
            lines += [_text(180, y + 15, who, "note end"), *_bar(bar, 190, y + 3, 16, 690 / most, share)]
            y += 20
        y += 12
    return _svg(name, _WIDTH, y - 8, lines, alternative)


def _bar(bar: _Bar, x: float, y: float, height: float, scale: float, share: str = "") -> Iterable[Markup]:
    yield _line(x, y - 1, x, y + height + 1, "axis")
    start = x
    for kind, size in bar.pieces:
        if size > 0:
            yield _rectangle(_Box(start, y, max(size * scale, 0.5), height), kind, f"{bar.label}: {bar.text}")
            start += size * scale
    yield _text(start + 8, y + height - 3, bar.text + share, "value")


# --- shapes


def _svg(name: str, width: float, height: float, lines: Iterable[Markup], alternative: str) -> Markup:
    return Markup('<svg id="{}" viewBox="-2 -2 {:.0f} {:.0f}" role="img" aria-label="{}">\n{}\n</svg>').format(
        name, width + 4, height + 4, alternative, Markup("\n").join(lines)
    )


def _rectangle(box: _Box, kind: str, tip: str) -> Markup:
    return Markup(
        '<rect x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{:.2f}" class="{}"><title>{}</title></rect>'
    ).format(box.x, box.y, box.width, box.height, kind, tip)


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    return Markup('<line x1="{:.2f}" y1="{:.2f}" x2="{:.2f}" y2="{:.2f}" class="{}"/>').format(x1, y1, x2, y2, kind)


def _text(x: float, y: float, text: str, kind: str) -> Markup:
    return Markup('<text x="{:.2f}" y="{:.2f}" class="{}">{}</text>').format(x, y, kind, escape(text))


def _mm2(area: float) -> str:
    return f"{area / 1e6:,.4f} mm²"


def _nj(energy: float) -> str:
    return f"{energy / 1000:,.2f} nJ"


def _pj(energy: float) -> str:
    return f"{energy:,.1f} pJ" if energy < 10000 else f"{energy / 1000:,.1f} nJ"
