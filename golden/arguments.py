"""The arguments of attention: checked, broadcast, and worked on in parts."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hamming.golden.checks import require_int
from hamming.golden.score import pack, packed_matches
from hamming.golden.spec import AttentionSpec
from hamming.golden.threads import for_each
from hamming.golden.topk import absent_keys
from hamming.golden.weighted_sum import sum_type

__all__ = ["Arguments", "Part"]

#: Most axes of an argument. NumPy has 64, and some are added on the way.
MAX_AXES = 32

_BITS_HINT = "hamming.binarize makes bits of real numbers"
_REAL_HINTS = {"q": _BITS_HINT, "k": _BITS_HINT, "v": "hamming.quantize makes integers of real numbers"}

#: Scores that a thread computes at a time. Few enough for the 13 bytes that each takes to stay near a processor, and
#: enough for the time in which threads hand the interpreter over not to count (`python -m hamming.golden.bench`).
SCORES_A_PART = 2**19

#: A box of the queries: indices, and two slices.
Part = tuple[int | slice, ...]


class Arguments:
    """Queries, keys and values, and what each query sees of them, with common leading axes.

    Parameters
    ----------
    spec, q, k, v, n_valid, first, base, mask, table
        As of `golden.attention.attend`; without `v` there is nothing to sum.
    start
        Index of the first key: `k` and `v` are some of a query's keys, of which `n_valid`, `first` and `base` name all.
        None: they are all.

    Attributes
    ----------
    lead
        Leading axes, broadcast.
    batch
        The same, and one of length 1 where there are none.
    n_queries, n_keys
        Of each member of the batch.

    Raises
    ------
    TypeError, ValueError
        As of `golden.attention.attend`.
    """

    def __init__(
        self,
        spec: AttentionSpec,
        q: ArrayLike,
        k: ArrayLike,
        v: ArrayLike | None = None,
        *,
        n_valid: ArrayLike | None = None,
        first: ArrayLike | None = None,
        base: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        table: ArrayLike | None = None,
        start: int | None = None,
    ) -> None:
        self._spec = spec
        high = 2 ** (spec.value_bits - 1) - 1
        q = _integers("q", q, "n_queries, d_head", spec.d_head, 0, 1)
        k = _integers("k", k, "n_keys, d_head", spec.d_head, 0, 1)
        leads = {"q": q.shape[:-2], "k": k.shape[:-2]}
        self.n_queries, self.n_keys = q.shape[-2], k.shape[-2]
        if start is None and self.n_keys > spec.n_keys:
            raise ValueError(f"k must have at most n_keys = {spec.n_keys} keys, not {self.n_keys}")
        self._start = 0 if start is None else require_int("start", start, 0, spec.n_keys - self.n_keys)
        if v is not None:
            v = _integers("v", v, "n_keys, d_value", spec.d_value, -high - 1, high)
            leads["v"] = v.shape[:-2]
            if v.shape[-2] != self.n_keys:
                raise ValueError(f"v must have a vector for each of the {self.n_keys} keys, not {v.shape[-2]}")
        try:
            self.lead = np.broadcast_shapes(*leads.values())
        except ValueError:
            names, shapes = (", ".join(map(str, part)) for part in zip(*leads.items(), strict=True))
            names, shapes = (" and ".join(text.rsplit(", ", 1)) for text in (names, shapes))
            raise ValueError(f"the leading axes of {names} must broadcast, not {shapes}") from None
        self.batch = self.lead or (1,)  # at least one leading axis, whose last one is worked on in slices

        # As an engine takes it: as far as a port's bits reach, where all of the spec's keys are there.
        n_keys = self.n_keys if start is None else spec.n_keys
        is_whole = n_keys == spec.n_keys
        widest = {"n_valid": spec.n_valid_bits, "first": spec.n_valid_bits, "base": spec.index_bits}
        most = {name: 2**bits - 1 if is_whole else n_keys for name, bits in widest.items()}
        if base is not None and not spec.n_sinks:
            raise ValueError("base says where a query's sinks begin, and the spec has n_sinks = 0; leave it out")
        self._n_valid = self._limit("n_valid", n_valid, most["n_valid"], n_keys)
        self._first = self._limit("first", first, most["first"], n_keys)
        self._base = self._limit("base", base, most["base"], n_keys)
        self._table = self._limit("table", table, 2**spec.table_bits - 1, spec.n_tables - 1)
        shape = (*self.lead, self.n_queries, self.n_keys)
        self._mask = None if mask is None else _spread(_mask(mask, shape), self.batch, 2)

        self._q = _spread(pack(q), self.batch, 2)
        self._k = _spread(pack(k), self.batch, 2)
        self._v = None if v is None else _spread(v.astype(sum_type(spec)), self.batch, 2)

    def _limit(self, name: str, x: ArrayLike | None, most: int, meant: int) -> NDArray | None:
        """Return an integer of each query, checked; above `meant` it is taken as that."""
        if x is None:
            return None
        x = _array(name, x)
        if x.dtype.kind not in "iu":
            raise TypeError(f"{name} must be integers, not {x.dtype}")
        x = np.minimum(_in_range(name, x, 0, most), meant).astype(np.int64)
        x = _fitting(name, x, (*self.lead, self.n_queries), "be one integer or have the shape", 0)
        return _spread(x, self.batch, 1)

    def solve(self, one: Callable[[Part], None]) -> None:
        """Call `one` for every part of the queries, from as many threads as there are processors."""
        if self.n_keys:
            for_each(_parts(self.batch, self.n_queries, self.n_keys), one)

    def matches(self, part: Part) -> NDArray:
        """Return the scores of a part."""
        return packed_matches(self._q[part], self._k[part[:-1]], self._spec.d_head)

    def absent(self, part: Part) -> NDArray[np.bool_] | None:
        """Return which keys take no part; None: all take part."""
        limits = (None if x is None else x[part] for x in (self._n_valid, self._mask, self._first, self._base))
        n_valid, mask, first, base = limits
        return absent_keys(
            self.n_keys, n_valid, mask, first=first, base=base, n_sinks=self._spec.n_sinks, start=self._start
        )

    def table(self, part: Part) -> NDArray | None:
        """Return the table of each query; None: the first."""
        return None if self._table is None else self._table[part]

    def values(self, part: Part) -> NDArray:
        """Return the value vectors that a part's queries see, in `golden.weighted_sum.sum_type`."""
        assert self._v is not None
        return self._v[part[:-1]]


def _parts(batch: tuple[int, ...], n_queries: int, n_keys: int) -> list[Part]:
    """Cut `(*batch, n_queries)` into boxes of about `SCORES_A_PART` scores: indices, and two slices."""
    queries = max(1, min(n_queries, SCORES_A_PART // n_keys))
    problems = max(1, SCORES_A_PART // (queries * n_keys))
    return [
        (*outer, slice(problem, problem + problems), slice(query, query + queries))
        for outer in itertools.product(*map(range, batch[:-1]))
        for problem in range(0, batch[-1], problems)
        for query in range(0, n_queries, queries)
    ]


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
