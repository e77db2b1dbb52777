"""Which keys take part, and which of them are kept: scores and visibility in, masks out."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["keep_best", "masked", "spread"]


def masked(scores: Tensor, kept: Tensor | None) -> Tensor:
    """`scores`, with those of keys that are not kept too low to weigh; finite, so that no row makes NaN."""
    return scores if kept is None else scores.masked_fill(~kept, torch.finfo(scores.dtype).min)


def spread(visible: Tensor | None) -> Tensor | None:
    """Give `visible`, `(batch, n_keys)` or `(batch, n_queries, n_keys)`, the axes of heads and of queries."""
    if visible is None:
        return None
    if visible.dtype != torch.bool or visible.ndim not in (2, 3):
        raise ValueError(
            "visible must be booleans (batch, n_keys) or (batch, n_queries, n_keys), "
            f"not {visible.dtype} {tuple(visible.shape)}"
        )
    return visible[:, None, None] if visible.ndim == 2 else visible[:, None]


def keep_best(ordered: Tensor, top_n: int, present: Tensor | None = None) -> Tensor:
    """True at the `top_n` greatest of each row that are present, lower index first among equals.

    `torch.topk` does not say which of equals it takes; only the value of the last one kept is asked of it, and the
    places that are left among its equals are filled from the lowest index on.

    Parameters
    ----------
    ordered
        `(..., n_keys)`, finite.
    top_n
        1 or more; more than `n_keys` keeps all that are present.
    present
        True where a key takes part; broadcasts to `ordered`. None: all do.
    """
    if present is not None:
        ordered = ordered.masked_fill(~present, -torch.inf)
    last = ordered.topk(min(top_n, ordered.shape[-1]), sorted=False).values.amin(-1, keepdim=True)
    above, equal = ordered > last, ordered == last
    places = top_n - above.sum(-1, keepdim=True, dtype=torch.int32)
    kept = above | (equal & (equal.cumsum(-1, dtype=torch.int32) <= places))
    return kept if present is None else kept & present
