"""What accuracy costs: the softmax table's form beside the engine's area and energy.

Accuracies are those of `distill/report/results/hardware`, areas and energies those of `synth/compare/results`
(`hamming compare`). A model's accuracy and an engine's energy are matched by their widths; the engine is the
comparison's, whatever the model's own shape.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from hamming.distill.method.quantize import Widths
from hamming.distill.report.tables import read
from hamming.synth.compare.comparison import Comparison
from hamming.synth.compare.design_figures import DesignFigures
from hamming.synth.compare.results import read as read_comparisons

__all__ = ["Price", "markdown", "prices"]

#: The comparison that is shown.
COMPARISON = "bert"


@dataclass(frozen=True, kw_only=True)
class Price:
    """An engine, and what models keep on it.

    Attributes
    ----------
    title
        Of the engine's weights, or of the baseline.
    area, energy
        Of logic: µm², and pJ a query.
    area_share, energy_share
        Of the baseline's.
    accuracy
        By run, mean over its seeds; of the baseline, the teacher's.
    """

    title: str
    area: float
    energy: float
    area_share: float
    energy_share: float
    accuracy: dict[str, float]


def prices(comparison: Comparison | None = None) -> list[Price]:
    """Return the comparison's engines, cheapest first, then its baseline.

    An engine whose widths no run was evaluated with is left out.
    """
    comparison = read_comparisons()[COMPARISON] if comparison is None else comparison
    measured = read("widths")
    found = []
    for design in comparison.of_kind("hamming"):
        accuracy = _accuracy(measured, _widths(design))
        if accuracy:
            found.append(_price(_title(_widths(design)), design, comparison, accuracy))
    found.sort(key=lambda price: price.energy)
    teachers = {
        run: fmean(one["accuracy"]["teacher"] for one in seeds)
        for run, seeds in read("evaluate").items()
        if run in measured and all("teacher" in one["accuracy"] for one in seeds)
    }
    return [*found, _price("standard attention, int8; the teacher", comparison.standard, comparison, teachers)]


def _price(title: str, design: DesignFigures, comparison: Comparison, accuracy: dict[str, float]) -> Price:
    standard = comparison.standard
    return Price(
        title=title,
        area=design.area,
        energy=design.energy,
        area_share=design.area / standard.area,
        energy_share=design.energy / standard.energy,
        accuracy=accuracy,
    )


def _widths(design: DesignFigures) -> Widths:
    spec = design.spec
    is_shift = all(weight & (weight - 1) == 0 for weight in spec["weights"])
    widths = {key: spec[key] for key in ("weight_bits", "value_bits", "out_frac_bits")}
    return Widths(**widths, weight_form="power_of_two" if is_shift else None)


def _title(widths: Widths) -> str:
    values = "" if widths.value_bits == Widths().value_bits else f", values of {widths.value_bits}"
    return f"{widths.weight_bits} bits{values}{', powers of two' if widths.weight_form else ''}"


def _accuracy(measured: dict[str, list[Any]], widths: Widths) -> dict[str, float]:
    """Mean accuracy by run at these widths."""
    found: dict[str, float] = {}
    for run, seeds in measured.items():
        points = [point for one in seeds for point in one["points"]]
        at = [point["accuracy"] for point in points if all(point[key] == value for key, value in vars(widths).items())]
        if at:
            found[run] = fmean(at)
    return found


def markdown() -> Iterator[str]:
    """Give the table."""
    found = prices()
    runs = list(read("widths"))
    heads = ("logic, µm²", "of int8's", "pJ a query", "of int8's", *(f"`{run}`, %" for run in runs))
    yield f"| weights | {' | '.join(heads)} |"
    yield f"|---|{'---:|' * len(heads)}"
    for price in found:
        accuracies = [f"{100 * price.accuracy[run]:.2f}" if run in price.accuracy else "" for run in runs]
        figures = [
            f"{price.area:,.0f}",
            f"{price.area_share:.1%}",
            f"{price.energy:,.0f}",
            f"{price.energy_share:.1%}",
        ]
        yield f"| {price.title} | {' | '.join([*figures, *accuracies])} |"
