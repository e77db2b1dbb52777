"""Real value vectors as the integers that the engine stores."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hamming.golden.checks import require_int

__all__ = ["QuantizedValues", "quantize"]


class QuantizedValues(NamedTuple):
    """Integers, and what one unit of each element is worth: `v` is about `scale * integers`.

    Attributes
    ----------
    integers
        Signed integers of `value_bits`, `(..., n_keys, d_value)`.
    scale
        `(..., 1, d_value)`, positive. Output elements carry it too: `scale * out / 2**out_frac_bits`.
    """

    integers: NDArray[np.int16]
    scale: NDArray[np.float64]


def quantize(v: NDArray, value_bits: int = 8) -> QuantizedValues:
    """Round each element of the value vectors to `value_bits`, one scale an element for all keys.

    The largest magnitude of an element, over the keys, becomes `2**(value_bits - 1) - 1`; halves are rounded to
    even. A scale for each element costs the hardware nothing: attention's output is linear in the values, so that
    the scales multiply the rows of the matrix that the output is multiplied by next.

    Parameters
    ----------
    v
        Finite real numbers, `(..., n_keys, d_value)`.
    value_bits
        2 to 16.

    Raises
    ------
    ValueError
        `v` holds an infinity or NaN, or `value_bits` is out of range.
    """
    high = 2 ** (require_int("value_bits", value_bits, 2, 16) - 1) - 1
    v = np.asarray(v, np.float64)
    if not np.isfinite(v).all():
        raise ValueError(f"v must be finite, not {v[~np.isfinite(v)][0]}")
    largest = np.abs(v).max(axis=-2, keepdims=True, initial=0)
    scale = np.where(largest > 0, largest, high) / high
    return QuantizedValues(np.rint(v / scale).astype(np.int16), scale)
