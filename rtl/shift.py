"""Products by shifts: a weight that is a power of two or zero, and many values."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import C, Cat, Module, Signal, Value

from hamming.rtl.dimensions import Dimensions

__all__ = ["Shift"]

#: Places that the first of the two steps of a shift has: 0 to 3.
FINE_PLACES = 4


class Shift:
    """The row of the products of a weight that is a power of two or zero, and many values.

    Bit `e` of such a weight says that a value is to be shifted by `e` places, which takes two steps: by `e % 4`
    places and by `e - e % 4`. Both are bits of the weight, ORed: nothing is decoded.
    """

    def __init__(self, dims: Dimensions):
        self.n_columns = dims.spec.acc_bits
        self.weight_bits = dims.spec.weight_bits

    def lines(self, m: Module, weight: Value) -> list[Value]:
        """Return the two steps, a line a number of places each: the fine one, then the coarse one."""
        fine = [weight[place::FINE_PLACES].any() for place in range(min(FINE_PLACES, len(weight)))]
        coarse = [weight[place : place + FINE_PLACES].any() for place in range(0, len(weight), FINE_PLACES)]
        return fine + coarse

    def negated(self, lines: Sequence[Value]) -> Value:
        """Return nothing: a shifted value is never too large."""
        return C(0, 0)

    def rows(self, m: Module, lines: Sequence[Value], values: Sequence[Value]) -> list[list[Value]]:
        """Return the bits of the row by column: like `values`, words with a bit of each value."""
        n_fine = min(FINE_PLACES, self.weight_bits)
        n_values = len(values[0])
        words = values
        for name, steps, places in (("fine", lines[:n_fine], 1), ("coarse", lines[n_fine:], FINE_PLACES)):
            shifted = []
            for column in range(len(words) + places * (len(steps) - 1)):
                bit: Value = C(0, n_values)
                for p, line in enumerate(steps):
                    if 0 <= column - places * p < len(words):
                        bit |= line.replicate(n_values) & words[column - places * p]
                word = Signal(n_values, name=f"{name}_shifted_{column}")
                m.d.comb += word.eq(bit)
                shifted.append(word)
            words = shifted
        used = words[: len(values) + self.weight_bits - 1]
        return [[word] for word in used] + [[] for _ in range(self.n_columns - len(used))]

    def terms(self, m: Module, lines: Sequence[Value], values: Sequence[Value]) -> list[tuple[int, list[Value]]]:
        """Return place 0 and the row of each value, whose bits `values` has as words."""
        words = [word for column in self.rows(m, lines, values) for word in column]
        return [(0, [Cat(word[n] for word in words) for n in range(len(values[0]))])]
