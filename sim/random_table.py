"""Random softmax tables, and tables that are none."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hamming.golden.spec import AttentionSpec

__all__ = ["random_table"]


def random_table(
    spec: AttentionSpec, product: str, rng: np.random.Generator, place: int | None = None
) -> NDArray[np.int64]:
    """Return `d_head + 1` random weights that never rise, the first positive, of powers of two for `product` `shift`.

    With a `place`, the table is none: its first entry is 0, and so are all, or entry `place` is above the one before
    it, often by 1 alone.
    """
    exponents = product == "shift"  # plus 1, and 0 for 0
    most = spec.weight_bits if exponents else (1 << spec.weight_bits) - 1
    table = rng.integers(0, most + (place is None), spec.d_head + 1)
    if not exponents:
        table >>= rng.integers(spec.weight_bits)
    table = np.sort(table)[::-1].copy()
    table[0] = max(table[0], 1)
    if place == 0:
        table[:] = 0
    elif place is not None:
        before = table[place - 1] = min(table[place - 1], most - 1)
        table[place] = before + 1 if rng.integers(4) else most
    return np.where(table, 1 << np.maximum(table - 1, 0), 0) if exponents else table
