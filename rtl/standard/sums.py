"""Sums that all value columns share: of the weights, and of what the columns' sums are to be taken from."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl.standard.design import StandardDesign
from hamming.rtl.standard.heap import addends, compress, register

__all__ = ["WeightSums"]


class WeightSums(wiring.Component):
    """Sum of weights, and `offset`, the number less which a column's sum is the sum of weight times offset value.

    A row of keys adds `n_lanes * row_ones - (2**element_bits - 1) * n` to `offset`, `n = sum(4**digit)` over the
    negative digits: `row_ones` is what a key's rows add to a column, less what its weight and value take away.

    * **Latency**: 3 cycles from digits to sums, one more than the columns'.
    * **Throughput**: a row a cycle.

    Parameters
    ----------
    design
        Sizes.

    Members
    -------
    one, two, negative : In
        As of `ValueColumn`.
    enable : In(3)
        Of each stage's registers.
    restart : In(1)
        The third stage begins new sums.
    weight_sum : Out(weight_sum_bits)
    offset : Out(acc_bits)
        Modulo `2**acc_bits`.
    """

    one: Signal
    two: Signal
    negative: Signal
    enable: Signal
    restart: Signal
    weight_sum: Signal
    offset: Signal

    def __init__(self, design: StandardDesign):
        self.design = design
        n_lanes, n_digits = design.n_lanes, design.spec.n_digits
        super().__init__(
            {
                "one": In(n_digits * n_lanes),
                "two": In(n_digits * n_lanes),
                "negative": In((n_digits - 1) * n_lanes),
                "enable": In(3),
                "restart": In(1),
                "weight_sum": Out(design.spec.weight_sum_bits),
                "offset": Out(design.spec.acc_bits),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        n_lanes, spec = self.design.n_lanes, self.design.spec
        # What a key's digits are worth if all that can be negative are -1.
        most_negative = (4 ** (spec.n_digits - 1) - 1) // 3

        def by_digit(line: Value) -> list[list[Value]]:
            return [list(line[n * n_lanes : (n + 1) * n_lanes]) for n in range(len(line) // n_lanes)]

        # Complements of negative digits, with the constant that makes them a subtraction.
        bits = (n_lanes * spec.weight_max).bit_length()
        weight_columns: list[list[Value]] = [[] for _ in range(bits)]
        negative_columns: list[list[Value]] = [[] for _ in range((n_lanes * most_negative).bit_length())]
        for n, lines in enumerate(by_digit(self.one)):
            weight_columns[2 * n] += lines
        for n, lines in enumerate(by_digit(self.two)):
            weight_columns[2 * n + 1] += lines
        for n, lines in enumerate(by_digit(self.negative)):
            weight_columns[2 * n] += [~line for line in lines]
            negative_columns[2 * n] += lines
        weights = self._addends(m, weight_columns, "weight")
        negatives = self._addends(m, negative_columns, "negative")

        row_weight = Signal(bits, reset_less=True)
        row_offset = Signal.like(self.offset, reset_less=True)
        with m.If(self.enable[1]):
            row_negative = negatives[0] + negatives[1]
            m.d.sync += [
                row_weight.eq(weights[0] + weights[1] - most_negative * n_lanes),
                row_offset.eq(n_lanes * spec.row_ones + row_negative - (row_negative << spec.element_bits)),
            ]
        weight_sum = Signal.like(self.weight_sum, reset_less=True)
        offset = Signal.like(self.offset, reset_less=True)
        with m.If(self.enable[2]):
            m.d.sync += [
                weight_sum.eq(Mux(self.restart, 0, weight_sum) + row_weight),
                offset.eq(Mux(self.restart, 0, offset) + row_offset),
            ]
        m.d.comb += [self.weight_sum.eq(weight_sum), self.offset.eq(offset)]
        return m

    def _addends(self, m: Module, columns: list[list[Value]], name: str) -> tuple[Value, Value]:
        """Return two words, registered, whose sum is that of the columns."""
        return addends(register(m, compress(m, columns, name=name), self.enable[0], f"{name}_addends"))
