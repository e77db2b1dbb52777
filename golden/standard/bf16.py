"""Standard attention in bfloat16, to the last bit: the baseline's second width."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hamming.golden.checks import require_int
from hamming.golden.standard.bf16_arithmetic import from_patterns, rounded, to_patterns, tree_sum

__all__ = ["Bf16Attention", "Bf16Spec", "attend_bf16"]

#: Bits of a distance's fraction that the softmax table sees.
FRACTION_BITS = 5
#: Distances, in logits, below which a weight is 1, and from which on it is 0.
NEAREST, FARTHEST = 2.0**-8, 16.0


@dataclass(frozen=True, kw_only=True)
class Bf16Spec:
    """One shape of bfloat16 softmax attention, to the last bit.

    Every sum, product and quotient is rounded to bfloat16 (`bf16_arithmetic.rounded`). For one query, its elements and
    `n_lanes` keys side by side each summed by a tree (`bf16_arithmetic.tree_sum`). Rows of keys are added in turn to
    `n_sums` partial sums, so that an adder may take as many cycles, and a tree sums these::

        s[j]   = tree_sum(q[i] * k[j][i])
        w[j]   = weights[min(max((max(s) - s[j] as a pattern >> 2) - first, 0), len(weights) - 1)]
        row[r] = tree_sum(w[j] * v[j][i])                          of the keys j of row r, n_lanes * r and on
        sum[p] = ((0 + row[p]) + row[p + n_sums]) + ...
        acc[i] = tree_sum(sum[p]);                                 weight_sum likewise, of w[j]
        out[i] = acc[i] / weight_sum

    With no key the output is zero and flagged empty.

    Parameters
    ----------
    d_head, d_value, n_keys
        As of `golden.spec.AttentionSpec`.
    n_lanes
        Keys of a row.
    n_sums
        Partial sums.
    first
        What the softmax table's index is counted from: a pattern's exponent and upper fraction bits.
    weights
        Softmax table: bit patterns of numbers of 0 to 1.

    Raises
    ------
    TypeError, ValueError
        A parameter has the wrong type or is out of range.
    """

    d_head: int
    d_value: int
    n_keys: int
    n_lanes: int
    n_sums: int
    first: int
    weights: tuple[int, ...]

    def __post_init__(self) -> None:
        for name, low, high in (("d_head", 1, None), ("d_value", 1, None), ("n_keys", 1, None), ("n_sums", 1, None)):
            object.__setattr__(self, name, require_int(name, getattr(self, name), low, high))
        object.__setattr__(self, "n_lanes", require_int("n_lanes", self.n_lanes, 1, self.n_keys, why="n_keys"))
        object.__setattr__(self, "first", require_int("first", self.first, 0, 2 ** (8 + FRACTION_BITS) - 1))
        table = tuple(require_int(f"weights[{t}]", w, 0, 0x3F80) for t, w in enumerate(self.weights))
        if len(table) < 2:
            raise ValueError(f"weights must have 2 entries or more, not {len(table)}")
        object.__setattr__(self, "weights", table)

    @classmethod
    def from_logit_scale(cls, *, logit_scale: float, **fields: Any) -> Bf16Spec:
        """Build the spec whose table is `exp(-logit_scale * distance)`, at the middle of each entry's distances.

        Parameters
        ----------
        logit_scale
            What one unit of a score adds to a logit: `1 / sqrt(d_head)` where nothing else is scaled.
        fields
            The other parameters.
        """
        if not (math.isfinite(logit_scale) and 1e-20 < logit_scale < 1e20):
            raise ValueError(f"logit_scale must be 1e-20 to 1e20, not {logit_scale}")
        exponents = [math.floor(math.log2(bound / logit_scale)) + 127 for bound in (NEAREST, FARTHEST)]
        first, last = (exponent << FRACTION_BITS for exponent in exponents)
        below = 7 - FRACTION_BITS
        middles = from_patterns((np.arange(first + 1, last) << below) + (1 << (below - 1)))
        table = (0x3F80, *to_patterns(np.exp(-logit_scale * middles)).tolist(), 0)
        return cls(first=first, weights=table, **fields)

    element_bits = 16
    value_bits = 16
    level_bits = 16
    out_bits = 16

    @property
    def index_bits(self) -> int:
        """Bits of a key's index (1 at least)."""
        return max(1, (self.n_keys - 1).bit_length())

    @property
    def n_valid_bits(self) -> int:
        """Bits of `n_valid`, 0 to `n_keys`."""
        return self.n_keys.bit_length()

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON types; `from_dict` is the inverse."""
        return dataclasses.asdict(self) | {"weights": list(self.weights)}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Bf16Spec:
        """Rebuild a spec from `to_dict`'s result, with every check."""
        known = {field.name for field in dataclasses.fields(cls)}
        if unknown := sorted(set(fields) - known):
            raise ValueError(f"unknown spec key {unknown[0]!r}; known: {', '.join(sorted(known))}")
        return cls(**fields)


@dataclass(frozen=True, kw_only=True, eq=False)
class Bf16Attention:
    """What `attend_bf16` found for each query.

    Attributes
    ----------
    out
        Bit patterns, `(..., n_queries, d_value)`.
    weight
        Bit patterns, `(..., n_queries, n_keys)`; 0 where the query does not see the key.
    is_empty
        True where the query sees no key, `(..., n_queries)`.
    """

    out: NDArray[np.int64]
    weight: NDArray[np.int64]
    is_empty: NDArray[np.bool_]


def attend_bf16(
    spec: Bf16Spec, q: ArrayLike, k: ArrayLike, v: ArrayLike, *, n_valid: ArrayLike | None = None
) -> Bf16Attention:
    """Attend as `spec` says, exactly.

    Parameters
    ----------
    spec
        The arithmetic.
    q, k, v
        Bit patterns, `(..., n_queries, d_head)`, `(..., n_keys, d_head)` and `(..., n_keys, d_value)`.
    n_valid
        A query sees the keys whose index is below it: integers that broadcast to `(..., n_queries)`. None: all.

    Raises
    ------
    TypeError, ValueError
        A pattern is no finite number, or a shape does not fit.
    """
    q, k, v = (from_patterns(x) for x in (q, k, v))
    n_keys = k.shape[-2]
    if n_keys > spec.n_keys:
        raise ValueError(f"k must have at most n_keys = {spec.n_keys} keys, not {n_keys}")
    for name, x, length in (("q", q, spec.d_head), ("k", k, spec.d_head), ("v", v, spec.d_value)):
        if x.shape[-1] != length:
            raise ValueError(f"{name} must have a last axis of {length}, not a shape of {x.shape}")
    score = tree_sum(rounded(q[..., :, None, :] * k[..., None, :, :]))
    n_valid = np.asarray(n_keys if n_valid is None else n_valid)
    if n_valid.size and not 0 <= n_valid.min() <= n_valid.max() <= n_keys:
        raise ValueError(f"n_valid must be 0 to {n_keys}, not {n_valid.min()} to {n_valid.max()}")
    seen = np.arange(n_keys) < np.broadcast_to(n_valid, score.shape[:-1])[..., None]
    best = np.where(seen, score, -np.inf).max(axis=-1, keepdims=True, initial=-np.inf)
    distance = to_patterns(np.where(seen, best - score, 0.0))
    index = np.clip((distance >> (7 - FRACTION_BITS)) - spec.first, 0, len(spec.weights) - 1)
    weight = np.where(seen, np.asarray(spec.weights)[index], 0)

    weights = from_patterns(weight)
    sums = np.zeros((*score.shape[:-1], spec.d_value, spec.n_sums))
    weight_sums = np.zeros((*score.shape[:-1], spec.n_sums))
    for row in range(-(-n_keys // spec.n_lanes)):
        lanes = slice(row * spec.n_lanes, (row + 1) * spec.n_lanes)
        absent = spec.n_lanes - len(range(n_keys)[lanes])
        of_row = np.pad(weights[..., lanes], [(0, 0)] * (weights.ndim - 1) + [(0, absent)])
        values = np.pad(v[..., lanes, :], [(0, 0)] * (v.ndim - 2) + [(0, absent), (0, 0)])
        products = rounded(of_row[..., :, None, :] * values.swapaxes(-1, -2)[..., None, :, :])
        for of_rows, row_sum in ((sums, tree_sum(products)), (weight_sums, tree_sum(of_row))):
            partial = of_rows[..., row % spec.n_sums]
            partial[...] = rounded(partial + row_sum)
    acc, weight_sum = tree_sum(sums), tree_sum(weight_sums)
    out = rounded(acc / np.where(weight_sum == 0, 1.0, weight_sum)[..., None])
    return Bf16Attention(out=to_patterns(out), weight=weight, is_empty=~seen.any(axis=-1))
