"""An exploration as one HTML page that needs nothing else: designs as points, by Plotly, with all figures on hover."""

from __future__ import annotations

import html
import importlib
import itertools
import json
from collections.abc import Mapping
from typing import Any

from hamming.explore.exploration import Exploration
from hamming.explore.quantities import QUANTITIES
from hamming.explore.report import exploration_facts, setting, shown_figure

__all__ = ["NoPlotly", "exploration_page", "require_plotly"]

_STYLE = """
body { margin: 0 auto; max-width: 1180px; padding: 24px; font: 15px/1.5 system-ui, sans-serif; color: #1d2430; }
h1 { font-size: 24px; } p { max-width: 90ch; }
table { border-collapse: collapse; font-size: 13px; display: block; overflow-x: auto; }
th, td { border-bottom: 1px solid #dcdfe5; padding: 4px 10px; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
"""

_PICTURE = {"paper_bgcolor": "white", "plot_bgcolor": "#fbfaf7", "hovermode": "closest", "height": 560}


_CONFIG = {"displaylogo": False, "responsive": True}


class NoPlotly(ValueError):
    """Plotly is not installed; the message says what to do."""


def require_plotly() -> Any:
    """Return Plotly's graph objects."""
    try:
        return importlib.import_module("plotly.graph_objects")
    except ModuleNotFoundError:
        raise NoPlotly(
            "Plotly, which draws the page, is not installed: pip install 'hamming-attention[explore]'; "
            "or leave the page out: --no-page"
        ) from None


def exploration_page(found: Exploration) -> str:
    """Return the page as text; it holds `exploration_facts` too, as JSON in the element `exploration`."""
    study = found.study
    pairs = list(itertools.combinations(study.objectives, 2)) or [(study.objectives[0], "area")]
    pictures = "\n".join(_picture(found, pair, with_script=number == 0) for number, pair in enumerate(pairs))
    how = "synthesized and simulated at the gates" if study.measured else "estimated"
    facts = json.dumps(exploration_facts(found)).replace("<", "\\u003c")
    title = f"{study.name}: the front"
    presets = "; ".join(f"{name}: {verdict}" for name, verdict in found.presets.items())
    return f"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{html.escape(title)}</title><style>{_STYLE}</style></head>
<body>
<h1>{html.escape(title)}</h1>
<p>{len(found.front)} engines on the front, {how}; {found.candidates.n_looked_at:,} candidates of {study.size:,}
combinations, of which {len(found.candidates.possible):,} may meet the constraints. NanGate 45 nm, gates sized for
1 GHz. Presets: {html.escape(presets)}.</p>
{pictures}
{_table(found)}
<script type="application/json" id="exploration">{facts}</script>
</body>
</html>
"""


def _picture(found: Exploration, pair: tuple[str, str], *, with_script: bool) -> str:
    objects = require_plotly()
    x, y = pair
    figure = objects.Figure(layout=_PICTURE)
    others = "measured" if found.study.measured else "estimated"
    if found.study.measured:
        _points(
            figure,
            "estimated, not measured",
            [
                (one.figures, _hover("a candidate", _choice(found, one.choice), one.figures))
                for one in found.candidates.possible
            ],
            pair,
            {"color": "#b8bec9", "size": 5},
        )
    groups: dict[str, list[str]] = {others: [], "on the front": [], "preset": []}
    for name in found.points:
        if name in found.presets:
            groups["preset"].append(name)
        elif name not in found.front:
            groups[others].append(name)
    groups["on the front"] = sorted(found.front, key=lambda name: found.points[name].figures[x])
    looks = {
        others: {"color": "#2f6fd6", "size": 8},
        "on the front": {"color": "#cf4a3a", "size": 11},
        "preset": {"color": "#0e8a7d", "size": 14, "symbol": "star"},
    }
    for group, names in groups.items():
        rows = []
        for name in names:
            point = found.points[name]
            settings = {parameter: setting(found, point, parameter) for parameter in found.study.free}
            estimate = point.candidate.figures if point.is_measured else None
            rows.append((point.figures, _hover(name, settings, point.figures, estimate)))
        _points(figure, group, rows, pair, looks[group])
    figure.update_xaxes(title=_axis(x))
    figure.update_yaxes(title=_axis(y))
    return figure.to_html(full_html=False, include_plotlyjs=with_script, div_id=f"front-{x}-{y}", config=_CONFIG)


def _points(
    figure: Any, name: str, rows: list[tuple[Mapping[str, float], str]], pair: tuple[str, str], look: Mapping[str, Any]
) -> None:
    x, y = ([figures[axis] for figures, _ in rows] for axis in pair)
    figure.add_scatter(
        x=x, y=y, text=[text for _, text in rows], name=name, mode="markers", marker=look, hoverinfo="text"
    )


def _choice(found: Exploration, choice: Mapping[str, int]) -> dict[str, str]:
    return {
        name: ", ".join(str(value) for keys in found.study.free[name][number].values() for value in keys.values())
        for name, number in choice.items()
    }


def _hover(
    name: str, settings: Mapping[str, str], figures: Mapping[str, float], estimate: Mapping[str, float] | None = None
) -> str:
    lines = [f"<b>{html.escape(name)}</b>", *(f"{key}: {html.escape(value)}" for key, value in settings.items())]
    for quantity, value in figures.items():
        beside = ""
        if estimate is not None and estimate[quantity] != value:
            beside = f" (estimated {shown_figure(quantity, estimate[quantity])})"
        lines.append(f"{quantity}: {shown_figure(quantity, value)} {QUANTITIES[quantity].unit}{beside}")
    return "<br>".join(lines)


def _axis(name: str) -> str:
    quantity = QUANTITIES[name]
    return f"{name}, {quantity.unit} ({quantity.meaning})" if quantity.unit else f"{name} ({quantity.meaning})"


def _table(found: Exploration) -> str:
    parameters, names = list(found.study.free), list(QUANTITIES)
    heads = ["engine", *parameters, *(f"{name}, {QUANTITIES[name].unit}".rstrip(", ") for name in names)]
    rows = [f"<tr>{''.join(f'<th>{html.escape(head)}</th>' for head in heads)}</tr>"]
    for name in found.front:
        point = found.points[name]
        cells = [name, *(setting(found, point, parameter) for parameter in parameters)]
        cells += [shown_figure(quantity, point.figures[quantity]) for quantity in names]
        rows.append(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>")
    return f"<table>{''.join(rows)}</table>"
