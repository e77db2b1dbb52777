"""Coefficients of the estimate, from measured points: `python -m hamming.synth.estimate.fit`.

Points of `HELD_OUT` are not fitted to; what the estimate is off there is its error, kept beside the coefficients.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from scipy.optimize import nnls

from hamming.synth.estimate import points
from hamming.synth.estimate.fit_ways import fit_ways
from hamming.synth.estimate.limits import sizes
from hamming.synth.estimate.measured import ALL, CAUSES, Measured, compared, measured
from hamming.synth.estimate.model import MODEL, Model
from hamming.synth.estimate.model import model as kept_model
from hamming.synth.estimate.structure import blocks
from hamming.synth.estimate.terms import Terms

__all__ = ["HELD_OUT", "coefficients", "errors", "fit", "make", "markdown"]

#: Numbers of the points that neither the fit nor who made the formulas has seen.
HELD_OUT = (*range(12, 40), *range(56, 68))

#: Blocks whose errors a document shows.
_SHOWN = ("score", "selector", "replay", "softmax", "weighted_sum", "normalizer", "fetch")

#: A block counts by its relative error, down to this share of the design's figure.
_LEAST_SHARE = 0.05


def fit(known: Sequence[Measured]) -> dict[str, Any]:
    """Return the fields of a `Model`: coefficients not below 0, of least squares of the relative error.

    A block's figure counts by its share of the design's, so that large blocks are met best.
    """
    made = [blocks(point.design.dimensions) for point in known]
    area, energy, idle = {}, {}, {}
    for name in sorted({block for one in made for block, terms in one.items() if terms}):
        here = [(one[name], point) for one, point in zip(made, known, strict=True) if one[name]]
        area[name] = coefficients(
            [
                ({kind: term.amount for kind, term in terms.items() if term.takes_area}, point.area.get(name, 0.0))
                for terms, point in here
            ],
            [sum(point.area.values()) for _, point in here],
        )
        energy[name], idle[name] = _energy(name, [(terms, point) for terms, point in here if point.energy])
    return {"area": area, "energy": energy, "idle": idle, "period": fit_ways(known)}


def _energy(name: str, here: Sequence[tuple[Terms, Measured]]) -> tuple[dict[str, float], float]:
    """Fit what each cause takes, and return the sum: by kind, pJ a use, and pJ a µm² and cycle.

    Where the sum of a block's causes alone is known, what moves is what clock and leakage leave of it.
    """
    wholes = [sum(sum(causes.values()) for causes in point.energy.values()) for _, point in here]
    total: dict[str, float] = {}
    for cause in CAUSES:
        rows, of = [], []
        for (terms, point), whole in zip(here, wholes, strict=True):
            used = {kind: term.amount * term.uses for kind, term in terms.items()}
            idle = {"": point.area.get(name, 0.0) * point.cycles}
            known = point.energy.get(name, dict.fromkeys(CAUSES, 0.0))
            if ALL in known and cause == CAUSES[-1]:
                rest = known[ALL] - sum(total.get(kind, 0.0) * value for kind, value in (used | idle).items())
                rows.append((used, max(rest, 0.0)))
                of.append(whole)
            elif ALL not in known:
                rows.append((idle if cause == "leakage" else used, known[cause]))
                of.append(whole)
        for kind, value in coefficients(rows, of).items():
            total[kind] = total.get(kind, 0.0) + value
    return {kind: value for kind, value in total.items() if kind}, total.get("", 0.0)


def errors(model: Model, held_out: Sequence[Measured]) -> dict[str, dict[str, float]]:
    """Return how far a model is off, as shares, mean and worst: of area, energy, period, and of each block."""
    off: dict[str, list[float]] = {}
    for point in held_out:
        found = model.estimate(point.design)
        areas, energies = sum(point.area.values()), sum(sum(causes.values()) for causes in point.energy.values())
        for name, value, right in (
            ("area", found.area, areas),
            ("energy", found.energy, energies),
            ("period", found.period, point.period),
        ):
            off.setdefault(name, []).append(abs(value / right - 1))
        for block in found.blocks:
            for name, value, right in (
                (f"area of {block.name}", block.area, point.area.get(block.name, 0.0)),
                (f"energy of {block.name}", block.energy, sum(point.energy.get(block.name, {}).values())),
            ):
                if right:
                    off.setdefault(name, []).append(abs(value / right - 1))
    return {
        name: {"mean": float(np.mean(values)), "worst": max(values), "of": len(values)} for name, values in off.items()
    }


def coefficients(rows: Sequence[tuple[dict[str, float], float]], wholes: Sequence[float]) -> dict[str, float]:
    """Return what one of each kind takes, from rows of amounts and sums: least squares of relative errors.

    `wholes` are the figures of the designs that the sums are of: a sum counts by its share, down to `_LEAST_SHARE`.
    """
    names = sorted({kind for amounts, _ in rows for kind, value in amounts.items() if value})
    if not names:
        return {}
    weight = np.array([1 / max(value, _LEAST_SHARE * whole) for (_, value), whole in zip(rows, wholes, strict=True)])
    matrix = np.array([[amounts.get(kind, 0.0) for kind in names] for amounts, _ in rows]) * weight[:, None]
    scale = np.abs(matrix).max(axis=0)
    found, _ = nnls(matrix / scale, np.array([value for _, value in rows]) * weight)
    return {kind: float(value) for kind, value in zip(names, found / scale, strict=True) if value > 0}


def make() -> Model:
    """Fit a model to the points that are there, and hold it against those that are held out."""
    rows = points.read()
    known = measured([row for row in rows if row["number"] not in HELD_OUT]) + compared()
    held_out = measured([row for row in rows if row["number"] in HELD_OUT])
    seen = [sizes(point.design) for point in known]
    ranges = {name: (min(one[name] for one in seen), max(one[name] for one in seen)) for name in seen[0]}
    made_of = {
        "points": len(known),
        "held out": len(held_out),
        "clock_ghz": points.CLOCK_GHZ,
        "library_sha256": sorted({row["library_sha256"] for row in rows}),
        "versions": rows[0]["versions"],
    }
    fitted = fit(known)
    model = Model(**fitted, ranges=ranges, errors={}, made_of=made_of)
    return dataclasses.replace(model, errors=errors(model, held_out))


def markdown(model: Model) -> str:
    """Lay out, for a document, how far a model is off: all of the logic, and blocks that are more than small change."""
    lines = ["| figure | mean error | worst | engines |", "|---|---:|---:|---:|"]
    for name, found in model.errors.items():
        if " of " not in name or name.partition(" of ")[2] in _SHOWN:
            figure = "clock" if name == "period" else name
            lines.append(f"| {figure} | {found['mean']:.1%} | {found['worst']:.1%} | {found['of']} |")
    return "\n".join(lines) + "\n"


@click.command()
@click.option("--output", type=click.Path(path_type=Path), default=MODEL, show_default=True)
@click.option("--markdown", "only_print", is_flag=True, help="Print the kept errors for a document, and fit nothing.")
def main(output: Path, only_print: bool) -> None:
    """Fit the estimate to the points in synth/estimate/points.json, and write its coefficients."""
    if only_print:
        click.echo(markdown(kept_model()), nl=False)
        return
    model = make()
    output.write_text(json.dumps(dataclasses.asdict(model), indent=1) + "\n", encoding="utf-8")
    click.echo(markdown(model), nl=False)


if __name__ == "__main__":
    main()
