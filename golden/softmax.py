"""The softmax's numerators: a table, addressed by a key's distance from the row's best."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["weigh"]


def weigh(deficit: NDArray[np.int64], weights: Sequence[int]) -> NDArray[np.int64]:
    """`weight = weights[deficit]`, and 0 where `deficit` is -1 (no key was kept).

    Parameters
    ----------
    deficit
        `max_matches - matches`, 0 to `d_head`, or -1; any shape.
    weights
        The spec's softmax table, `d_head + 1` entries.
    """
    return np.append(np.asarray(weights, np.int64), 0)[deficit]
