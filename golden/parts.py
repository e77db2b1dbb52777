"""Attention over keys in parts, as of several engines: exact by agreeing first, or merged from separate softmaxes.

Engines that hold rising ranges of one query's keys give one engine's bits in two steps. Levels (`matches + 1`, and 0 of
a key that takes no part) take `d_head + 2` values only, so the counts of their levels add; from the sum follow the cut,
the maximum, and which of the keys at the cut each engine keeps, the lower ranges first. With these the sums of weights
and of weighted values add, too:

    counts = [level_counts(spec, q, k[part], start=part.start) for part in parts]
    cuts = agree(spec, counts)
    sums = [partial(spec, q, k[part], v[part], cut, start=part.start) for part, cut in zip(parts, cuts)]
    merge(spec, sums)                                    # attend(spec, q, k, v), to the last bit
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hamming.golden.arguments import Arguments, Part
from hamming.golden.checks import require_int
from hamming.golden.softmax import weigh
from hamming.golden.spec import MAX_NUMERATOR_BITS, AttentionSpec
from hamming.golden.topk import select
from hamming.golden.weighted_sum import divide_half_up, normalize, weighted_sum

__all__ = ["Cut", "Merged", "Partial", "agree", "level_counts", "merge", "merge_softmax", "partial"]


class Cut(NamedTuple):
    """What a part needs to know of the others, for each query, `(..., n_queries)`.

    Attributes
    ----------
    level
        Keys above this level are kept; it is 1 where there are no more keys than `top_k`.
    quota
        So many of the part's keys at this level are kept, the lowest indices.
    max_level
        The highest level of any key, 0 where none takes part.
    """

    level: NDArray[np.int64]
    quota: NDArray[np.int64]
    max_level: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Partial:
    """What a part adds to the outputs.

    Attributes
    ----------
    acc
        Sum of its kept keys' weighted values, `(..., n_queries, d_value)`.
    weight_sum
        Sum of their weights, `(..., n_queries)`; 0 where it keeps none.
    max_level
        The level that weights are counted from: of the best of all keys, or of the part's own if it did not agree with
        the others. 0 where no key takes part.
    """

    acc: NDArray[np.int64]
    weight_sum: NDArray[np.int64]
    max_level: NDArray[np.int64]


class Merged(NamedTuple):
    """Outputs, `(..., n_queries, d_value)`, and where no key took part, `(..., n_queries)`, as of `attend`."""

    out: NDArray[np.int64]
    is_empty: NDArray[np.bool_]


def level_counts(
    spec: AttentionSpec, q: ArrayLike, k: ArrayLike, *, start: int = 0, **limits: ArrayLike | None
) -> NDArray[np.int64]:
    """Count a part's keys by their level, 0 to `d_head + 1`: `(..., n_queries, d_head + 2)`.

    Parameters
    ----------
    spec, q
        As of `golden.attention.attend`.
    k
        The part's keys, `(..., n, d_head)`.
    start
        Index of the first of them.
    limits
        `first`, `n_valid`, `base`, which count from the first key of all parts, and the part's `mask`.
    """
    given = Arguments(spec, q, k, start=start, **limits)
    counts = np.zeros((*given.batch, given.n_queries, spec.d_head + 2), np.int64)

    def solve(part: Part) -> None:
        level = _levels(given, part)
        n_levels = spec.d_head + 2
        row = n_levels * np.arange(level[..., 0].size).reshape(*level.shape[:-1], 1)
        counts[part] = np.bincount((level + row).ravel(), minlength=row.size * n_levels).reshape(counts[part].shape)

    given.solve(solve)
    return counts.reshape(*given.lead, *counts.shape[-2:])


def _levels(given: Arguments, part: Part) -> NDArray[np.int64]:
    level = given.matches(part).astype(np.int64) + 1
    absent = given.absent(part)
    return level if absent is None else np.where(absent, 0, level)


def agree(spec: AttentionSpec, counts: Sequence[NDArray[np.int64]]) -> list[Cut]:
    """Return each part's cut, from the counts of all, in the order of their keys.

    Parameters
    ----------
    spec
        As of `golden.attention.attend`.
    counts
        What `level_counts` returned for each part, the lowest indices first.

    Raises
    ------
    ValueError
        There is none, or the shapes do not broadcast.
    """
    if not counts:
        raise ValueError("counts must be of one part or more, not none")
    try:
        stacked = np.stack(np.broadcast_arrays(*counts))
    except ValueError:
        shapes = ", ".join(str(np.shape(one)) for one in counts)
        raise ValueError(f"the counts of all parts must broadcast, not {shapes}") from None
    if stacked.shape[-1] != spec.d_head + 2:
        raise ValueError(f"counts must have d_head + 2 = {spec.d_head + 2} levels, not {stacked.shape[-1]}")
    total = stacked.sum(axis=0)
    total[..., 0] = 0
    at_or_above = total[..., ::-1].cumsum(axis=-1)[..., ::-1]
    level = np.maximum(1, (at_or_above >= spec.top_k).sum(axis=-1) - 1)  # as is level 0, if level 1 is
    max_level = (at_or_above > 0).sum(axis=-1) - 1
    quota = spec.top_k - _at(at_or_above, level) + _at(total, level)
    cuts = []
    for own in stacked:
        n_equal = _at(own, level)
        cuts.append(Cut(level, np.minimum(quota, n_equal), np.maximum(max_level, 0)))
        quota = quota - cuts[-1].quota
    return cuts


def _at(counts: NDArray[np.int64], level: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.take_along_axis(counts, level[..., None], axis=-1)[..., 0]


def partial(
    spec: AttentionSpec,
    q: ArrayLike,
    k: ArrayLike,
    v: ArrayLike,
    cut: Cut | None = None,
    *,
    table: ArrayLike | None = None,
    start: int = 0,
    **limits: ArrayLike | None,
) -> Partial:
    """Sum over a part's kept keys.

    Parameters
    ----------
    spec, q, table
        As of `golden.attention.attend`.
    k, v
        The part's keys and values, `(..., n, d_head)` and `(..., n, d_value)`.
    cut
        The part's, of `agree`. None: it keeps its own best `top_k` keys, and weighs them against its own best, for
        `merge_softmax`.
    start, limits
        As of `level_counts`.
    """
    given = Arguments(spec, q, k, v, table=table, start=start, **limits)
    shape = (*given.batch, given.n_queries)
    acc = np.zeros((*shape, spec.d_value), np.int64)
    weight_sum = np.zeros(shape, np.int64)
    max_level = np.zeros(shape, np.int64)
    if cut is not None:
        cut = Cut(*(np.broadcast_to(x, (*given.lead, given.n_queries)).reshape(shape) for x in cut))
        max_level = cut.max_level.copy()

    def solve(part: Part) -> None:
        found = select(given.matches(part), spec.top_k, given.absent(part))
        level = _levels(given, part)
        own_max = level.max(axis=-1)
        index, deficit = found
        if cut is None:
            max_level[part] = own_max
        else:
            # The part's best keys come first, so that its share is the first of them.
            at = Cut(*(x[part][..., None] for x in cut))
            n_kept = (level > at.level).sum(axis=-1, keepdims=True)
            n_kept += np.minimum((level == at.level).sum(axis=-1, keepdims=True), at.quota)
            is_kept = np.arange(spec.top_k) < n_kept
            index = np.where(is_kept, index, -1)
            deficit = np.where(is_kept, deficit + at.max_level - own_max[..., None], -1)
        weight = weigh(deficit, spec.tables, given.table(part))
        acc[part], weight_sum[part] = weighted_sum(spec, weight, index, given.values(part))

    given.solve(solve)
    of_queries = (*given.lead, given.n_queries)
    return Partial(
        acc=acc.reshape(*of_queries, spec.d_value),
        weight_sum=weight_sum.reshape(of_queries),
        max_level=max_level.reshape(of_queries),
    )


def merge(spec: AttentionSpec, partials: Sequence[Partial]) -> Merged:
    """Divide the sums of all parts, which have agreed: the bits of one engine over all keys.

    Raises
    ------
    ValueError
        There is no part, or the parts weighed against different maxima.
    """
    if not partials:
        raise ValueError("partials must be of one part or more, not none")
    maxima = np.stack([one.max_level for one in partials])
    if (maxima != maxima[0]).any():
        raise ValueError(
            "partials must share their maximum, which they have if each was given its cut of `agree`; "
            "merge_softmax merges those that do not"
        )
    weight_sum = np.sum([one.weight_sum for one in partials], axis=0)
    acc = np.sum([one.acc for one in partials], axis=0)
    return Merged(normalize(spec, acc, weight_sum), np.equal(weight_sum, 0))


def merge_softmax(spec: AttentionSpec, partials: Sequence[Partial], *, table: int = 0) -> Merged:
    """Merge parts that did not agree, each over its own best `top_k` keys and against its own maximum.

    ::

        f = weights[max(max_level) - max_level]            of each part
        out[i] = floor(2**out_frac_bits * sum(f * acc[i]) / sum(f * weight_sum) + 1/2)

    as FlashAttention and ring attention merge (log-sum-exp), with the table in place of the exponential. It needs one
    exchange in place of two, and it is not what one engine computes:

    * *Kept keys.* It is over all that any part kept, up to `top_k` a part: one engine's, and worse ones. They are one
      engine's where the parts keep `top_k` at most together.
    * *Weights.* A key has `weights[s] * weights[t]` in place of `weights[0] * weights[s + t]`. For a table of the exact
      exponential these are the same; with `E = 2**weight_bits - 1`, entries that are rounded by half a unit make the
      relative difference, against `E**2` for the best key, `(s > 0) / (2 * E) + (t > 0) / (2 * E) + 1 / (4 * E**2)` at
      most. Where all maxima are equal, the weights are one engine's.
    * *The sum* of what is merged is exact, and rounded once.

    So it is `merge`'s result, to the last bit, where both hold: all maxima equal, and `top_k` keys kept together at
    most.

    Parameters
    ----------
    spec
        As of `golden.attention.attend`.
    partials
        What `partial` returned for each part, without a cut.
    table
        Of all queries.

    Raises
    ------
    ValueError
        There is no part, or there is no such table.
    """
    if not partials:
        raise ValueError("partials must be of one part or more, not none")
    entries = np.asarray(spec.tables[require_int("table", table, 0, spec.n_tables - 1)])
    maxima = np.stack(np.broadcast_arrays(*(one.max_level for one in partials)))
    # An empty part's factor is any: its sums are 0.
    below = np.minimum(maxima.max(axis=0) - maxima, spec.d_head)
    n_bits = spec.numerator_bits + spec.weight_bits + (len(partials) - 1).bit_length()
    kind: Any = np.int64 if n_bits <= MAX_NUMERATOR_BITS else object  # Python's integers, of any length
    factor = entries[below].astype(kind)
    acc = (factor[..., None] * np.stack([one.acc.astype(kind) for one in partials])).sum(axis=0)
    weight_sum = (factor * np.stack([one.weight_sum.astype(kind) for one in partials])).sum(axis=0)
    out = divide_half_up(acc << spec.out_frac_bits, np.maximum(weight_sum, 1)[..., None])
    return Merged(out.astype(np.int64), np.equal(weight_sum, 0).astype(bool))
