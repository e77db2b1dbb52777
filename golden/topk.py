"""Exact selection of the best keys: most matches first, lower index first among equals."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Selection", "absent_keys", "select"]


class Selection(NamedTuple):
    """The kept keys of each query, in selection order.

    Attributes
    ----------
    index
        Position of the key, `(..., n_queries, top_k)`; -1 where fewer were kept.
    deficit
        `max_matches - matches`, `max_matches` being the row's own maximum; -1 where fewer were kept.
    """

    index: NDArray[np.int64]
    deficit: NDArray[np.int64]


def absent_keys(
    n_keys: int,
    n_valid: ArrayLike | None,
    mask: NDArray[np.bool_] | None,
    *,
    first: ArrayLike | None = None,
    base: ArrayLike | None = None,
    n_sinks: int = 0,
    start: int = 0,
) -> NDArray[np.bool_] | None:
    """True where a key takes no part. None: all take part.

    A key takes part if it is not masked, its index is below `n_valid`, and it is `first` or above, or one of the
    `n_sinks` from `base` on.

    Parameters
    ----------
    n_keys
        Keys, whose indices are `start` and up.
    n_valid, first, base
        Integers or `(..., n_queries)`; None is no limit, and 0 for `base`.
    mask
        Broadcasts to `(..., n_queries, n_keys)`.
    n_sinks
        The spec's.
    start
        Index of the first key.
    """
    index = np.arange(start, start + n_keys)
    absent = None if n_valid is None else index >= np.asarray(n_valid)[..., None]
    if first is not None:
        before = index < np.asarray(first)[..., None]
        if n_sinks:
            from_base = index - np.asarray(0 if base is None else base)[..., None]
            before = before & ~((from_base >= 0) & (from_base < n_sinks))
        absent = before if absent is None else absent | before
    if absent is None or mask is None:
        return mask if absent is None else absent
    return absent | mask


def select(matches: NDArray, top_k: int, absent: NDArray[np.bool_] | None = None) -> Selection:
    """Keep the `top_k` keys with the most matches of those that take part.

    Each key gets a rank, `max - matches` above its index in one integer, so that the order of ranks
    *is* the selection order, ties included, and no two ranks are equal.

    Parameters
    ----------
    matches
        Unsigned integers, `(..., n_queries, n_keys)`.
    top_k
        Keys kept, 1 or more; may exceed `n_keys`.
    absent
        True where a key takes no part; broadcasts to `matches`.
    """
    n_keys = matches.shape[-1]
    index_bits = max(1, (n_keys - 1).bit_length())
    # One bit to spare: an absent key's rank, all ones, stays above every other.
    rank_type = np.uint32 if matches.dtype.itemsize * 8 + index_bits < 32 else np.uint64
    rank = np.left_shift(matches, index_bits, dtype=rank_type)
    most = rank_type(np.iinfo(matches.dtype).max) << rank_type(index_bits)
    np.subtract(most + np.arange(n_keys, dtype=rank_type), rank, out=rank)
    none = np.iinfo(rank_type).max
    if absent is not None:
        np.putmask(rank, np.broadcast_to(absent, rank.shape), none)
    if top_k < n_keys:
        rank.partition(top_k - 1, axis=-1)
        rank = rank[..., :top_k]
    rank = np.sort(rank, axis=-1)

    index = (rank & rank_type((1 << index_bits) - 1)).astype(np.int64)
    descent = (rank >> rank_type(index_bits)).astype(np.int64)
    selection = Selection(index, descent - descent[..., :1])
    if absent is not None:
        for part in selection:
            part[rank == none] = -1
    if top_k > n_keys:
        padding = [(0, 0)] * (rank.ndim - 1) + [(0, top_k - n_keys)]
        selection = Selection(*(np.pad(part, padding, constant_values=-1) for part in selection))
    return selection
