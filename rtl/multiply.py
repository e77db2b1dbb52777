"""Products by digits: a weight that many values are multiplied by, recoded to the digits of `rtl.digits`."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value

from hamming.rtl.digits import top_digits
from hamming.rtl.dimensions import Dimensions

__all__ = ["Multiply", "MultiplyByPairs"]


class Multiply:
    """Rows of the products of any weight and many values: half as many as the weight has bits.

    For a digit of -1 the row is the value's complement, `2**value_bits - 1` too large. Those digits are counted, and
    one correction for all values is left to the division.
    """

    def __init__(self, dims: Dimensions):
        self.tops = top_digits(dims.spec.weight_bits)
        self.n_columns = dims.spec.acc_bits

    def digits(self, m: Module, weight: Value) -> list[Value]:
        """Recode a weight: each digit, 3 for -1; 4 is 0 with a carry into the next."""
        digits = []
        carry: Value | int = 0
        for i in range(len(self.tops)):
            pair = Cat(weight[2 * i : 2 * i + 2])
            digit = Signal(3, name=f"digit_{i}")
            m.d.comb += digit.eq(pair + carry)
            digits.append(digit)
            carry = digit >= 3
        return digits

    def lines(self, m: Module, weight: Value) -> list[Value]:
        """Recode a weight: for each digit whether it is 1, 2 and -1."""
        return [digit == value for digit in self.digits(m, weight) for value in (1, 2, 3)]

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


class MultiplyByPairs(Multiply):
    """The same digits as two bits each, so that a bit of a row is a function of four, and rows as terms of a sum."""

    def lines(self, m: Module, weight: Value) -> list[Value]:
        """Recode a weight: each digit modulo 4, lowest bit first."""
        return [bit for digit in self.digits(m, weight) for bit in digit[:2]]

    def negated(self, lines: Sequence[Value]) -> Value:
        """Return the sum of `4**i` over the digits that are -1, which the last never is."""
        return Cat(Cat(low & high, C(0, 1)) for low, high in zip(lines[:-2:2], lines[1:-2:2], strict=True))

    def terms(self, m: Module, lines: Sequence[Value], values: Sequence[Value]) -> list[tuple[int, list[Value]]]:
        """Return for each digit its place, and the row of each value, whose bits `values` has as words."""
        found = []
        for i, top in enumerate(self.tops):
            low, high = lines[2 * i], lines[2 * i + 1]
            rows = []
            for n in range(len(values[0])):
                value = Cat(word[n] for word in values)
                row = Signal(len(value) + (top > 1), name=f"row_{i}_{n}")
                once = Mux(low, Mux(high, ~value, value) if i < len(self.tops) - 1 else value, 0)
                m.d.comb += row.eq(Mux(high & ~low, value << 1, once) if top > 1 else once)
                rows.append(row)
            found.append((2 * i, rows))
        return found
