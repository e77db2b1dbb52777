"""An exploration as a table for a terminal, as JSON, and as a TOML file for each point of the front."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from hamming.explore.exploration import Exploration, Point
from hamming.explore.quantities import QUANTITIES
from hamming.rtl.design import Sections

__all__ = ["ENGINE_COMMENT", "engine_toml", "exploration_facts", "exploration_tables", "setting", "shown_figure"]

#: How the file of an engine of a front begins.
ENGINE_COMMENT = "# An engine on the front of the study"

#: Rows of a front's table, at most.
_MOST_ROWS = 30

#: Columns of a front, beside the objectives and what is bounded.
_ALWAYS = ("area", "energy", "cycles", "clock", "cosine")


def exploration_tables(found: Exploration) -> Group:
    """Lay out the front, the presets, and what was done."""
    study = found.study
    columns = _columns(found)
    settings = {name: [setting(found, found.points[one], name) for one in found.front] for name in study.free}
    differing = [name for name, values in settings.items() if len(set(values)) > 1]
    title = f"{study.name}: {'front' if study.measured else 'front, estimated and not measured'}"
    table = Table(title=title)
    table.add_column("engine", no_wrap=True)
    for name in differing:
        table.add_column(name.partition(".")[2] or name, justify="right")
    for name in columns:
        unit = QUANTITIES[name].unit
        table.add_column(f"{name}, {unit}" if unit else name, justify="right", no_wrap=True)
    for number, name in enumerate(found.front[:_MOST_ROWS]):
        cells = [shown_figure(column, found.points[name].figures[column]) for column in columns]
        table.add_row(name, *(settings[parameter][number] for parameter in differing), *cells)
    alike = [f"{name.partition('.')[2] or name} {values[0]}" for name, values in settings.items() if values]
    alike = [text for text, name in zip(alike, settings, strict=False) if name not in differing]
    table.min_width = 12 * len(table.columns)
    if len(found.front) > _MOST_ROWS:
        table.caption = f"and {len(found.front) - _MOST_ROWS:,} more in front.json"
    of_all = [f"of all of them: {', '.join(alike)}"] if alike else []
    return Group(table, Text("\n".join([*of_all, *_lines(found)])))


def _lines(found: Exploration) -> list[str]:
    candidates, study = found.candidates, found.study
    looked_at = f"{candidates.n_looked_at:,} candidates of {study.size:,} combinations"
    meeting = f"{len(candidates.possible):,} may meet the constraints, {len(candidates.missing):,} do not"
    lines = [f"{looked_at}: {meeting}, {len(candidates.refused):,} are no design"]
    if candidates.refused:
        lines.append(f"of what is no design, the first: {candidates.refused[0][1]}")
    if study.measured:
        measured = [point for point in found.points.values() if point.is_measured]
        n_new = sum(not point.was_kept for point in measured)
        lines.append(f"{len(measured)} designs measured, {n_new} of them now, {len(measured) - n_new} before")
        off = [f"{name} {_mean_off(measured, name):.1%}" for name in ("area", "energy", "clock")] if measured else []
        if off:
            lines.append(f"their estimates were off by, on average: {', '.join(off)}")
    lines += [f"preset {name}: {verdict}" for name, verdict in found.presets.items()]
    notes = {note for name in found.front for note in found.points[name].candidate.notes}
    if not study.measured:
        lines += [f"Note: {note}" for note in sorted(notes)]
    return [*lines, f"{found.seconds:.1f} s"]


def _mean_off(points: list[Point], name: str) -> float:
    return sum(abs(point.errors[name]) for point in points) / len(points)


def _columns(found: Exploration) -> list[str]:
    return list(dict.fromkeys([*found.study.objectives, *found.study.constraints, *_ALWAYS]))


def shown_figure(name: str, value: float) -> str:
    """Return a quantity as text."""
    if name == "cosine":
        return f"{value:.4f}"
    if name == "clock":
        return f"{value:.2f}"
    return f"{value:,.4g}" if abs(value) < 100 else f"{value:,.0f}"


def setting(found: Exploration, point: Point, parameter: str) -> str:
    """Return a point's setting of a parameter; of a preset what its file says."""
    settings = found.study.free[parameter]
    if parameter in point.candidate.choice:
        values = settings[point.candidate.choice[parameter]]
    else:
        values = {
            section: {key: point.sections[section].get(key, "auto") for key in keys}
            for section, keys in settings[0].items()
        }
    return ", ".join(_word(value) for keys in values.values() for value in keys.values())


def _word(value: Any) -> str:
    return "auto" if value is None else value if isinstance(value, str) else json.dumps(value)


def exploration_facts(found: Exploration) -> dict[str, Any]:
    """Return everything as JSON's types."""
    study = found.study
    return {
        "study": study.name,
        "design": study.design,
        "objectives": list(study.objectives),
        "constraints": {
            name: {side: value for side, value in vars(bounds).items() if abs(value) != float("inf")}
            for name, bounds in study.constraints.items()
        },
        "units": {name: quantity.unit for name, quantity in QUANTITIES.items()},
        "front": list(found.front),
        "presets": dict(found.presets),
        "points": {
            name: {
                "settings": {parameter: setting(found, point, parameter) for parameter in study.free},
                "spec": point.candidate.design.spec.to_dict(),
                "engine": point.candidate.design.config.to_dict() | {"name": name},
                "figures": dict(point.figures),
                "is_measured": point.is_measured,
                "was_kept": point.was_kept,
                "estimate": dict(point.candidate.figures),
                "notes": list(point.candidate.notes),
            }
            for name, point in found.points.items()
        },
        "candidates": {
            "combinations": study.size,
            "refused": [[choice, reason] for choice, reason in found.candidates.refused],
            "estimates": [
                {"choice": dict(one.choice), "meets": not one.missed, "figures": dict(one.figures)}
                for one in (*found.candidates.possible, *found.candidates.missing)
            ],
        },
        "failed": dict(found.failed),
        "seconds": found.seconds,
    }


def engine_toml(found: Exploration, name: str) -> str:
    """Return a point's file for `hamming generate`: its figures in a comment, then its sections."""
    point = found.points[name]
    how = "measured" if point.is_measured else "estimated"
    figures = ", ".join(
        f"{column} {shown_figure(column, point.figures[column])} {QUANTITIES[column].unit}".rstrip()
        for column in _columns(found)
    )
    return f"{ENGINE_COMMENT} {found.study.name}, {how}: {figures}.\n{_toml(point.sections, name)}"


def _toml(sections: Sections, name: str) -> str:
    lines = []
    for section, values in sections.items():
        lines += ["", f"[{section}]"]
        named = values | {"name": name} if section == "engine" else values
        lines += [f"{key} = {_value(value)}" for key, value in named.items() if value is not None]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        raise TypeError(f"a design has no tables within sections, as {value!r}")
    return json.dumps(value if not isinstance(value, tuple) else list(value))
