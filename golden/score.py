"""How alike a query and a key are: the matches of two bit vectors, counted on packed words."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["binarize", "matches", "pack", "packed_matches"]

WORD_BITS = 64


def binarize(x: ArrayLike) -> NDArray[np.uint8]:
    """Return the bits of real numbers: 1 (for +1) where `x >= 0`, else 0 (for -1).

    Both zeros count as +1, so that every number has a sign.

    Raises
    ------
    TypeError
        `x` is not made of real numbers.
    ValueError
        `x` holds NaN, which has no sign.
    """
    x = np.asarray(x)
    if x.dtype.kind not in "biuf":
        raise TypeError(f"x must be real numbers, not {x.dtype}")
    if x.dtype.kind == "f" and np.isnan(x).any():
        raise ValueError("x must be numbers, not nan: nan has no sign")
    return (x >= 0).astype(np.uint8)


def pack(bits: NDArray) -> NDArray[np.uint64]:
    """Pack the last axis, bits of 0 or 1, into words of 64; a last word is filled up with zeros.

    `(..., d_head)` becomes `(..., ceil(d_head / 64))`. Element 0 is the lowest bit of word 0.
    """
    words = -(-bits.shape[-1] // WORD_BITS)
    packed = np.zeros((*bits.shape[:-1], words * WORD_BITS // 8), np.uint8)
    packed[..., : -(-bits.shape[-1] // 8)] = np.packbits(bits.astype(bool), axis=-1, bitorder="little")
    return packed.view("<u8").astype(np.uint64, copy=False)


def packed_matches(q_words: NDArray[np.uint64], k_words: NDArray[np.uint64], d_head: int) -> NDArray:
    """`matches` of packed queries and keys, `(..., n_queries, n_words)` and `(..., n_keys, n_words)`."""
    # The filling of a last word agrees in both, so mismatches need no mask.
    dtype = np.min_scalar_type(d_head)
    mismatches = np.bitwise_count(q_words[..., :, None, 0] ^ k_words[..., None, :, 0])
    if q_words.shape[-1] > 1:
        mismatches = mismatches.astype(dtype)
        for word in range(1, q_words.shape[-1]):
            mismatches += np.bitwise_count(q_words[..., :, None, word] ^ k_words[..., None, :, word])
    return np.subtract(dtype.type(d_head), mismatches, out=mismatches)


def matches(q: NDArray, k: NDArray) -> NDArray:
    """`matches[..., i, j] = popcount(~(q[..., i, :] ^ k[..., j, :]))`, 0 to `d_head`.

    The ±1 dot product is `2 * matches - d_head` (HAD, arXiv 2502.01770, eq. 5).

    Parameters
    ----------
    q, k
        Bits, `(..., n_queries, d_head)` and `(..., n_keys, d_head)`; leading axes broadcast.

    Returns
    -------
    `(..., n_queries, n_keys)`, in the smallest unsigned type that holds `d_head`.
    """
    if q.shape[-1] != k.shape[-1]:
        raise ValueError(f"k must have as many elements as q = {q.shape[-1]}, not {k.shape[-1]}")
    return packed_matches(pack(q), pack(k), q.shape[-1])
