"""What real queries do to an engine, as far as it depends on them: kept keys whose weight is not 0, keys that move in.

From the vectors that energies are measured with (`synth.energy.workload.real_vectors`), by the golden model's scores.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hamming.golden.spec import AttentionSpec
from hamming.rtl.dimensions import Dimensions
from hamming.synth.energy.workload import real_vectors

__all__ = ["Activity", "Insertions", "activity", "cycles_a_query", "insertions"]

#: Queries that are looked at, so many tokens apart, of each of as many streams.
_QUERIES, _APART, _STREAMS = 4, 8, 16

#: Keys that are looked at, at most, of more the first ones; and elements, of more so many, as if others were like them.
_MOST_KEYS, _MOST_ELEMENTS = 4096, 768


class Activity(NamedTuple):
    """Of a query, on average.

    Attributes
    ----------
    weighted
        Kept keys whose weight is not 0: they alone read values and move sums.
    digits
        Digits of their weights, radix 4, that are not 0 (`rtl.multiply`).
    """

    weighted: float
    digits: float


class Insertions(NamedTuple):
    """Of a query, on average: keys that are among the best so far when they come, and cycles that all keys take.

    A row takes a cycle for each of its keys that are, and one at least.
    """

    keys: float
    cycles: float


@functools.lru_cache(maxsize=64)
def _matches(d_head: int, n_keys: int) -> NDArray[np.int16]:
    """Return matches of queries and keys, `(n, n_keys)`."""
    d = min(d_head, _MOST_ELEMENTS)
    q, k, _ = real_vectors(
        d_head=d, d_value=1, n_keys=n_keys, n_queries=_QUERIES * _APART, n_streams=_STREAMS, value_bits=8
    )
    signs = [2 * a.astype(np.float32) - 1 for a in (q[:, ::_APART], k)]
    dots = signs[0] @ signs[1].swapaxes(1, 2)
    return ((dots + d) / 2 * (d_head / d)).astype(np.int16).reshape(-1, n_keys)


@functools.lru_cache(maxsize=256)
def _kept(d_head: int, n_keys: int, top_k: int) -> NDArray[np.int16]:
    """Return deficits of the kept keys, `(n, top_k)`, by rising index."""
    matches = _matches(d_head, n_keys)
    rank = matches.astype(np.int32) * n_keys + np.arange(n_keys)[::-1]
    best = np.sort(np.argpartition(-rank, top_k - 1, axis=1)[:, :top_k], axis=1)
    kept = np.take_along_axis(matches, best, axis=1)
    return matches.max(axis=1, keepdims=True) - kept


@functools.lru_cache(maxsize=256)
def _moves_in(d_head: int, n_keys: int, top_k: int) -> NDArray[np.bool_]:
    """Return which keys are among the `top_k` best of those up to them, `(n, n_keys)`."""
    matches = _matches(d_head, n_keys)
    better = np.zeros((len(matches), d_head + 1), np.int32)  # keys so far of at least so many matches
    levels, rows = np.arange(d_head + 1), np.arange(len(matches))
    found = np.zeros(matches.shape, bool)
    for key in range(n_keys):
        level = matches[:, key]
        found[:, key] = better[rows, level] < top_k
        better += levels <= level[:, None]
    return found


def insertions(spec: AttentionSpec, n_lanes: int) -> Insertions:
    """Return what a query of a transformer does to an insertion selector that takes `n_lanes` keys a row."""
    n_keys = min(spec.n_keys, _MOST_KEYS)
    moves = _moves_in(spec.d_head, n_keys, spec.top_k)
    rows = np.zeros((len(moves), -(-n_keys // n_lanes) * n_lanes), bool)
    rows[:, :n_keys] = moves
    in_row = rows.reshape(len(moves), -1, n_lanes).sum(axis=2)
    more = (spec.n_keys - n_keys) / n_lanes  # rows beyond those that are looked at, in which hardly a key moves in
    return Insertions(
        keys=float(moves.sum(axis=1).mean()), cycles=float(np.maximum(in_row, 1).sum(axis=1).mean()) + more
    )


def activity(spec: AttentionSpec) -> Activity:
    """Return what queries of a transformer do, over all keys, with the spec's first table."""
    n_keys = min(spec.n_keys, _MOST_KEYS)
    deficits = _kept(spec.d_head, n_keys, min(spec.top_k, n_keys))
    table = np.array(spec.tables[0], np.int64)
    n = len(deficits)
    return Activity(weighted=float((table[deficits] != 0).sum() / n), digits=float(_digits(table)[deficits].sum() / n))


def cycles_a_query(dims: Dimensions) -> float:
    """Return the cycles a query: by the formula, but for insertion of several lanes, where that is the most."""
    terms: dict[str, float] = {**dims.cycle_terms()}
    if dims.config.selector == "insertion" and dims.n_lanes > 1:
        terms["select"] = max(insertions(dims.spec, dims.n_lanes).cycles, dims.spec.top_k)
    return max(terms.values())


def _digits(weights: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many digits of each weight, -1, 0, 1 or 2 in radix 4, are not 0."""
    found, left = np.zeros_like(weights), weights.copy()
    while left.any():
        digit = left & 3
        found += digit != 0
        left = (left >> 2) + (digit == 3)
    return found
