"""Standard attention in integers: what the baseline that the engine is compared with computes, to the last bit.

A `StandardSpec` and integer queries, keys and values in; outputs, levels and weights out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hamming.golden.standard.spec import StandardSpec
from hamming.golden.weighted_sum import divide_half_up

__all__ = ["StandardAttention", "attend_standard", "digits", "score_bias"]


def digits(x: ArrayLike, n_digits: int = 4) -> NDArray[np.int64]:
    """Return `(..., n_digits)` digits of radix 4, lowest first: `x = sum(d[n] * 4**n)`.

    All but the highest are -1, 0, 1 or 2; the highest is what is left: -2 to 2, of weights 0 to 2.
    """
    rest = np.array(x, np.int64)
    found = []
    for _ in range(n_digits - 1):
        digit = (rest + 1) % 4 - 1
        found.append(digit)
        rest = (rest - digit) // 4
    return np.stack([*found, rest], axis=-1)


def score_bias(spec: StandardSpec, q: ArrayLike) -> NDArray[np.int64]:
    """What is added to all scores of a query `(..., d_head)`: `(...)`.

    Keys are stored with an offset of 128 (8, of 4 bits), and where a digit `-d` of the query is negative,
    `d * (255 - key)` stands for `-d * key`. The partial products are added as complements. None of the three is
    corrected, since the softmax sees only differences::

        bias(q) = 128 * sum(q[i]) + 255 * sum(n[i]) + 2**score_bits - 1 - d_head * 511 * 85     (8 bits)
        bias(q) =   8 * sum(q[i]) +  15 * sum(n[i]) + 2**score_bits - 1 - d_head *  31 *  5     (4 bits)

    `n[i]` is what the negative digits of `q[i]` stand for: `sum(-d * 4**n for its digits d < 0)`.
    """
    q = np.asarray(q, np.int64)
    bits, n_digits = spec.element_bits, spec.n_digits
    negative = np.maximum(-digits(q, n_digits), 0) @ 4 ** np.arange(n_digits)
    offset = 2 ** (bits - 1) * q + (2**bits - 1) * negative
    return offset.sum(axis=-1) + 2**spec.score_bits - 1 - spec.d_head * spec.row_ones


@dataclass(frozen=True, kw_only=True, eq=False)
class StandardAttention:
    """What `attend_standard` found for each query.

    Attributes
    ----------
    out
        Output, `(..., n_queries, d_value)`: signed integers of `out_bits`, as of `golden.attention.Attention`.
    level
        Level of each key, `(..., n_queries, n_keys)`; -1 where the query does not see it.
    weight
        Weight of each key, same shape; 0 where the query does not see it, or it is not kept.
    is_empty
        True where the query sees no key, `(..., n_queries)`.
    """

    out: NDArray[np.int64]
    level: NDArray[np.int64]
    weight: NDArray[np.int64]
    is_empty: NDArray[np.bool_]


def attend_standard(
    spec: StandardSpec, q: ArrayLike, k: ArrayLike, v: ArrayLike, *, n_valid: ArrayLike | None = None
) -> StandardAttention:
    """Attend as `spec` says, exactly.

    Parameters
    ----------
    spec
        The arithmetic.
    q
        Queries, signed integers of `element_bits`, `(..., n_queries, d_head)`.
    k
        Keys, `(..., n_keys, d_head)`, as many as there are, at most the spec's `n_keys`.
    v
        Value vectors, `(..., n_keys, d_value)`.
    n_valid
        A query sees the keys whose index is below it: integers that broadcast to `(..., n_queries)`. None: all.

    Raises
    ------
    TypeError
        An array is not of integers.
    ValueError
        A shape does not fit, or an element is out of range.
    """
    q = _integers("q", q, spec.d_head, spec.element_bits)
    k = _integers("k", k, spec.d_head, spec.element_bits)
    v = _integers("v", v, spec.d_value, spec.element_bits)
    n_keys = k.shape[-2]
    if n_keys > spec.n_keys:
        raise ValueError(f"k must have at most n_keys = {spec.n_keys} keys, not {n_keys}")
    if v.shape[-2] != n_keys:
        raise ValueError(f"v must have a vector for each of the {n_keys} keys, not {v.shape[-2]}")
    # Sums stay below 2**53, so that products of float64 are exact, and faster than those of integers.
    score = (q.astype(np.float64) @ k.astype(np.float64).swapaxes(-1, -2)).astype(np.int64)
    seen = np.arange(n_keys) < _n_valid(n_valid, n_keys, score.shape[:-1])[..., None]
    level = np.where(seen, (score + score_bias(spec, q)[..., None]) >> spec.score_shift, -1)
    distance = np.minimum(level.max(axis=-1, keepdims=True, initial=-1) - level, len(spec.weights) - 1)
    is_kept = seen if spec.top_k is None else seen & _is_nearest(distance, seen, spec.top_k)
    weight = np.where(is_kept, np.asarray(spec.weights, np.int64)[distance], 0)
    acc = (weight.astype(np.float64) @ v.astype(np.float64)).astype(np.int64)
    weight_sum = weight.sum(axis=-1, keepdims=True)
    return StandardAttention(
        out=divide_half_up(acc << spec.out_frac_bits, np.maximum(weight_sum, 1)),
        level=level,
        weight=weight,
        is_empty=~seen.any(axis=-1),
    )


def _is_nearest(distance: NDArray[np.int64], seen: NDArray[np.bool_], top_k: int) -> NDArray[np.bool_]:
    """Return whether a key is among the `top_k` of least distance, the lower index first among equals."""
    n_keys = distance.shape[-1]
    order = np.argsort(np.where(seen, distance, np.iinfo(np.int64).max), axis=-1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.broadcast_to(np.arange(n_keys), order.shape), axis=-1)
    return rank < top_k


def _integers(name: str, x: ArrayLike, length: int, bits: int) -> NDArray[np.int64]:
    x = np.asarray(x)
    if x.dtype.kind not in "iu":
        raise TypeError(f"{name} must be integers, not {x.dtype}")
    if x.ndim < 2 or x.shape[-1] != length:
        raise ValueError(f"{name} must have a last axis of {length}, not a shape of {x.shape}")
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    for extreme in (int(x.min()), int(x.max())) if x.size else ():
        if not low <= extreme <= high:
            raise ValueError(f"{name} must be {low} to {high}, not {extreme}")
    return x.astype(np.int64)


def _n_valid(n_valid: ArrayLike | None, n_keys: int, shape: tuple[int, ...]) -> NDArray[np.int64]:
    n_valid = np.asarray(n_keys if n_valid is None else n_valid)
    if n_valid.dtype.kind not in "iu":
        raise TypeError(f"n_valid must be integers, not {n_valid.dtype}")
    if n_valid.size and not 0 <= n_valid.min() <= n_valid.max() <= n_keys:
        raise ValueError(f"n_valid must be 0 to {n_keys}, not {n_valid.min()} to {n_valid.max()}")
    return np.broadcast_to(n_valid, shape)
