"""Real queries, keys and values in; the baseline's integers, and what a unit of each is worth, out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hamming.golden.values import quantize

__all__ = ["QuantizedInputs", "quantize_inputs"]


@dataclass(frozen=True, kw_only=True, eq=False)
class QuantizedInputs:
    """Integers for `attend_standard`, and what they stand for.

    Attributes
    ----------
    q, k, v
        Signed integers.
    v_scale
        What a unit of each value element is worth, `(..., 1, d_value)`; outputs carry it too.
    logit_scale
        What a unit of a score adds to a logit, `(...)`.
    """

    q: NDArray[np.int16]
    k: NDArray[np.int16]
    v: NDArray[np.int16]
    v_scale: NDArray[np.float64]
    logit_scale: NDArray[np.float64]


def quantize_inputs(
    q: ArrayLike, k: ArrayLike, v: ArrayLike, *, element_bits: int = 8, clip: float | None = None
) -> QuantizedInputs:
    """Round real queries, keys and values to integers, symmetrically.

    Queries and keys have one scale a head; values one an element (`golden.values.quantize`).

    Parameters
    ----------
    q, k
        Finite real numbers, `(..., n_queries, d_head)` and `(..., n_keys, d_head)`.
    v
        `(..., n_keys, d_value)`.
    element_bits
        Bits of an integer.
    clip
        Magnitude of queries and keys, in roots of their mean square, that is rounded to the largest integer; larger
        ones are clipped. None: the largest magnitude.
    """
    high = 2 ** (element_bits - 1) - 1
    (q_integers, q_scale), (k_integers, k_scale) = (_symmetric(name, x, high, clip) for name, x in (("q", q), ("k", k)))
    values = quantize(np.asarray(v), element_bits)
    return QuantizedInputs(
        q=q_integers,
        k=k_integers,
        v=values.integers,
        v_scale=values.scale,
        logit_scale=q_scale * k_scale / math.sqrt(q_integers.shape[-1]),
    )


def _symmetric(name: str, x: ArrayLike, high: int, clip: float | None) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    x = np.asarray(x, np.float64)
    if not np.isfinite(x).all():
        raise ValueError(f"{name} must be finite, not {x[~np.isfinite(x)][0]}")
    largest = np.abs(x).max(axis=(-2, -1), initial=0)
    if clip is not None:
        largest = np.minimum(largest, clip * np.sqrt((x**2).mean(axis=(-2, -1))))
    scale = np.where(largest > 0, largest, high) / high
    return np.clip(np.rint(x / scale[..., None, None]), -high, high).astype(np.int16), scale
