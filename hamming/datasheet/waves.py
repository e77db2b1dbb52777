"""Timing diagrams of an engine in WaveDrom's form, from its manifest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

__all__ = ["loading", "output", "queries"]

#: A signal's state in a cycle: 0, 1 or x, or the label of a value.
_Signal = Callable[[int], str]


def queries(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Three queries of all keys, each offered as soon as the one before is taken."""
    period = facts["cycles"]["a_query"]
    signals: dict[str, _Signal] = {
        "i_query__valid": lambda cycle: "1",
        "i_query__ready": lambda cycle: "01"[cycle % period == 0],
        "i_query__payload": lambda cycle: f"query {-(-cycle // period)}",
    }
    return _diagram((number * period + after for number in range(3) for after in (0, 1)), signals)


def output(facts: Mapping[str, Any]) -> dict[str, Any]:
    """A lone query of all keys, and the output's last slice where it comes latest, taken at once."""
    fold, cycles = facts["dimensions"]["fold"], facts["cycles"]
    beats, end = cycles["terms"]["divide"]["cycles"], cycles["latency"]["cycles"]
    begin = end - beats // fold
    before = "0" if fold == 1 else "x"
    signals: dict[str, _Signal] = {
        "i_query__valid": lambda cycle: "01"[cycle == 0],
        "i_query__ready": lambda cycle: "1" if cycle == 0 else "x",
        "o_out__ready": lambda cycle: "1",
        "o_out__valid": lambda cycle: "1" if begin <= cycle < end else "0" if cycle in (0, end) else before,
        "o_out__payload": lambda cycle: f"beat {beats - end + cycle}" if begin <= cycle < end else "x",
        "o_out__payload.last": lambda cycle: "01"[cycle == end - 1] if begin <= cycle < end else "x",
    }
    return _diagram((0, 1, begin - 1, begin, end - 1, end), signals)


def loading(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Two rows through `i_row`, each offered for `fold` cycles and taken in the last of them."""
    fold = facts["dimensions"]["fold"]
    signals: dict[str, _Signal] = {
        "i_row__valid": lambda cycle: "01"[cycle < 2 * fold],
        "i_row__ready": lambda cycle: "x" if cycle == 2 * fold else "01"[cycle % fold == fold - 1],
        "i_row__payload": lambda cycle: "x" if cycle == 2 * fold else f"row {cycle // fold}",
    }
    return _diagram((0, fold - 1, fold, 2 * fold - 1, 2 * fold), signals)


def _diagram(cycles: Iterable[int], signals: Mapping[str, _Signal]) -> dict[str, Any]:
    """Return a diagram of these cycles, with a gap wherever some are left out."""
    shown = sorted(set(cycles))
    columns: list[int | None] = []
    for cycle in shown:
        if columns and columns[-1] != cycle - 1:
            columns.append(None)
        columns.append(cycle)
    rows = [{"name": "clk", "wave": "p" + "." * (len(columns) - 1)}]
    rows += [_row(name, state, columns) for name, state in signals.items()]
    ticks = ("\N{HORIZONTAL ELLIPSIS}" if cycle is None else str(cycle) for cycle in columns)
    return {"signal": rows, "head": {"tick": " ".join(ticks)}, "config": {"hscale": 2}}


def _row(name: str, state: _Signal, columns: Iterable[int | None]) -> dict[str, Any]:
    wave, labels, last = "", [], None
    for cycle in columns:
        now = last if cycle is None else state(cycle)
        if cycle is None:
            wave += "|"
        elif now == last:
            wave += "."
        elif now is not None and now in "01x":
            wave += now
        else:
            wave += "="
            labels.append(now)
        last = now
    return {"name": name, "wave": wave} | ({"data": labels} if labels else {})
