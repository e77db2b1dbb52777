"""What is computed: the arithmetic contract of binary top-k attention.

An `AttentionSpec` fixes every bit of every output. How the hardware gets there (lanes, selector,
pipelining) is an engine configuration's business, and no configuration changes a bit.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import ArrayLike

from hamming.golden.checks import require_choice, require_int, require_logit_scale, require_tables

__all__ = ["WEIGHT_FORMS", "AttentionSpec"]

#: What a softmax table's entries may be: the exponential, rounded to integers, or the nearest powers of two.
WEIGHT_FORMS = ("exponential", "power_of_two")

#: What is supported; beyond it a generator, or a simulator, would run for hours.
MAX_D_HEAD = 4096
MAX_D_VALUE = 4096
MAX_KEYS = 2**17
MAX_TOP_K = 4096
MAX_TABLES = 256

#: Widest numerator that the golden model's 64-bit integers hold.
MAX_NUMERATOR_BITS = 63


def exponential_table(d_head: int, logit_scale: float, weight_bits: int = 12) -> tuple[int, ...]:
    """Softmax table `weights[t] = round((2**weight_bits - 1) * exp(-2 * t * logit_scale))`.

    `t` is the deficit, `max_matches - matches`, 0 to `d_head`. One match more or less moves the ±1
    dot product by 2, hence the factor (HAD, arXiv 2502.01770, eq. 5, with scores that are integers).

    Parameters
    ----------
    d_head
        Elements of a query or key.
    logit_scale
        `sigma_q * sigma_k / sqrt(d_head)`: what one unit of the ±1 dot product adds to a logit.
    weight_bits
        Bits of a table entry.
    """
    d_head, logit_scale, weight_bits = _checked_form(d_head, logit_scale, weight_bits)
    top = 2**weight_bits - 1
    return tuple(round(top * math.exp(-2 * t * logit_scale)) for t in range(d_head + 1))


def power_of_two_table(d_head: int, logit_scale: float, weight_bits: int = 12) -> tuple[int, ...]:
    """Softmax table of powers of two, the nearest to the exponential in the logarithm.

    ::

        weights[t] = 2**(weight_bits - 1 - s),  s = floor(2 * t * logit_scale / ln(2) + 1/2)

    and 0 where `s` is `weight_bits` or more. No entry is off by more than a factor of `sqrt(2)`, but for those that
    are 0. A multiplication by such a weight is a shift.

    Parameters
    ----------
    d_head, logit_scale, weight_bits
        As of `exponential_table`.
    """
    d_head, logit_scale, weight_bits = _checked_form(d_head, logit_scale, weight_bits)
    # Of a large scale all entries but the first are 0; no number may become too large for an integer on the way.
    halvings = (math.floor(min(2 * t * logit_scale / math.log(2) + 0.5, weight_bits)) for t in range(d_head + 1))
    return tuple(2 ** (weight_bits - 1 - s) if s < weight_bits else 0 for s in halvings)


def _checked_form(d_head: int, logit_scale: float, weight_bits: int) -> tuple[int, float, int]:
    scale = require_logit_scale(logit_scale)
    return require_int("d_head", d_head, 1, MAX_D_HEAD), scale, require_int("weight_bits", weight_bits, 1, 32)


@dataclass(frozen=True, kw_only=True)
class AttentionSpec:
    """One shape of attention over binary queries and keys, to the last bit.

    With `q`, `k` bits (1 is +1, 0 is -1) and `v` signed integers, for one query::

        matches[j] = popcount(~(q ^ k[j]))                    the ±1 dot product is 2*matches - d_head
        kept       = the top_k keys that take part, most matches first, lower index first among equals
        w[j]       = weights[max_matches - matches[j]]        max_matches: the row's own maximum
        out[i]     = floor(2**out_frac_bits * sum(w[j]*v[j][i]) / sum(w[j]) + 1/2)      over the kept

    A query names a range of keys, `first` and `n_valid`, where its sinks begin, `base`, and a table. A key takes part
    if it is not masked, and `first <= index < n_valid` or `base <= index < min(base + n_sinks, n_valid)`. What is above
    `n_keys` is taken as `n_keys`, a `table` of `n_tables` or more as the last one. With fewer such keys than `top_k`
    all of them are kept; with none the output is zero and flagged empty.

    Parameters
    ----------
    d_head
        Elements (bits) of a query or key, 1 to 4,096.
    d_value
        Elements of a value vector, 1 to 4,096.
    n_keys
        Most keys that one query sees, 1 to 131,072.
    top_k
        Keys kept for each query (N of HAD, arXiv 2502.01770), 1 to `n_keys`, and 4,096 at most.
    weights
        Softmax table: `d_head + 1` unsigned integers of `weight_bits`, never rising, the first positive. Or a
        sequence of such tables, 256 at most, of which a query names one.
    value_bits
        Bits of a value element, signed two's complement, 2 to 16.
    weight_bits
        Bits of a table entry, 1 to 32.
    out_frac_bits
        Fraction bits that the output has more than a value element; as many as the numerator's 63 bits leave.
    n_sinks
        Keys from a query's `base` on that take part beside its range, 0 to `n_keys`.

    Raises
    ------
    TypeError
        A parameter is not an integer, or the table not a sequence of integers.
    ValueError
        A parameter is out of range, the table is not a softmax table, or the division's numerator
        needs more than 63 bits.
    """

    d_head: int
    d_value: int
    n_keys: int
    top_k: int
    weights: tuple[int, ...] | tuple[tuple[int, ...], ...]
    value_bits: int = 8
    weight_bits: int = 12
    out_frac_bits: int = 8
    n_sinks: int = 0

    def __post_init__(self) -> None:
        def settle(name: str, low: int, high: int | None = None, why: str = "") -> None:
            object.__setattr__(self, name, require_int(name, getattr(self, name), low, high, why=why))

        settle("d_head", 1, MAX_D_HEAD)
        settle("d_value", 1, MAX_D_VALUE)
        settle("n_keys", 1, MAX_KEYS)
        settle("top_k", 1, min(self.n_keys, MAX_TOP_K), why="n_keys" if self.n_keys <= MAX_TOP_K else "")
        settle("value_bits", 2, 16)
        settle("weight_bits", 1, 32)
        settle("out_frac_bits", 0, MAX_NUMERATOR_BITS - 5)  # a value of 2 bits, a weight of 1, and the 2 added here
        settle("n_sinks", 0, self.n_keys, why="n_keys")
        object.__setattr__(self, "weights", self._checked_weights())
        if self.numerator_bits > MAX_NUMERATOR_BITS:
            raise ValueError(
                f"the accumulator is wider than supported: value_bits {self.value_bits} + weight sum bits "
                f"{self.weight_sum_bits} + out_frac_bits {self.out_frac_bits} + 2 = {self.numerator_bits}, "
                f"allowed {MAX_NUMERATOR_BITS}; lower one of them, or top_k"
            )

    def _checked_weights(self) -> tuple[int, ...] | tuple[tuple[int, ...], ...]:
        tables = require_tables(
            self.weights, self.d_head + 1, MAX_TABLES, 2**self.weight_bits - 1, why=f"weight_bits {self.weight_bits}"
        )
        return tables if len(tables) != 1 else tables[0]

    @classmethod
    def from_logit_scale(
        cls,
        *,
        d_head: int,
        logit_scale: ArrayLike,
        weight_bits: int = 12,
        weight_form: str = "exponential",
        **fields: Any,
    ) -> AttentionSpec:
        """Build the spec whose table is the paper's softmax.

        Parameters
        ----------
        d_head, logit_scale, weight_bits
            As of `exponential_table`; several logit scales make as many tables.
        weight_form
            `exponential`: the table is `exponential_table`. `power_of_two`: it is `power_of_two_table`, which a
            configuration with `product = "shift"` needs.
        fields
            The spec's others.
        """
        require_choice("weight_form", weight_form, WEIGHT_FORMS)
        build = exponential_table if weight_form == "exponential" else power_of_two_table
        if isinstance(logit_scale, str) or not hasattr(logit_scale, "__iter__"):
            weights = build(d_head, logit_scale, weight_bits)  # type: ignore[arg-type]
        else:
            scales = tuple(logit_scale)  # type: ignore[arg-type]
            if not 1 <= len(scales) <= MAX_TABLES:
                raise ValueError(f"logit_scale must be one number or 1 to {MAX_TABLES} of them, not {len(scales)}")
            weights = tuple(build(d_head, scale, weight_bits) for scale in scales)
        return cls(d_head=d_head, weights=weights, weight_bits=weight_bits, **fields)

    @property
    def tables(self) -> tuple[tuple[int, ...], ...]:
        """The softmax tables, one or more."""
        return self.weights if self.n_tables > 1 else (self.weights,)  # type: ignore[return-value]

    @property
    def n_tables(self) -> int:
        """Softmax tables, of which a query names one."""
        return len(self.weights) if isinstance(self.weights[0], tuple) else 1

    # Widths, each derived here and nowhere else.

    @property
    def matches_bits(self) -> int:
        """Bits of `matches` and of a deficit, both 0 to `d_head`."""
        return self.d_head.bit_length()

    @property
    def index_bits(self) -> int:
        """Bits of a key's index, 0 to `n_keys - 1` (1 bit at least)."""
        return max(1, (self.n_keys - 1).bit_length())

    @property
    def n_valid_bits(self) -> int:
        """Bits of `n_valid`, 0 to `n_keys`."""
        return self.n_keys.bit_length()

    @property
    def table_bits(self) -> int:
        """Bits of a table's number, 0 to `n_tables - 1` (none if there is one table)."""
        return (self.n_tables - 1).bit_length()

    @property
    def weight_sum_bits(self) -> int:
        """Bits of the sum of `top_k` weights, whatever the table."""
        return (self.top_k * (2**self.weight_bits - 1)).bit_length()

    @property
    def acc_bits(self) -> int:
        """Bits of the signed sum of `top_k` products of a weight and a value element."""
        return self.value_bits + self.weight_sum_bits

    @property
    def numerator_bits(self) -> int:
        """Bits of the signed numerator `2**(out_frac_bits + 1) * acc + weight_sum` of the division."""
        return self.acc_bits + self.out_frac_bits + 2

    @property
    def out_bits(self) -> int:
        """Bits of an output element, signed: a weighted mean lies between the values' extremes."""
        return self.value_bits + self.out_frac_bits

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON types; `from_dict` is the inverse. No sinks are left out."""
        fields = dataclasses.asdict(self)
        fields["weights"] = [list(table) for table in self.tables] if self.n_tables > 1 else list(self.weights)
        if not self.n_sinks:
            del fields["n_sinks"]
        return fields

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> AttentionSpec:
        """Rebuild a spec from `to_dict`'s result, with every check."""
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(fields) - known)
        if unknown:
            raise ValueError(f"unknown spec key {unknown[0]!r}; known: {', '.join(sorted(known))}")
        required = {field.name for field in dataclasses.fields(cls) if field.default is dataclasses.MISSING}
        missing = sorted(required - set(fields))
        if missing:
            raise ValueError(f"missing spec key {missing[0]!r}; needed: {', '.join(sorted(required))}")
        return cls(**fields)
