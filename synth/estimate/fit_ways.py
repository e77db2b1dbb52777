"""What the parts of ways take, from the slowest path to each block of measured engines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from hamming.synth.estimate.measured import Measured
from hamming.synth.estimate.ways import way_of, ways

__all__ = ["fit_ways"]

#: Periods up to here meet the clock that gates are sized for.
_MET = 1.005

#: How much a time within the clock counts, and how much it counts that parts take what is guessed: ns each.
_WEIGHT_OF_MET = 0.05
_RIDGE = 0.05
_GUESS = 0.03
_GUESSES = {
    "": 0.2,
    "access": 1.0,
    "full adders": 0.075,
    "cells": 0.08,
    "insertion: lanes": 0.12,
    "list": 0.07,
    "loadable": 0.1,
    "rom": 0.06,
    "scores": 0.06,
}


def fit_ways(known: Sequence[Measured]) -> dict[str, dict[str, float]]:
    """Fit each way to the points in which it is the slowest to its block; in the others it is no slower than that one.

    What is within the clock may have had its gates sized for it: there no more is known than that it is.
    """
    made = [ways(point.design.dimensions) for point in known]
    met = [point.period for point in known if point.period <= _MET]
    found: dict[str, dict[str, float]] = {"least": {"": float(np.mean(met)) if met else 1.0}}
    for name in sorted({way for one in made for way in one}):
        end = name.partition(" > ")[2]
        rows = []
        for parts, point in zip(made, known, strict=True):
            if name not in parts:
                continue
            selector = point.design.config.selector
            here = [time for (start, at), time in point.paths.items() if way_of(start, at, selector) == name]
            others = [time for (_, at), time in point.paths.items() if at == end]
            rows.append((parts[name], max(here, default=0.0), max(here or others, default=point.period)))
        if any(low > 0 for _, low, _ in rows):
            found[name] = _way(rows)
    return found


def _way(rows: Sequence[tuple[dict[str, float], float, float]]) -> dict[str, float]:
    """Fit what a way's parts take, to parts, least and most of its time, beginning with `_GUESSES`."""
    names = ["", *sorted({part for parts, _, _ in rows for part in parts})]
    matrix = np.array([[1.0, *(parts.get(part, 0.0) for part in names[1:])] for parts, _, _ in rows])
    low, high = (np.array([row[n] for row in rows]) for n in (1, 2))
    scale = matrix.max(axis=0)
    guess = np.array([_GUESSES.get(part, _GUESS) for part in names]) * scale
    # Below the clock a time is what sizing left of it: it counts little. Above it counts whole.
    weight = np.where(low > _MET, 1.0, _WEIGHT_OF_MET)

    def loss(each: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        time = matrix @ (each / scale)
        off = np.where(low > 0, time - low, 0.0)
        over = np.maximum(0.0, time - np.maximum(high, 1.0))
        slope = 2 * (weight * off + over) @ (matrix / scale) + 2 * _RIDGE * (each - guess)
        return float((weight * off**2).sum() + (over**2).sum() + _RIDGE * ((each - guess) ** 2).sum()), slope

    found = minimize(loss, guess, jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(names))
    return {part: float(value) for part, value in zip(names, found.x / scale, strict=True) if value > 1e-9}
