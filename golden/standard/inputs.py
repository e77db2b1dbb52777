"""Real queries, keys and values in; the baseline's int8 ones, and what a unit of each is worth, out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hamming.golden.standard.spec import ELEMENT_BITS
from hamming.golden.values import quantize

__all__ = ["QuantizedInputs", "quantize_inputs"]


@dataclass(frozen=True, kw_only=True, eq=False)
class QuantizedInputs:
    """Integers for `attend_standard`, and what they stand for.

    Attributes
    ----------
    q, k, v
        Signed integers of 8 bits.
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


def quantize_inputs(q: ArrayLike, k: ArrayLike, v: ArrayLike) -> QuantizedInputs:
    """Round real queries, keys and values to 8 bits, symmetrically.

    Queries and keys have one scale a head, with the largest magnitude at 127; values one an element
    (`golden.values.quantize`).

    Parameters
    ----------
    q, k
        Finite real numbers, `(..., n_queries, d_head)` and `(..., n_keys, d_head)`.
    v
        `(..., n_keys, d_value)`.
    """
    (q_integers, q_scale), (k_integers, k_scale) = _symmetric("q", q), _symmetric("k", k)
    values = quantize(np.asarray(v), ELEMENT_BITS)
    return QuantizedInputs(
        q=q_integers,
        k=k_integers,
        v=values.integers,
        v_scale=values.scale,
        logit_scale=q_scale * k_scale / math.sqrt(q_integers.shape[-1]),
    )


def _symmetric(name: str, x: ArrayLike) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    x = np.asarray(x, np.float64)
    if not np.isfinite(x).all():
        raise ValueError(f"{name} must be finite, not {x[~np.isfinite(x)][0]}")
    largest = np.abs(x).max(axis=(-2, -1), initial=0)
    scale = np.where(largest > 0, largest, 127) / 127
    return np.rint(x / scale[..., None, None]).astype(np.int16), scale
