"""Sums that all value columns share: of the weights, and of what the columns' sums are to be taken from."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hamming.golden.standard import DIGITS
from hamming.rtl.standard.design import StandardDesign
from hamming.rtl.standard.heap import addends, compress, register

__all__ = ["WeightSums"]

#: Ones that a key's rows add to a column, less what its weight and value take away.
ROW_ONES = 511 * 85


class WeightSums(wiring.Component):
    """Sum of weights, and `offset`, the number less which a column's sum is the sum of weight times offset value.

    A row of keys adds `n_lanes * 511 * 85 - 255 * n` to `offset`, `n = sum(4**digit)` over the negative digits.

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
        n_lanes = design.n_lanes
        super().__init__(
            {
                "one": In(DIGITS * n_lanes),
                "two": In(DIGITS * n_lanes),
                "negative": In((DIGITS - 1) * n_lanes),
                "enable": In(3),
                "restart": In(1),
                "weight_sum": Out(design.spec.weight_sum_bits),
                "offset": Out(design.spec.acc_bits),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        n_lanes = self.design.n_lanes

        def by_digit(line: Value) -> list[list[Value]]:
            return [list(line[n * n_lanes : (n + 1) * n_lanes]) for n in range(len(line) // n_lanes)]

        # Complements of negative digits, with the constant that makes them a subtraction.
        bits = (n_lanes * 170).bit_length()
        weight_columns: list[list[Value]] = [[] for _ in range(bits)]
        negative_columns: list[list[Value]] = [[] for _ in range((n_lanes * 21).bit_length())]
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
                row_weight.eq(weights[0] + weights[1] - 21 * n_lanes),
                row_offset.eq(n_lanes * ROW_ONES + row_negative - (row_negative << 8)),
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
