"""bfloat16 as the baseline's hardware computes with it: one exact operation at a time, rounded to nearest, even.

Numbers are bit patterns outside (sign, 8 bits of exponent, 7 of fraction), and inside, between operations, the same
numbers in float64. A sum, product or quotient of two of them is rounded to 53 bits and then to 8, which gives the same
as rounding once: with `2 * 8 + 2` bits or more the first rounding never makes a tie (Figueroa, 1995).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["LARGEST", "from_patterns", "rounded", "to_patterns", "tree_sum"]

Floats = NDArray[np.float64]

#: Largest number, at which results saturate: there are no infinities.
LARGEST = float(2**127 * (2 - 2**-7))
_SMALLEST = 2.0**-126


def rounded(x: ArrayLike) -> Floats:
    """Round to the nearest number of 8 significant bits, ties to even; saturate, and flush subnormals to +0."""
    fraction, exponent = np.frexp(np.asarray(x, np.float64))
    found = np.clip(np.ldexp(np.rint(fraction * 256), exponent - 8), -LARGEST, LARGEST)
    return np.where(np.abs(found) < _SMALLEST, 0.0, found)


def from_patterns(patterns: ArrayLike) -> Floats:
    """Return the numbers of bit patterns; subnormals and -0 are +0.

    Raises
    ------
    TypeError
        The patterns are not integers.
    ValueError
        One is not 16 bits, or stands for an infinity or NaN.
    """
    patterns = np.asarray(patterns)
    if patterns.dtype.kind not in "iu":
        raise TypeError(f"bit patterns must be integers, not {patterns.dtype}")
    for extreme in (int(patterns.min()), int(patterns.max())) if patterns.size else ():
        if not 0 <= extreme < 2**16:
            raise ValueError(f"a bit pattern must be 0 to 65535, not {extreme}")
    if (is_special := patterns & 0x7F80 == 0x7F80).any():
        raise ValueError(f"a number must be finite, not the pattern {int(patterns[is_special].flat[0]):#06x}")
    return rounded((patterns.astype(np.uint32) << 16).view(np.float32))


def to_patterns(numbers: ArrayLike) -> NDArray[np.int64]:
    """Return the bit patterns of numbers, rounded."""
    return (rounded(numbers).astype(np.float32).view(np.uint32) >> 16).astype(np.int64)


def tree_sum(x: Floats) -> Floats:
    """Sum over the last axis: neighbours in pairs, then neighbours of these; one without a partner goes on as it is."""
    while x.shape[-1] > 1:
        pairs = rounded(x[..., : x.shape[-1] - 1 : 2] + x[..., 1::2])
        x = np.concatenate([pairs, x[..., -1:]], axis=-1) if x.shape[-1] % 2 else pairs
    return x[..., 0]
