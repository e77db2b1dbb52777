"""Queries in groups that share rows of keys (`n_queries_a_row`): how groups are filled, and which rows they read."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

__all__ = ["filled", "rows_read", "without_fill"]

#: What an array holds of a query that fills a group, where it is not 0: such a query sees no key.
_OF_NO_KEY = {"expected_is_empty": 1, "expected_index": -1}

#: Arrays of a case that are not of queries.
_NOT_OF_QUERIES = ("k", "v")


def filled(arrays: Mapping[str, NDArray], n_group: int) -> dict[str, NDArray]:
    """Return the arrays of a case, `(n_heads, n_queries, ...)`, with so many queries more that all groups are full.

    Those see no key, and follow the others of each head.
    """
    n_more = -arrays["n_valid"].shape[1] % n_group
    if not n_more:
        return dict(arrays)
    return {
        name: array
        if name in _NOT_OF_QUERIES
        else np.pad(
            array,
            [(0, 0), (0, n_more), *[(0, 0)] * (array.ndim - 2)],
            constant_values=_OF_NO_KEY.get(name, 0),
        )
        for name, array in arrays.items()
    }


def without_fill(arrays: Mapping[str, NDArray], n_queries: int) -> dict[str, NDArray]:
    """Return what came of `filled`, of the first `n_queries` of each head; what is not of queries stays."""
    return {name: array[:, :n_queries] if array.ndim > 1 else array for name, array in arrays.items()}


def rows_read(sees: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which rows each group reads, `(n_groups, n_rows)`, of whether its queries see a key of each.

    `sees` is `(n_groups, n_group, n_rows)`. A lone query reads the rows of which it sees a key, a group all from the
    first to the last of any; who sees none reads row 0.
    """
    is_read = np.asarray(sees.max(axis=1), bool)
    if sees.shape[1] > 1:
        is_read = np.maximum.accumulate(is_read, axis=1) & np.maximum.accumulate(is_read[:, ::-1], axis=1)[:, ::-1]
    is_read[~is_read.max(axis=1), 0] = True
    return is_read
