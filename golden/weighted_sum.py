"""The weighted mean of the kept keys' values: integer sums, and one exactly rounded division."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hamming.golden.spec import AttentionSpec

__all__ = ["divide_half_up", "normalize", "sum_type", "weighted_sum"]


def sum_type(spec: AttentionSpec) -> type[np.float32] | type[np.float64] | type[np.int64]:
    """The fastest type in which every sum of `top_k` products is exact, in any order.

    No partial sum exceeds `top_k` times the largest weight times `2**(value_bits - 1)`. Integers are exact in a float32
    up to `2**24` and in a float64 up to `2**53`, so that matrix products of floats, which are many times as fast as
    those of integers, round nothing. Beyond them int64 holds what a spec allows.
    """
    largest = spec.top_k * max(table[0] for table in spec.tables) << (spec.value_bits - 1)
    if largest <= 2**24:
        return np.float32
    return np.float64 if largest <= 2**53 else np.int64


def weighted_sum(
    spec: AttentionSpec, weight: NDArray[np.int64], index: NDArray[np.int64], v: NDArray
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sum the kept keys' values, and their weights.

    `acc[..., i] = sum_j(weight[..., j] * v[..., index[..., j], i])` and `weight_sum = sum_j(weight[..., j])`.

    Parameters
    ----------
    spec
        Bounds the sums.
    weight, index
        `(..., n_queries, top_k)`; an index of -1 has weight 0.
    v
        Value vectors, `(..., n_keys, d_value)`, with the same leading axes and at least one key; numbers
        that are integers, of any type.

    Returns
    -------
    `acc`, `(..., n_queries, d_value)`, and `weight_sum`, `(..., n_queries)`.
    """
    n_keys, d_value = v.shape[-2:]
    rows = v.astype(sum_type(spec), copy=False).reshape(-1, d_value)
    first_row = np.arange(0, len(rows), n_keys).reshape(*v.shape[:-2], 1, 1)
    # Row -1, of a key that is not there, is some row: its weight is 0.
    kept = rows.take(first_row + index, axis=0)
    acc = weight[..., None, :].astype(rows.dtype) @ kept
    return acc[..., 0, :].astype(np.int64), weight.sum(axis=-1)


def divide_half_up(
    numerator: NDArray[np.int64], denominator: NDArray[np.int64], *, n_bits: int = 64
) -> NDArray[np.int64]:
    """`floor(numerator / denominator + 1/2)`: the nearest integer, halves towards plus infinity, exactly.

    `denominator` is positive; `2 * numerator + denominator` and `2 * denominator` must fit `n_bits`, signed, and 64.

    Up to 53 bits it divides in float64, several times as fast as int64, and exact too. Let `a / b` be the quotient of
    the two, and `k` the integer above it: `k - a / b >= 1 / b`, while rounding adds `abs(k) * 2**-53` at most, which is
    less, since `abs(k) * b <= abs(a) + b < 2**53`. So no quotient is rounded up to an integer that it is below.
    """
    a, b = 2 * numerator + denominator, 2 * denominator
    return np.floor(a / b).astype(np.int64) if n_bits <= 53 else a // b


def normalize(spec: AttentionSpec, acc: NDArray[np.int64], weight_sum: NDArray[np.int64]) -> NDArray[np.int64]:
    """`out = floor(2**out_frac_bits * acc / weight_sum + 1/2)`, and 0 where no key was kept (`weight_sum` is 0).

    Parameters
    ----------
    acc, weight_sum
        As `weighted_sum` returns them: `(..., n_queries, d_value)` and `(..., n_queries)`.
    """
    numerator, denominator = acc << spec.out_frac_bits, np.maximum(weight_sum, 1)[..., None]
    return divide_half_up(numerator, denominator, n_bits=spec.numerator_bits)
