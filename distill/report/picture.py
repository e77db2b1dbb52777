"""The picture of `docs/hardware-accuracy.md`: accuracy against energy, a panel for each task."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hamming.distill.report.price import Price, prices
from hamming.distill.report.tables import read
from hamming.synth import plots

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw", "sampling_error"]

#: Labels of engines that are nearer than this, in percent of energy, turn away from each other; where they are nearer
#: than the second, the later one's label is above the other.
_NEAR, _NEARER_THAN_A_LABEL = 2.0, 4.0


#: From a label that is above another one, down to its line.
_LEADER = {"arrowstyle": "-", "color": plots.FAINT, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0, "relpos": (0.5, 0)}


def sampling_error(accuracy: float, items: int) -> float:
    """Return the standard error of an accuracy that was counted on `items` test items."""
    return math.sqrt(accuracy * (1 - accuracy) / items)


def draw(path: Path, found: Sequence[Price] | None = None, items: dict[str, int] | None = None) -> None:
    """Draw each engine as a point with its sampling error, and the teacher as a level; write `path`, as SVG.

    Standard attention, which comes last in `found`, is the level that is lost from: on the axis of energy it would be
    alone at its end.

    Parameters
    ----------
    path
        Of the picture.
    found
        `price.prices()` by default.
    items
        Test items by run; those of the kept results by default.
    """
    *engines, baseline = prices() if found is None else found
    items = {run: seeds[0]["items"] for run, seeds in read("widths").items()} if items is None else items
    limits = [_limits(run, [*engines, baseline], items[run]) for run in baseline.accuracy]
    title = "Accuracy against the energy of a query: a point for each table's form, standard attention as a level"
    heights = [high - low for low, high in limits]
    with plots.drawn(path, title, width=8, height=1.3 + 1.1 * sum(heights), rows=heights) as places:
        tasks = zip(places, baseline.accuracy.items(), limits, plots.SERIES, strict=False)
        for place, (run, teacher), limit, colour in tasks:
            place.set_ylim(limit)
            _draw_task(place, run, teacher, engines, items[run], colour)
        _name_engines(places, engines)
        places[-1].set_xlabel("energy of a query, % of standard attention's of int8")
        places[-1].figure.supylabel("accuracy, %", fontsize="medium", color=plots.INK)


def _limits(run: str, found: Sequence[Price], items: int) -> tuple[float, float]:
    """Return the lowest and highest accuracy to show, in percent: all points with their errors."""
    accuracies = [price.accuracy[run] for price in found if run in price.accuracy]
    lowest = min(accuracy - sampling_error(accuracy, items) for accuracy in accuracies)
    return 100 * lowest - 0.15, 100 * max(accuracies) + 0.35


def _draw_task(place: Axes, run: str, teacher: float, engines: Sequence[Price], items: int, colour: str) -> None:
    there = [engine for engine in engines if run in engine.accuracy]
    place.errorbar(
        [100 * engine.energy_share for engine in there],
        [100 * engine.accuracy[run] for engine in there],
        yerr=[100 * sampling_error(engine.accuracy[run], items) for engine in there],
        fmt="o",
        color=colour,
        elinewidth=1,
        capsize=3,
    )
    place.axhline(100 * teacher, color=colour, linewidth=1.2, linestyle=(0, (6, 4)))
    level = f"standard attention of int8, at 100 % of the energy: {100 * teacher:.2f} %"
    near: dict[str, Any] = {"textcoords": "offset points", "color": colour}
    place.annotate(
        level, (1, 100 * teacher), (0, 3), xycoords=("axes fraction", "data"), ha="right", va="bottom", **near
    )
    last = (100 * there[-1].energy_share, 100 * there[-1].accuracy[run])
    place.annotate(f"{run}\n{items:,} test items", last, (14, 0), va="center", weight="bold", **near)


def _name_engines(places: Sequence[Axes], engines: Sequence[Price]) -> None:
    """Write the engines over the uppermost panel, each above a line through all panels."""
    xs = [100 * engine.energy_share for engine in engines]
    places[0].set_xlim(min(xs) - 3, max(xs) + 10)
    for place in places:
        place.grid(axis="x", visible=False)
        low, high = (2 * limit for limit in place.get_ylim())
        place.set_yticks([half / 2 for half in range(math.ceil(low), math.floor(high) + 1)])
        for x in xs:
            place.axvline(x, color=plots.FAINT, linewidth=0.8, zorder=0)
    above: dict[str, Any] = {"textcoords": "offset points", "va": "bottom"}
    places[0].annotate("weights:", (0, 1), (-4, 3), xycoords="axes fraction", ha="right", **above)
    gaps = [math.inf, *(b - a for a, b in itertools.pairwise(xs)), math.inf]
    for x, engine, before, after in zip(xs, engines, gaps, gaps[1:], strict=False):
        side = "left" if before < _NEAR else "right" if after < _NEAR else "center"
        raised = _NEAR <= before < _NEARER_THAN_A_LABEL
        where: dict[str, Any] = {"xytext": (0, 30), "arrowprops": _LEADER} if raised else {"xytext": (0, 3)}
        title = engine.title.replace(", ", "\n")
        places[0].annotate(title, (x, 1), xycoords=("data", "axes fraction"), ha=side, **where, **above)
