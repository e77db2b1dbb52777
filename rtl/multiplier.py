"""Products by multiplication, which tools make a multiplier of an FPGA of."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import C, Cat, Module, Value

from hamming.rtl.dimensions import Dimensions

__all__ = ["Multiplier"]


class Multiplier:
    """One term: the product of a weight and each of many values."""

    def __init__(self, dims: Dimensions):
        self.may_lack_words = dims.config.memories[1] == "request"

    def lines(self, m: Module, weight: Value) -> list[Value]:
        """Return the bits of the weight."""
        return list(weight)

    def negated(self, lines: Sequence[Value]) -> Value:
        """Return nothing: a product is never too large."""
        return C(0, 0)

    def terms(self, m: Module, lines: Sequence[Value], values: Sequence[Value]) -> list[tuple[int, list[Value]]]:
        """Return place 0 and the product of each value, whose bits `values` has as words.

        A weight of 0 asks no memory for a word. What stands in its place may never have been anything, and 0 times that
        is unknown to a simulator: so it is 0.
        """
        weight = Cat(lines)
        if self.may_lack_words:
            values = [word & weight.any().replicate(len(word)) for word in values]
        return [(0, [weight * Cat(word[n] for word in values) for n in range(len(values[0]))])]
