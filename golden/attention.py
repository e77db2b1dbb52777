"""Binary top-k attention to the last bit: the steps of the contract, over batches."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hamming.golden.score import pack, packed_matches
from hamming.golden.softmax import weigh
from hamming.golden.spec import AttentionSpec
from hamming.golden.topk import absent_keys, select
from hamming.golden.weighted_sum import normalize, sum_type, weighted_sum

__all__ = ["Attention", "attend"]

#: Most axes of an argument. NumPy has 64, and some are added on the way.
MAX_AXES = 32

_BITS_HINT = "hamming.binarize makes bits of real numbers"
_REAL_HINTS = {"q": _BITS_HINT, "k": _BITS_HINT, "v": "hamming.quantize makes integers of real numbers"}

#: Scores that a thread computes at a time. Few enough for the 13 bytes that each takes to stay in a cache, and enough
#: for the time that threads spend on handing the interpreter over not to count.
SCORES_A_PART = 2**18


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
    n_valid: ArrayLike | None = None,
    mask: ArrayLike | None = None,
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
    n_valid
        A query sees the keys whose index is below it: integers from 0 to the number of keys. One for all queries, or
        an array with every axis of the queries, `(..., n_queries)`, of which any may have length 1. None: it sees all.
        With as many keys as the spec has, what is above `n_keys` and fits into `n_valid_bits` is taken as `n_keys`, as
        an engine does.
    mask
        True, or 1, where a query does not see a key. One for all queries, `(n_keys,)`, or an array with every axis,
        `(..., n_queries, n_keys)`, of which any may have length 1.

    Notes
    -----
    Where `q`, `k` and `v` have leading axes, `n_valid` and `mask` must have them too: `(n,)` could be one limit a head
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
    high = 2 ** (spec.value_bits - 1) - 1
    q = _integers("q", q, "n_queries, d_head", spec.d_head, 0, 1)
    k = _integers("k", k, "n_keys, d_head", spec.d_head, 0, 1)
    v = _integers("v", v, "n_keys, d_value", spec.d_value, -high - 1, high)
    n_queries, n_keys = q.shape[-2], k.shape[-2]
    if n_keys > spec.n_keys:
        raise ValueError(f"k must have at most n_keys = {spec.n_keys} keys, not {n_keys}")
    if v.shape[-2] != n_keys:
        raise ValueError(f"v must have a vector for each of the {n_keys} keys, not {v.shape[-2]}")
    try:
        lead = np.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2])
    except ValueError:
        raise ValueError(
            f"the leading axes of q, k and v must broadcast, not {q.shape[:-2]}, {k.shape[:-2]} and {v.shape[:-2]}"
        ) from None
    if n_valid is not None:
        n_valid = _n_valid(spec, n_valid, n_keys, (*lead, n_queries))
    if mask is not None:
        mask = _mask(mask, (*lead, n_queries, n_keys))

    batch = lead or (1,)  # at least one leading axis, whose last one is worked on in slices
    q_words = _spread(pack(q), batch, 2)
    k_words = _spread(pack(k), batch, 2)
    rows = _spread(v.astype(sum_type(spec)), batch, 2)
    seen = None if n_valid is None else _spread(n_valid, batch, 1)
    hidden = None if mask is None else _spread(mask, batch, 2)
    out = np.zeros((*batch, n_queries, spec.d_value), np.int64)
    index = np.full((*batch, n_queries, spec.top_k), -1, np.int64)
    weight = np.zeros(index.shape, np.int64)

    def solve(part: tuple[int | slice, ...]) -> None:
        problems = part[:-1]
        absent = absent_keys(n_keys, None if seen is None else seen[part], None if hidden is None else hidden[part])
        found = select(packed_matches(q_words[part], k_words[problems], spec.d_head), spec.top_k, absent)
        index[part] = found.index
        weight[part] = weigh(found.deficit, spec.weights)
        out[part] = normalize(spec, *weighted_sum(spec, weight[part], found.index, rows[problems]))

    if n_keys:
        _run(solve, _parts(batch, n_queries, n_keys))
    return Attention(
        out=out.reshape(*lead, *out.shape[-2:]),
        index=index.reshape(*lead, *index.shape[-2:]),
        weight=weight.reshape(*lead, *weight.shape[-2:]),
        is_empty=(index[..., 0] < 0).reshape(*lead, n_queries),
    )


def _parts(batch: tuple[int, ...], n_queries: int, n_keys: int) -> list[tuple[int | slice, ...]]:
    """Cut `(*batch, n_queries)` into boxes of about `SCORES_A_PART` scores: indices, and two slices."""
    queries = max(1, min(n_queries, SCORES_A_PART // n_keys))
    problems = max(1, SCORES_A_PART // (queries * n_keys))
    return [
        (*outer, slice(problem, problem + problems), slice(query, query + queries))
        for outer in itertools.product(*map(range, batch[:-1]))
        for problem in range(0, batch[-1], problems)
        for query in range(0, n_queries, queries)
    ]


def _run(solve: Callable[[tuple[int | slice, ...]], None], parts: list[tuple[int | slice, ...]]) -> None:
    """Solve every part; NumPy leaves the interpreter free meanwhile, so that threads help."""
    if len(parts) < 2:
        for part in parts:
            solve(part)
        return
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(solve, parts):
            pass


def _spread(x: NDArray, batch: tuple[int, ...], n_axes: int) -> NDArray:
    """Return `x` with leading axes `batch` before its last `n_axes`, without copying."""
    return np.broadcast_to(x, (*batch, *x.shape[x.ndim - n_axes :]))


def _integers(name: str, x: ArrayLike, axes: str, length: int, low: int, high: int) -> NDArray:
    """Return `x` as an array whose last two axes are `axes`, the last of `length`, of integers `low` to `high`."""
    x = _array(name, x)
    if x.dtype.kind not in ("biu" if low == 0 else "iu"):
        allowed = "bits (0 and 1, or booleans)" if low == 0 else "integers"
        hint = f"; {_REAL_HINTS[name]}" if x.dtype.kind == "f" else ""
        raise TypeError(f"{name} must be {allowed}, not {x.dtype}{hint}")
    if x.ndim < 2 or x.shape[-1] != length:
        raise ValueError(f"{name} must have a shape of (..., {axes} = {length}), not {x.shape}")
    if x.ndim > MAX_AXES:
        raise ValueError(f"{name} must have at most {MAX_AXES} axes, not {x.ndim}")
    return _in_range(name, x, low, high)


def _n_valid(spec: AttentionSpec, n_valid: ArrayLike, n_keys: int, shape: tuple[int, ...]) -> NDArray:
    n_valid = _array("n_valid", n_valid)
    if n_valid.dtype.kind not in "iu":
        raise TypeError(f"n_valid must be integers, not {n_valid.dtype}")
    most = 2**spec.n_valid_bits - 1 if n_keys == spec.n_keys else n_keys
    n_valid = np.minimum(_in_range("n_valid", n_valid, 0, most), n_keys)
    return _fitting("n_valid", n_valid, shape, "be one integer or have the shape", 0)


def _mask(mask: ArrayLike, shape: tuple[int, ...]) -> NDArray:
    mask = _array("mask", mask)
    if mask.dtype.kind not in "biu":
        raise TypeError(f"mask must be booleans, or integers 0 and 1, true where a key is masked out, not {mask.dtype}")
    return _fitting(
        "mask", _in_range("mask", mask, 0, 1).astype(bool, copy=False), shape, f"have the shape {shape[-1:]} or", 1
    )


def _array(name: str, x: ArrayLike) -> NDArray:
    try:
        return np.asarray(x)
    except ValueError:
        raise ValueError(f"{name} must be an array; its rows differ in length") from None


def _in_range(name: str, x: NDArray, low: int, high: int) -> NDArray:
    for extreme in (int(x.min()), int(x.max())) if x.size else ():
        if not low <= extreme <= high:
            raise ValueError(f"{name} must be {low} to {high}, not {extreme}")
    return x


def _fitting(name: str, x: NDArray, shape: tuple[int, ...], short: str, n_short: int) -> NDArray:
    """Broadcast `x` to `shape`, of which it must have every axis, or `n_short` at most, which says `short`."""
    if x.ndim <= n_short or x.ndim == len(shape):
        with contextlib.suppress(ValueError):
            return np.broadcast_to(x, shape)
    hint = ": with an axis left out, heads could be taken for queries" if n_short < x.ndim < len(shape) else ""
    raise ValueError(f"{name} must {short} {shape}, where any axis may have length 1, not {x.shape}{hint}")
