"""Products by digits: a weight that many values are multiplied by, recoded to the digits of `rtl.digits`."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import C, Cat, Module, Signal, Value

from hamming.rtl.digits import top_digits
from hamming.rtl.dimensions import Dimensions

__all__ = ["Multiply"]


class Multiply:
    """Rows of the products of any weight and many values: half as many as the weight has bits.

    For a digit of -1 the row is the value's complement, `2**value_bits - 1` too large. Those digits are counted, and
    one correction for all values is left to the division.
    """

    def __init__(self, dims: Dimensions):
        self.tops = top_digits(dims.spec.weight_bits)
        self.n_columns = dims.spec.acc_bits

    def lines(self, m: Module, weight: Value) -> list[Value]:
        """Recode a weight: for each digit whether it is 1, 2 and -1."""
        lines = []
        carry: Value | int = 0
        for i in range(len(self.tops)):
            pair = Cat(weight[2 * i : 2 * i + 2])
            digit = Signal(3, name=f"digit_{i}")
            m.d.comb += digit.eq(pair + carry)
            lines += [digit == 1, digit == 2, digit == 3]
            carry = digit >= 3
        return lines

    def negated(self, lines: Sequence[Value]) -> Value:
        """Return the sum of `4**i` over the digits that are -1, which the last never is."""
        return Cat(Cat(line, C(0, 1)) for line in lines[2:-1:3])

    def rows(self, m: Module, lines: Sequence[Value], values: Sequence[Value]) -> list[list[Value]]:
        """Return the bits of the rows by column: like `values`, words with a bit of each value."""
        n_values = len(values[0])
        columns: list[list[Value]] = [[] for _ in range(self.n_columns)]
        for i, top in enumerate(self.tops):
            is_one, is_two, is_negative = (line.replicate(n_values) for line in lines[3 * i : 3 * i + 3])
            for k in range(len(values) + (top > 1)):
                bit: Value = C(0, n_values)
                if k < len(values):
                    bit = is_one & values[k]
                    if i < len(self.tops) - 1:
                        bit |= is_negative & ~values[k]
                if k > 0 and top > 1:
                    bit |= is_two & values[k - 1]
                word = Signal(n_values, name=f"row_{i}_{k}")
                m.d.comb += word.eq(bit)
                columns[2 * i + k].append(word)
        return columns
