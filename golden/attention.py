"""Binary top-k attention to the last bit: the steps of the contract, over batches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hamming.golden.arguments import Arguments, Part
from hamming.golden.softmax import weigh
from hamming.golden.spec import AttentionSpec
from hamming.golden.topk import select
from hamming.golden.weighted_sum import normalize, weighted_sum

__all__ = ["Attention", "attend"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Attention:
    """What `attend` found for each query.

    Attributes
    ----------
    out
        Output, `(..., n_queries, d_value)`: signed integers of `out_bits`, whose lowest `out_frac_bits` are
        fraction bits beyond a value element's. Zero where the query is empty.
    index
        Kept keys in selection order (most matches first, lower index first among equals),
        `(..., n_queries, top_k)`; -1 where fewer were kept.
    weight
        Their softmax table entries, same shape; 0 where fewer were kept.
    is_empty
        True where no key took part, `(..., n_queries)`.
    """

    out: NDArray[np.int64]
    index: NDArray[np.int64]
    weight: NDArray[np.int64]
    is_empty: NDArray[np.bool_]


def attend(
    spec: AttentionSpec,
    q: ArrayLike,
    k: ArrayLike,
    v: ArrayLike,
    *,
    first: ArrayLike | None = None,
    n_valid: ArrayLike | None = None,
    base: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    table: ArrayLike | None = None,
) -> Attention:
    """Attend as `spec` says, exactly.

    Memory beyond arguments and result is a few megabytes, whatever the lengths: the scores of some queries
    are computed at a time, by as many threads as there are processors.

    Parameters
    ----------
    spec
        The arithmetic.
    q
        Queries: bits, 0 or 1, `(..., n_queries, d_head)`.
    k
        Keys: bits, `(..., n_keys, d_head)`, as many as there are, at most the spec's `n_keys`.
    v
        Value vectors: signed integers of `value_bits`, `(..., n_keys, d_value)`.
    first, n_valid
        A query sees the keys `first <= index < n_valid`: integers from 0 to the number of keys. One for all queries, or
        an array with every axis of the queries, `(..., n_queries)`, of which any may have length 1. None: from the
        first one, up to the last. A range that is empty is no mistake. With as many keys as the spec has, what is above
        `n_keys` and fits into `n_valid_bits` is taken as `n_keys`, as an engine does.
    base
        Where the spec's `n_sinks` keys begin that a query sees beside its range, as far as they are below `n_valid`;
        shaped like `n_valid`. None: 0.
    mask
        True, or 1, where a query does not see a key. One for all queries, `(n_keys,)`, or an array with every axis,
        `(..., n_queries, n_keys)`, of which any may have length 1.
    table
        Which of the spec's `n_tables` tables a query uses, shaped like `n_valid`; what is above and fits into
        `table_bits` is taken as the last one. None: 0.

    Notes
    -----
    Where `q`, `k` and `v` have leading axes, the limits and `mask` must have them too: `(n,)` could be one limit a head
    as well as one a query, and with as many heads as queries no shape would tell. Causal queries of several heads have
    `n_valid = np.arange(1, n + 1)[None]`; heads of different lengths, `n_valid = lengths[:, None]`.

    Returns
    -------
    Attention
        Its leading axes are those of `q`, `k` and `v`, broadcast.

    Raises
    ------
    TypeError
        An array has elements of the wrong type.
    ValueError
        A shape does not fit, or an element is out of range.
    """
    given = Arguments(spec, q, k, v, first=first, n_valid=n_valid, base=base, mask=mask, table=table)
    lead, n_queries = given.lead, given.n_queries
    out = np.zeros((*given.batch, n_queries, spec.d_value), np.int64)
    index = np.full((*given.batch, n_queries, spec.top_k), -1, np.int64)
    weight = np.zeros(index.shape, np.int64)

    def solve(part: Part) -> None:
        found = select(given.matches(part), spec.top_k, given.absent(part))
        index[part] = found.index
        weight[part] = weigh(found.deficit, spec.tables, given.table(part))
        out[part] = normalize(spec, *weighted_sum(spec, weight[part], found.index, given.values(part)))

    given.solve(solve)
    return Attention(
        out=out.reshape(*lead, *out.shape[-2:]),
        index=index.reshape(*lead, *index.shape[-2:]),
        weight=weight.reshape(*lead, *weight.shape[-2:]),
        is_empty=(index[..., 0] < 0).reshape(*lead, n_queries),
    )
