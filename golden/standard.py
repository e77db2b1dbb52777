"""Standard attention in integers: what the baseline that the engine is compared with computes, to the last bit.

Softmax attention of full precision with int8 queries, keys and values: every key is scored by an exact dot product, and
takes part. It is the opponent of binary top-k attention, and its contract makes it a small one: scores are compared up
to a bias that the softmax does not see, and weights end at 170, the largest number of four digits of -1 to 2.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hamming.golden.checks import require_int, require_logit_scale, require_table
from hamming.golden.values import quantize
from hamming.golden.weighted_sum import divide_half_up

if TYPE_CHECKING:
    from hamming.golden.spec import AttentionSpec

__all__ = [
    "DIGITS",
    "WEIGHT_MAX",
    "QuantizedInputs",
    "StandardAttention",
    "StandardSpec",
    "attend_standard",
    "digits",
    "logit_scale_of",
    "quantize_inputs",
    "score_bias",
]

#: Bits of an element of a query, a key or a value vector, signed.
ELEMENT_BITS = 8
#: Digits of radix 4 that a query's element or a weight has: each -1, 0, 1 or 2, a query's highest also -2.
DIGITS = 4
#: Largest weight: 2222 in radix 4, so that no weight needs a fifth digit.
WEIGHT_MAX = 170
#: Most entries of the softmax table.
MAX_ENTRIES = 256
#: Widest step of the table, in logits, from which the shift of the scores follows.
MAX_STEP = 1 / 8
#: Largest magnitude that is rounded to 127, in standard deviations, where only those are known.
CLIP = 4.0


@dataclass(frozen=True, kw_only=True)
class StandardSpec:
    """One shape of int8 softmax attention, to the last bit.

    With signed integers of 8 bits `q`, `k` and `v`, for one query and the keys whose index is below its `n_valid`::

        s[j]     = sum(q[i] * k[j][i])
        level[j] = (s[j] + bias(q)) >> score_shift          bias(q): `score_bias`, the same for all keys
        w[j]     = weights[min(max(level) - level[j], len(weights) - 1)]
        out[i]   = floor(2**out_frac_bits * sum(w[j]*v[j][i]) / sum(w[j]) + 1/2)

    With no key the output is zero and flagged empty.

    Parameters
    ----------
    d_head, d_value, n_keys
        As of `golden.spec.AttentionSpec`.
    score_shift
        Lowest bits of a score that are dropped.
    weights
        Softmax table: at least one and at most `MAX_ENTRIES` integers of 0 to `WEIGHT_MAX`, never rising, the first
        positive.
    out_frac_bits
        Fraction bits that the output has more than a value element.

    Raises
    ------
    TypeError
        A parameter is not an integer, or the table not a sequence of integers.
    ValueError
        A parameter is out of range, or the table is not a softmax table.
    """

    d_head: int
    d_value: int
    n_keys: int
    score_shift: int
    weights: tuple[int, ...]
    out_frac_bits: int = 8

    def __post_init__(self) -> None:
        def settle(name: str, low: int, high: int | None = None, why: str = "") -> None:
            object.__setattr__(self, name, require_int(name, getattr(self, name), low, high, why=why))

        settle("d_head", 1, 2**16)
        settle("d_value", 1)
        settle("n_keys", 1, 2**24)
        settle("score_shift", 0, self.score_bits - 1, why="less than the bits of a score")
        settle("out_frac_bits", 0, 16)
        object.__setattr__(self, "weights", self._checked_table())

    def _checked_table(self) -> tuple[int, ...]:
        table = require_table(self.weights, WEIGHT_MAX)
        if not 1 <= len(table) <= MAX_ENTRIES:
            raise ValueError(f"weights must have 1 to {MAX_ENTRIES} entries, not {len(table)}")
        return table

    @classmethod
    def from_logit_scale(
        cls, *, d_head: int, logit_scale: float, max_step: float = MAX_STEP, **fields: Any
    ) -> StandardSpec:
        """Build the spec whose table is the softmax's exponential: `weights[t] = round(170 * exp(-t * step))`.

        `step = logit_scale * 2**score_shift`, the largest that does not exceed `max_step` (one unit of the score, if
        that is larger). The table ends with its first 0, or with `MAX_ENTRIES`.

        Parameters
        ----------
        d_head
            Elements of a query or key.
        logit_scale
            What one unit of a score adds to a logit: `q_scale * k_scale / sqrt(d_head)`.
        max_step
            Widest step of the table, in logits.
        fields
            The other parameters.
        """
        require_logit_scale(logit_scale)
        if not max_step > 0:
            raise ValueError(f"max_step must be positive, not {max_step}")
        most = _score_bits(require_int("d_head", d_head, 1)) - 1
        shift = 0
        while shift < most and logit_scale * 2 ** (shift + 1) <= max_step:
            shift += 1
        step = logit_scale * 2**shift
        table = []
        for t in range(min(MAX_ENTRIES, 2 ** (most + 1 - shift))):
            table.append(round(WEIGHT_MAX * math.exp(-t * step)))
            if table[-1] == 0:
                break
        return cls(d_head=d_head, score_shift=shift, weights=tuple(table), **fields)

    @classmethod
    def like(cls, spec: AttentionSpec, *, max_step: float = MAX_STEP) -> StandardSpec:
        """Build the spec of the baseline that a binary spec is compared with: same shapes, and int8 elements.

        The logit scale is that of the spec's table, for queries and keys that were rounded to 8 bits with `CLIP`
        standard deviations at 127.
        """
        return cls.from_logit_scale(
            d_head=spec.d_head,
            d_value=spec.d_value,
            n_keys=spec.n_keys,
            out_frac_bits=spec.out_frac_bits,
            logit_scale=logit_scale_of(spec.weights) * (CLIP / 127) ** 2,
            max_step=max_step,
        )

    # Widths, each derived here and nowhere else.

    @property
    def value_bits(self) -> int:
        """Bits of a value element."""
        return ELEMENT_BITS

    @property
    def element_bits(self) -> int:
        """Bits of a query's or a key's element."""
        return ELEMENT_BITS

    @property
    def score_bits(self) -> int:
        """Bits of a biased score, unsigned."""
        return _score_bits(self.d_head)

    @property
    def level_bits(self) -> int:
        """Bits of a level."""
        return self.score_bits - self.score_shift

    @property
    def table_bits(self) -> int:
        """Bits of an index of the table (1 at least)."""
        return max(1, (len(self.weights) - 1).bit_length())

    @property
    def weight_bits(self) -> int:
        """Bits of a weight."""
        return WEIGHT_MAX.bit_length()

    @property
    def index_bits(self) -> int:
        """Bits of a key's index (1 at least)."""
        return max(1, (self.n_keys - 1).bit_length())

    @property
    def n_valid_bits(self) -> int:
        """Bits of `n_valid`, 0 to `n_keys`."""
        return self.n_keys.bit_length()

    @property
    def weight_sum_bits(self) -> int:
        """Bits of the sum of all weights."""
        return (self.n_keys * max(self.weights)).bit_length()

    @property
    def acc_bits(self) -> int:
        """Bits of the sum of products of a weight and a value element offset by 128."""
        return ELEMENT_BITS + self.weight_sum_bits

    @property
    def out_bits(self) -> int:
        """Bits of an output element, signed."""
        return ELEMENT_BITS + self.out_frac_bits

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON types; `from_dict` is the inverse."""
        return dataclasses.asdict(self) | {"weights": list(self.weights)}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> StandardSpec:
        """Rebuild a spec from `to_dict`'s result, with every check."""
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(fields) - known)
        if unknown:
            raise ValueError(f"unknown spec key {unknown[0]!r}; known: {', '.join(sorted(known))}")
        return cls(**fields)


def _score_bits(d_head: int) -> int:
    return (d_head * _ROW_ONES).bit_length()


#: A row of 9 ones for each of an element's digits: what an element's rows of partial products hold at most.
_ROW_ONES = (2 ** (ELEMENT_BITS + 1) - 1) * (4**DIGITS - 1) // 3


def logit_scale_of(weights: tuple[int, ...]) -> float:
    """Return the logit scale of a binary softmax table `weights[t] = round(top * exp(-2 * t * logit_scale))`.

    It is read where it shows best: at the entry in which a rounding by half a unit moves it least.
    """
    found, best = 0.0, math.inf
    for t, weight in enumerate(weights):
        if t and weight and 1 / (weight * t) < best:
            found, best = math.log(weights[0] / weight) / (2 * t), 1 / (weight * t)
    return found


def digits(x: ArrayLike) -> NDArray[np.int64]:
    """Return `(..., DIGITS)` digits of radix 4, lowest first: `x = sum(d[n] * 4**n)`.

    All but the highest are -1, 0, 1 or 2; the highest is what is left, -2 to 2 for 8 bits, 0 to 2 for weights.
    """
    rest = np.array(x, np.int64)
    found = []
    for _ in range(DIGITS - 1):
        digit = (rest + 1) % 4 - 1
        found.append(digit)
        rest = (rest - digit) // 4
    return np.stack([*found, rest], axis=-1)


def score_bias(spec: StandardSpec, q: ArrayLike) -> NDArray[np.int64]:
    """What is added to all scores of a query `(..., d_head)`: `(...)`.

    Keys are stored with an offset of 128, and where a digit `-d` of the query is negative, `d * (255 - key)` stands for
    `-d * key`. The partial products are added as complements. None of the three is corrected, since the softmax sees
    only differences::

        bias(q) = 128 * sum(q[i]) + 255 * sum(n[i]) + 2**score_bits - 1 - d_head * 511 * 85

    `n[i]` is what the negative digits of `q[i]` stand for: `sum(-d * 4**n for its digits d < 0)`.
    """
    q = np.asarray(q, np.int64)
    negative = np.maximum(-digits(q), 0) @ 4 ** np.arange(DIGITS)
    offset = 2 ** (ELEMENT_BITS - 1) * q + (2**ELEMENT_BITS - 1) * negative
    return offset.sum(axis=-1) + 2**spec.score_bits - 1 - spec.d_head * _ROW_ONES


@dataclass(frozen=True, kw_only=True, eq=False)
class StandardAttention:
    """What `attend_standard` found for each query.

    Attributes
    ----------
    out
        Output, `(..., n_queries, d_value)`: signed integers of `out_bits`, as of `golden.attention.Attention`.
    level
        Level of each key, `(..., n_queries, n_keys)`; -1 where the query does not see it.
    weight
        Weight of each key, same shape; 0 where the query does not see it.
    is_empty
        True where the query sees no key, `(..., n_queries)`.
    """

    out: NDArray[np.int64]
    level: NDArray[np.int64]
    weight: NDArray[np.int64]
    is_empty: NDArray[np.bool_]


def attend_standard(
    spec: StandardSpec, q: ArrayLike, k: ArrayLike, v: ArrayLike, *, n_valid: ArrayLike | None = None
) -> StandardAttention:
    """Attend as `spec` says, exactly.

    Parameters
    ----------
    spec
        The arithmetic.
    q
        Queries, signed integers of 8 bits, `(..., n_queries, d_head)`.
    k
        Keys, `(..., n_keys, d_head)`, as many as there are, at most the spec's `n_keys`.
    v
        Value vectors, `(..., n_keys, d_value)`.
    n_valid
        A query sees the keys whose index is below it: integers that broadcast to `(..., n_queries)`. None: all.

    Raises
    ------
    TypeError
        An array is not of integers.
    ValueError
        A shape does not fit, or an element is out of range.
    """
    q = _integers("q", q, spec.d_head)
    k = _integers("k", k, spec.d_head)
    v = _integers("v", v, spec.d_value)
    n_keys = k.shape[-2]
    if n_keys > spec.n_keys:
        raise ValueError(f"k must have at most n_keys = {spec.n_keys} keys, not {n_keys}")
    if v.shape[-2] != n_keys:
        raise ValueError(f"v must have a vector for each of the {n_keys} keys, not {v.shape[-2]}")
    # Sums stay below 2**53, so that products of float64 are exact, and faster than those of integers.
    score = (q.astype(np.float64) @ k.astype(np.float64).swapaxes(-1, -2)).astype(np.int64)
    seen = np.arange(n_keys) < _n_valid(n_valid, n_keys, score.shape[:-1])[..., None]
    level = np.where(seen, (score + score_bias(spec, q)[..., None]) >> spec.score_shift, -1)
    distance = np.minimum(level.max(axis=-1, keepdims=True, initial=-1) - level, len(spec.weights) - 1)
    weight = np.where(seen, np.asarray(spec.weights, np.int64)[distance], 0)
    acc = (weight.astype(np.float64) @ v.astype(np.float64)).astype(np.int64)
    weight_sum = weight.sum(axis=-1, keepdims=True)
    return StandardAttention(
        out=divide_half_up(acc << spec.out_frac_bits, np.maximum(weight_sum, 1)),
        level=level,
        weight=weight,
        is_empty=~seen.any(axis=-1),
    )


def _integers(name: str, x: ArrayLike, length: int) -> NDArray[np.int64]:
    x = np.asarray(x)
    if x.dtype.kind not in "iu":
        raise TypeError(f"{name} must be integers, not {x.dtype}")
    if x.ndim < 2 or x.shape[-1] != length:
        raise ValueError(f"{name} must have a last axis of {length}, not a shape of {x.shape}")
    low, high = -(2 ** (ELEMENT_BITS - 1)), 2 ** (ELEMENT_BITS - 1) - 1
    for extreme in (int(x.min()), int(x.max())) if x.size else ():
        if not low <= extreme <= high:
            raise ValueError(f"{name} must be {low} to {high}, not {extreme}")
    return x.astype(np.int64)


def _n_valid(n_valid: ArrayLike | None, n_keys: int, shape: tuple[int, ...]) -> NDArray[np.int64]:
    n_valid = np.asarray(n_keys if n_valid is None else n_valid)
    if n_valid.dtype.kind not in "iu":
        raise TypeError(f"n_valid must be integers, not {n_valid.dtype}")
    if n_valid.size and not 0 <= n_valid.min() <= n_valid.max() <= n_keys:
        raise ValueError(f"n_valid must be 0 to {n_keys}, not {n_valid.min()} to {n_valid.max()}")
    return np.broadcast_to(n_valid, shape)


@dataclass(frozen=True, kw_only=True, eq=False)
class QuantizedInputs:
    """Integers for `attend_standard`, and what they stand for.

    Attributes
    ----------
    q, k, v
        Signed integers of 8 bits.
    v_scale
        What a unit of each value element is worth, `(..., 1, d_value)`; outputs carry it too.
    logit_scale
        What a unit of a score adds to a logit, `(...)`.
    """

    q: NDArray[np.int16]
    k: NDArray[np.int16]
    v: NDArray[np.int16]
    v_scale: NDArray[np.float64]
    logit_scale: NDArray[np.float64]


def quantize_inputs(q: ArrayLike, k: ArrayLike, v: ArrayLike) -> QuantizedInputs:
    """Round real queries, keys and values to 8 bits, symmetrically.

    Queries and keys have one scale a head, with the largest magnitude at 127; values one an element
    (`golden.values.quantize`).

    Parameters
    ----------
    q, k
        Finite real numbers, `(..., n_queries, d_head)` and `(..., n_keys, d_head)`.
    v
        `(..., n_keys, d_value)`.
    """
    (q_integers, q_scale), (k_integers, k_scale) = _symmetric("q", q), _symmetric("k", k)
    values = quantize(np.asarray(v), ELEMENT_BITS)
    return QuantizedInputs(
        q=q_integers,
        k=k_integers,
        v=values.integers,
        v_scale=values.scale,
        logit_scale=q_scale * k_scale / math.sqrt(q_integers.shape[-1]),
    )


def _symmetric(name: str, x: ArrayLike) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    x = np.asarray(x, np.float64)
    if not np.isfinite(x).all():
        raise ValueError(f"{name} must be finite, not {x[~np.isfinite(x)][0]}")
    largest = np.abs(x).max(axis=(-2, -1), initial=0)
    scale = np.where(largest > 0, largest, 127) / 127
    return np.rint(x / scale[..., None, None]).astype(np.int16), scale
