"""Fronts: the designs to which no other is better in everything that counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hamming.explore.quantities import QUANTITIES

__all__ = ["dominates", "front_of", "ranks", "signed", "spread"]


def signed(figures: Mapping[str, float], objectives: Sequence[str]) -> list[float]:
    """Return what is to be small: the objectives, of those of which more is better the negative."""
    return [-figures[name] if QUANTITIES[name].more_is_better else figures[name] for name in objectives]


def dominates(one: Mapping[str, float], other: Mapping[str, float], objectives: Sequence[str]) -> bool:
    """Return whether one design is nowhere worse than another, and somewhere better."""
    pairs = list(zip(signed(one, objectives), signed(other, objectives), strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def ranks(points: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the front that each point, `(n, n_objectives)`, small is good, is in: 0 is the first.

    Front `i` is what no point is better than when those of the fronts before are taken away.
    """
    left, found, rank = np.arange(len(points)), np.zeros(len(points), np.int64), 0
    while len(left):
        here = points[left]
        is_first = np.array(
            [not ((here <= point).all(axis=1) & (here < point).any(axis=1)).any() for point in here], bool
        )
        found[left[is_first]] = rank
        left, rank = left[~is_first], rank + 1
    return found


def front_of(figures: Sequence[Mapping[str, float]], objectives: Sequence[str]) -> list[int]:
    """Return the numbers of the designs on the front, of those that are alike the first."""
    points = np.array([signed(one, objectives) for one in figures]).reshape(-1, len(objectives))
    first = {tuple(point): n for n, point in reversed(list(enumerate(points.tolist())))}
    return [n for n in np.flatnonzero(ranks(points) == 0).tolist() if first[tuple(points[n].tolist())] == n]


def spread(points: NDArray[np.float64], n: int) -> list[int]:
    """Choose `n` points, front by front; of the front that is too large those that lie furthest apart.

    The least of each objective come first, then always the one that is furthest from all chosen, objectives scaled to
    the range that the front has.
    """
    rank, chosen = ranks(points), list[int]()
    for front in range(int(rank.max(initial=-1)) + 1):
        here = np.flatnonzero(rank == front)
        if len(chosen) + len(here) <= n:
            chosen += here.tolist()
            continue
        chosen += here[_apart(points[here], n - len(chosen))].tolist()
        break
    return chosen


def _apart(points: NDArray[np.float64], n: int) -> list[int]:
    if n <= 0:
        return []
    span = np.ptp(points, axis=0)
    scaled = (points - points.min(axis=0)) / np.where(span > 0, span, 1)
    chosen = list(dict.fromkeys(np.argmin(scaled, axis=0).tolist()))[:n]
    while len(chosen) < n:
        distance = np.linalg.norm(scaled[:, None] - scaled[chosen], axis=2).min(axis=1)
        chosen.append(int(np.argmax(distance)))
    return chosen
