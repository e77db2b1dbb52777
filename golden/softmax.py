"""The softmax's numerators: a table, addressed by a key's distance from the row's best."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["weigh"]


def weigh(
    deficit: NDArray[np.int64], tables: Sequence[Sequence[int]] | NDArray, table: NDArray | None = None
) -> NDArray[np.int64]:
    """`weight = tables[table][deficit]`, and 0 where `deficit` is -1 (no key was kept).

    Parameters
    ----------
    deficit
        `max_matches - matches`, 0 to `d_head`, or -1: `(..., n_queries, n)`.
    tables
        The spec's softmax tables, of `d_head + 1` entries each.
    table
        Which one each query uses: integers that broadcast to `(..., n_queries)`. None: the first.
    """
    entries = np.zeros((len(tables), len(tables[0]) + 1), np.int64)
    entries[:, :-1] = tables
    return entries[0].take(deficit, mode="wrap") if table is None else entries[table[..., None], deficit]
