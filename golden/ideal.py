"""Attention in floating point: what the integers approximate, and how far they may be from it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hamming.golden.attention import Attention
from hamming.golden.score import matches
from hamming.golden.spec import AttentionSpec
from hamming.golden.topk import absent_keys, select

__all__ = ["dense_attention", "error_bound", "had_attention", "softmax_attention"]


def dense_attention(
    q: NDArray,
    k: NDArray,
    v: NDArray,
    logit_scale: ArrayLike,
    *,
    n_valid: ArrayLike | None = None,
    mask: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """Softmax attention of ±1 queries and keys over all keys: `softmax(logit_scale * (2 * matches - d_head)) @ v`.

    Parameters
    ----------
    q, k
        Bits, `(..., n_queries, d_head)` and `(..., n_keys, d_head)`.
    v
        Real numbers, `(..., n_keys, d_value)`.
    logit_scale
        `sigma_q * sigma_k / sqrt(d_head)`: a number, or numbers that broadcast to `(..., n_queries, n_keys)`.
    n_valid, mask
        As in `golden.attention.attend`.

    Returns
    -------
    `(..., n_queries, d_value)`; zero where a query sees no key.
    """
    return _softmax_mean(_logits(matches(q, k), logit_scale), v, absent_keys(k.shape[-2], n_valid, mask))


def softmax_attention(
    q: NDArray, k: NDArray, v: NDArray, logit_scale: float, *, top_k: int | None = None
) -> NDArray[np.float64]:
    """Softmax attention of real queries and keys: `softmax(logit_scale * q @ k.T) @ v`.

    With a `top_k`, over as many keys of each query alone, those of the best scores, lower index first.
    """
    q, k = (np.asarray(x, np.float64) for x in (q, k))
    logits = logit_scale * (q @ k.swapaxes(-1, -2))
    is_left_out = None
    if top_k is not None:
        is_left_out = np.ones(logits.shape, bool)
        best = np.argsort(-logits, axis=-1, kind="stable")[..., :top_k]
        np.put_along_axis(is_left_out, best, False, axis=-1)
    return _softmax_mean(logits, v, is_left_out)


def had_attention(
    q: NDArray,
    k: NDArray,
    v: NDArray,
    logit_scale: ArrayLike,
    top_k: int,
    *,
    n_valid: ArrayLike | None = None,
    mask: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """`dense_attention` over the `top_k` best keys of each query alone (HAD, arXiv 2502.01770).

    Equal scores at the cut are settled as the contract settles them: lower index first.
    """
    matched = matches(q, k)
    index = select(matched, top_k, absent_keys(k.shape[-2], n_valid, mask)).index
    is_left_out = np.ones((*matched.shape[:-1], matched.shape[-1] + 1), bool)  # the last one collects the -1
    np.put_along_axis(is_left_out, index, False, axis=-1)
    return _softmax_mean(_logits(matched, logit_scale), v, is_left_out[..., :-1])


def _logits(matched: NDArray, logit_scale: ArrayLike) -> NDArray[np.float64]:
    return 2.0 * np.asarray(logit_scale, np.float64) * matched


def _softmax_mean(logits: NDArray[np.float64], v: NDArray, absent: NDArray[np.bool_] | None) -> NDArray[np.float64]:
    if absent is not None:
        logits = np.where(absent, -np.inf, logits)
    best = logits.max(axis=-1, keepdims=True)
    weight = np.exp(logits - np.where(np.isneginf(best), 0.0, best))
    weight_sum = weight.sum(axis=-1, keepdims=True)
    return weight @ np.asarray(v, np.float64) / np.where(weight_sum == 0, 1.0, weight_sum)


def error_bound(spec: AttentionSpec, attention: Attention | None = None) -> NDArray[np.float64]:
    """How far an output element may be from `had_attention` of the same integers, in units of a value element.

    For a spec made by `AttentionSpec.from_logit_scale`, with `n` keys kept, and `spread = 2**value_bits - 1`::

        |out / 2**out_frac_bits - ideal| <= spread * (n - 1) / (2 * weight_sum) + 2**-(out_frac_bits + 1)

    *Table.* Let the ideal weights be `u[j] = (2**weight_bits - 1) * exp(-2 * deficit[j] * logit_scale)` and the
    table's `w[j] = u[j] + e[j]`. An entry is rounded by half a unit at most, `|e[j]| <= 1/2`, and the best key's
    not at all. With `m` the ideal mean, `sum(u[j] * (v[j] - m)) = 0`, so that the integers' mean differs from it by
    `sum(w[j] * (v[j] - m)) / sum(w[j]) = sum(e[j] * (v[j] - m)) / weight_sum`: at most `n - 1` terms that are not
    zero, none above `spread / 2`.

    *Output.* One exact rounding of the quotient adds half a unit of the output's last place.

    Parameters
    ----------
    spec
        The widths.
    attention
        Result of `attend`, for a bound for each query, `(..., n_queries)`. None: one bound that holds for every
        query, whose `n` is at most `top_k` and whose `weight_sum` is at least a table's first entry.
    """
    n_kept = spec.top_k if attention is None else np.maximum((attention.index >= 0).sum(axis=-1), 1)
    fewest = min(table[0] for table in spec.tables)
    weight_sum = fewest if attention is None else np.maximum(attention.weight.sum(axis=-1), 1)
    spread = 2**spec.value_bits - 1
    return np.asarray(spread * (n_kept - 1) / (2 * weight_sum) + 0.5 ** (spec.out_frac_bits + 1))
