"""A comparison as one HTML page that needs nothing else: no script, no font, no picture from outside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from hamming.synth.compare import pictures
from hamming.synth.compare.comparison import Comparison
from hamming.synth.compare.design_figures import DesignFigures
from hamming.synth.compare.figures import ROLES, BlockFigures
from hamming.synth.compare.published import published

__all__ = ["comparison_page"]


def comparison_page(comparison: Comparison) -> str:
    """Return the page as text. It holds `Comparison.to_dict()` too, as JSON in the element `comparison`.

    Every derived figure that it shows stands in an element whose `data-figure` is the figure's path below `derived` in
    that JSON.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"share": _share, "energy": _energy}
    facts = comparison.to_dict()
    derived = facts["derived"]

    def figure(design: DesignFigures, name: str) -> Markup:
        value = derived["designs"][design.key][name]
        text = _energy(value) if name.endswith(("energy", "power")) else f"{value:,.0f}"
        return _figure(f"designs/{design.key}/{name}", text)

    def saved(design: DesignFigures, baseline: DesignFigures, name: str) -> Markup:
        pair = f"{design.key} against {baseline.key}"
        return _figure(f"saving/{pair}/{name}", _share(derived["saving"][pair][name]))

    return environment.get_template("comparison.html").render(
        comparison=comparison,
        ours=comparison.hamming,
        theirs=comparison.standard,
        roles=[role for role in ROLES if _is_used(comparison, role)],
        role_class=pictures.ROLE_CLASS,
        published=[published()[key] for key in comparison.published],
        figure=figure,
        saved=saved,
        by_area=_by_area,
        pictures={
            "floor": pictures.floor(comparison, name="floor-logic", memories=False),
            "floor_memories": pictures.floor(comparison, name="floor-memories", memories=True),
            "energy_floor": pictures.floor(comparison, name="energy-memories", quantity="energy", memories=True),
            "area": pictures.area_bars(comparison),
            "energy": pictures.energy_bars(comparison),
            "own": pictures.own_bars(comparison),
        },
        tools=list(dict.fromkeys(timing.tool for design in comparison.designs for timing in design.timings)),
        data=_embedded(facts),
    )


def _share(value: float) -> str:
    return f"{value:.1%}"


def _energy(value: float) -> str:
    return f"{value:,.1f}" if abs(value) < 1000 else f"{value:,.0f}"


def _figure(path: str, text: str) -> Markup:
    return Markup('<span data-figure="{}">{}</span>').format(path, text)


def _is_used(comparison: Comparison, role: str) -> bool:
    return any(part.role == role for design in comparison.designs for part in (*design.blocks, *design.memories))


def _by_area(design: DesignFigures) -> list[BlockFigures]:
    return sorted(design.blocks, key=lambda block: -block.area)


def _embedded(facts: dict[str, Any]) -> Markup:
    """Return JSON that cannot end the element that holds it."""
    return Markup(json.dumps(facts, ensure_ascii=False).replace("<", "\\u003c"))
