"""The baseline's contract: the shape of softmax attention in integers, its table and its widths, to the last bit.

Softmax attention with queries, keys and values of 8 bits, or of 4: every key is scored by an exact dot product, and
takes part, or the `top_k` best of them. It is the opponent of binary top-k attention, and its contract makes it a small
one: scores are compared up to a bias that the softmax does not see, and weights end at 170, the largest number of four
digits of -1 to 2 (at 10, that of two digits, for elements of 4 bits), unless few keys are weighed.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hamming.golden.checks import require_int, require_logit_scale, require_table

if TYPE_CHECKING:
    from hamming.golden.spec import AttentionSpec

__all__ = ["CLIP", "ELEMENT_BITS", "StandardSpec", "logit_scale_of", "unit_of"]

#: Bits that an element of a query, a key or a value vector may have.
ELEMENT_BITS = (8, 4)
#: Most entries of the softmax table.
MAX_ENTRIES = 256
#: Most keys kept, if not all are.
MAX_TOP_K = 4096
#: Fields that a description leaves out.
_UNSAID = (("element_bits", 8), ("top_k", None))
#: Widest step of the table, in logits, from which the shift of the scores follows: by bits of an element. Weights of 0
#: to 10 would show no more of a finer one.
MAX_STEP = {8: 1 / 8, 4: 1 / 4}
#: Magnitude that is rounded to the largest integer, in standard deviations, where only those are known. For 4 bits it
#: is where the mean square error of a normal distribution is least; larger ones are clipped.
CLIP = {8: 4.0, 4: 2.5}
#: Widest step where keys are selected, whose selector counts keys by entries of the table.
MAX_STEP_SELECTED = 1 / 4


@dataclass(frozen=True, kw_only=True)
class StandardSpec:
    """One shape of softmax attention in integers, to the last bit.

    With signed integers `q`, `k` and `v`, for one query and the keys whose index is below its `n_valid`::

        s[j]        = sum(q[i] * k[j][i])
        level[j]    = (s[j] + bias(q)) >> score_shift       bias(q): `score_bias`, the same for all keys
        distance[j] = min(max(level) - level[j], len(weights) - 1)
        kept        = all of them, or the top_k of least distance, the lower index first among equals
        w[j]        = weights[distance[j]]
        out[i]      = floor(2**out_frac_bits * sum(w[j]*v[j][i]) / sum(w[j]) + 1/2)      over the kept

    With no key the output is zero and flagged empty.

    Parameters
    ----------
    d_head, d_value, n_keys
        As of `golden.spec.AttentionSpec`.
    score_shift
        Lowest bits of a score that are dropped.
    weights
        Softmax table: at least one and at most `MAX_ENTRIES` integers of 0 to `weight_max`, never rising, the first
        positive.
    out_frac_bits
        Fraction bits that the output has more than a value element.
    element_bits
        Bits of an element of a query, a key or a value vector: one of `ELEMENT_BITS`.
    top_k
        Keys kept, 1 to `n_keys` and 4,096 at most, of a table of two entries at least. None: all.

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
    element_bits: int = 8
    top_k: int | None = None

    def __post_init__(self) -> None:
        def settle(name: str, low: int, high: int | None = None, why: str = "") -> None:
            object.__setattr__(self, name, require_int(name, getattr(self, name), low, high, why=why))

        if self.element_bits not in ELEMENT_BITS:
            raise ValueError(f"element_bits must be {' or '.join(map(str, ELEMENT_BITS))}, not {self.element_bits!r}")
        settle("d_head", 1, 2**16)
        settle("d_value", 1)
        settle("n_keys", 1, 2**24)
        settle("score_shift", 0, self.score_bits - 1, why="less than the bits of a score")
        settle("out_frac_bits", 0, 16)
        if self.top_k is not None:
            settle("top_k", 1, min(self.n_keys, MAX_TOP_K), why="n_keys" if self.n_keys <= MAX_TOP_K else "")
        object.__setattr__(self, "weights", self._checked_table())

    def _checked_table(self) -> tuple[int, ...]:
        table = require_table(self.weights, self.weight_max)
        least = 1 if self.top_k is None else 2
        if not least <= len(table) <= MAX_ENTRIES:
            raise ValueError(f"weights must have {least} to {MAX_ENTRIES} entries, not {len(table)}")
        return table

    @classmethod
    def from_logit_scale(
        cls,
        *,
        d_head: int,
        logit_scale: float,
        max_step: float | None = None,
        element_bits: int = 8,
        top_k: int | None = None,
        **fields: Any,
    ) -> StandardSpec:
        """Build the spec whose table is the softmax's exponential: `weights[t] = round(weight_max * exp(-t * step))`.

        `step = logit_scale * 2**score_shift`, the largest that does not exceed `max_step` (one unit of the score, if
        that is larger). The table ends with its first 0, or with `MAX_ENTRIES`.

        Parameters
        ----------
        d_head
            Elements of a query or key.
        logit_scale
            What one unit of a score adds to a logit: `q_scale * k_scale / sqrt(d_head)`.
        max_step
            Widest step of the table, in logits. None: `MAX_STEP`, or `MAX_STEP_SELECTED` with a `top_k`.
        element_bits, top_k, fields
            The other parameters.
        """
        require_logit_scale(logit_scale)
        if max_step is None:
            max_step = MAX_STEP.get(element_bits, 1.0) if top_k is None else MAX_STEP_SELECTED
        if not max_step > 0:
            raise ValueError(f"max_step must be positive, not {max_step}")
        most = _score_bits(require_int("d_head", d_head, 1), element_bits) - 1
        shift = 0
        while shift < most and logit_scale * 2 ** (shift + 1) <= max_step:
            shift += 1
        step = logit_scale * 2**shift
        table = []
        for t in range(min(MAX_ENTRIES, 2 ** (most + 1 - shift))):
            table.append(round(_weight_max(element_bits, top_k) * math.exp(-t * step)))
            if table[-1] == 0:
                break
        shape = {"d_head": d_head, "element_bits": element_bits, "top_k": top_k}
        return cls(score_shift=shift, weights=tuple(table), **shape, **fields)

    @classmethod
    def like(
        cls, spec: AttentionSpec, *, element_bits: int = 8, max_step: float | None = None, selects: bool = False
    ) -> StandardSpec:
        """Build the spec of the baseline that a binary spec is compared with: same shapes, other elements.

        With `selects` it keeps as many keys as the binary one.

        The logit scale is that of the spec's table, for queries and keys of which a unit is worth `unit_of` standard
        deviations.
        """
        return cls.from_logit_scale(
            d_head=spec.d_head,
            d_value=spec.d_value,
            n_keys=spec.n_keys,
            out_frac_bits=spec.out_frac_bits,
            element_bits=element_bits,
            logit_scale=logit_scale_of(spec.tables[0]) * unit_of(element_bits) ** 2,
            max_step=max_step,
            top_k=spec.top_k if selects else None,
        )

    # Widths, each derived here and nowhere else.

    @property
    def value_bits(self) -> int:
        """Bits of a value element."""
        return self.element_bits

    @property
    def n_digits(self) -> int:
        """Digits of radix 4 that a query's element or a weight has: each -1, 0, 1 or 2, a query's highest also -2."""
        return self.element_bits // 2

    @property
    def weight_max(self) -> int:
        """Largest weight: 22... in radix 4, so that no weight needs a digit more; all ones where keys are selected."""
        return _weight_max(self.element_bits, self.top_k)

    @property
    def row_ones(self) -> int:
        """A row of ones for each of an element's digits: what an element's rows of partial products hold at most."""
        return _row_ones(self.element_bits)

    @property
    def score_bits(self) -> int:
        """Bits of a biased score, unsigned."""
        return _score_bits(self.d_head, self.element_bits)

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
        return self.weight_max.bit_length()

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
        """Bits of the sum of all weights that are kept."""
        return ((self.top_k or self.n_keys) * max(self.weights)).bit_length()

    @property
    def acc_bits(self) -> int:
        """Bits of the sum of products of a weight and a value element that is offset to be unsigned."""
        return self.element_bits + self.weight_sum_bits

    @property
    def out_bits(self) -> int:
        """Bits of an output element, signed."""
        return self.element_bits + self.out_frac_bits

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON types, 8 bits an element and all keys unsaid; `from_dict` is the inverse."""
        fields = dataclasses.asdict(self) | {"weights": list(self.weights)}
        return {name: value for name, value in fields.items() if (name, value) not in _UNSAID}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> StandardSpec:
        """Rebuild a spec from `to_dict`'s result, with every check."""
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(fields) - known)
        if unknown:
            raise ValueError(f"unknown spec key {unknown[0]!r}; known: {', '.join(sorted(known))}")
        return cls(**fields)


def _weight_max(element_bits: int, top_k: int | None) -> int:
    return 2 * (4 ** (element_bits // 2) - 1) // 3 if top_k is None else 2**element_bits - 1


def _row_ones(element_bits: int) -> int:
    return (2 ** (element_bits + 1) - 1) * (4 ** (element_bits // 2) - 1) // 3


def _score_bits(d_head: int, element_bits: int) -> int:
    return (d_head * _row_ones(element_bits)).bit_length()


def unit_of(element_bits: int) -> float:
    """Return what an integer's unit is worth, in standard deviations, where only those are known."""
    return CLIP[element_bits] / (2 ** (element_bits - 1) - 1)


def logit_scale_of(weights: tuple[int, ...]) -> float:
    """Return the logit scale of a binary softmax table `weights[t] = round(top * exp(-2 * t * logit_scale))`.

    It is read where it shows best: at the entry in which a rounding by half a unit moves it least.
    """
    found, best = 0.0, math.inf
    for t, weight in enumerate(weights):
        if t and weight and 1 / (weight * t) < best:
            found, best = math.log(weights[0] / weight) / (2 * t), 1 / (weight * t)
    return found
