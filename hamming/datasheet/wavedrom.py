"""A subset of WaveDrom's timing diagrams as SVG, without a browser.

Of a description (WaveJSON, https://wavedrom.com/tutorial.html) it knows `signal`, a list of `{}` (a gap) and of `name`,
`wave` and `data`; `head.tick`, the labels over the cycles; and `config.hscale`. In a wave: `p` a clock, `0` and `1`
levels, `=` a value, whose label is the next of `data`, `x` anything, `.` the state before it, and `|` that state with a
gap in time.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from markupsafe import Markup

from hamming.datasheet.svg import path, svg, text

__all__ = ["render"]

_CYCLE, _ROW, _LEFT, _TOP, _HIGH, _SLOPE = 38.0, 34.0, 175.0, 30.0, 20.0, 4.0


def render(description: Mapping[str, Any], title: str) -> str:
    """Return the diagram as SVG.

    Raises
    ------
    ValueError
        A wave has a state that is not known, or begins with `.` or `|`.
    """
    signals = description["signal"]
    cycle = _CYCLE * description.get("config", {}).get("hscale", 1)
    n_cycles = max(len(signal.get("wave", "")) for signal in signals)
    height = _TOP + _ROW * len(signals) + 6
    parts: list[Markup] = []
    for number, label in enumerate(description.get("head", {}).get("tick", "").split()):
        x = _LEFT + (number + 0.5) * cycle
        parts.append(text(x, _TOP - 12, label.replace("_", " "), "note"))
    for number in range(n_cycles + 1):
        parts.append(path("grid", f"M{_LEFT + number * cycle:g} {_TOP - 6:g}V{height - 6:g}"))
    for row, signal in enumerate(signals):
        base = _TOP + _ROW * row + _HIGH + 6
        if "wave" in signal:
            parts.append(text(_LEFT - 10, base - 5, signal["name"], "port end"))
            parts += _wave(signal, base, cycle)
    return svg(_LEFT + n_cycles * cycle + 8, height, title, parts)


def states(wave: str) -> list[str]:
    """Return the state of each cycle, with `.` and `|` resolved."""
    found: list[str] = []
    for number, state in enumerate(wave):
        if state in ".|":
            if not found:
                raise ValueError(f"wave {wave!r} begins with {state!r}, and has no state to go on with")
            state = found[-1]
        if state not in "p01=x":
            raise ValueError(f"wave {wave!r} has {state!r} in cycle {number}; known are p, 0, 1, =, x, . and |")
        found.append(state)
    return found


def _wave(signal: Mapping[str, Any], base: float, cycle: float) -> Iterator[Markup]:
    wave = signal["wave"]
    labels = iter(signal.get("data", ()))
    begins = [number for number, state in enumerate(wave) if state not in ".|"]
    resolved = states(wave)
    top, last = base - _HIGH, None
    for begin, end in itertools.pairwise([*begins, len(wave)]):
        x0, x1, state = _LEFT + begin * cycle, _LEFT + end * cycle, resolved[begin]
        if state == "p":
            for number in range(begin, end):
                x = _LEFT + number * cycle
                yield path("wire", f"M{x:g} {base:g}V{top:g}H{x + cycle / 2:g}V{base:g}H{x + cycle:g}")
        elif state in "01":
            level, before = (top if state == "1" else base), (top if last == "1" else base)
            rise = "" if last in (None, state) or last not in "01" else f"M{x0:g} {before:g}L{x0 + _SLOPE:g} {level:g}"
            start = x0 + _SLOPE if rise else x0
            yield path("wire", f"{rise}M{start:g} {level:g}H{x1:g}")
        else:
            middle, (a, b) = base - _HIGH / 2, (x0 + _SLOPE, x1 - _SLOPE)
            shape = f"M{x0:g} {middle:g}L{a:g} {top:g}H{b:g}L{x1:g} {middle:g}L{b:g} {base:g}H{a:g}z"
            yield path("block" if state == "=" else "any", shape)
            if state == "=":
                solid = len(wave[begin:end].partition("|")[0])
                yield text(x0 + solid * cycle / 2, base - 5, next(labels, ""), "value")
        last = state
    for number, state in enumerate(wave):
        if state == "|":
            x = _LEFT + (number + 0.5) * cycle
            yield path("memory", f"M{x - 5:g} {base + 5:g}l6 {-_HIGH - 10:g}h5l-6 {_HIGH + 10:g}z")
