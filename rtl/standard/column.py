"""Value column: one element's weighted sum over a row of keys a cycle, as one carry-save tree."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl.standard.design import StandardDesign
from hamming.rtl.standard.heap import addends, compress, register
from hamming.rtl.standard.lane import FIRST_LEVELS
from hamming.rtl.standard.rows import add_rows

__all__ = ["ValueColumn", "carry_places"]

#: Bits of an accumulator through which a carry runs in one cycle.
CHUNK_BITS = 4


def carry_places(acc_bits: int) -> list[int]:
    """Return the bits of an accumulator that have a saved carry beside them."""
    return list(range(CHUNK_BITS, acc_bits, CHUNK_BITS))


class ValueColumn(wiring.Component):
    """Sums the complements of `weight * value` rows over a query's rows of keys, modulo `2**acc_bits`.

    The digits of the weights, which all columns share, select multiples of the values. A row of `n_lanes` keys adds
    `C - sum(w*u) - (2**element_bits - 1)*n`, `u` being the values offset to be unsigned, `n` what negative digits stand
    for (`WeightSums` takes both away again, once for all columns). Carries of the accumulator run through `CHUNK_BITS`
    bits a cycle and are saved in between.

    * **Latency**: 2 cycles from a row of values to the accumulator; `load` copies it for the divider.
    * **Throughput**: a row a cycle.

    Parameters
    ----------
    design
        Sizes.

    Members
    -------
    values : In(element_bits * n_lanes)
        Offset to be unsigned.
    one, two : In(n_digits * n_lanes)
        Digits of the weights: digit `n` of lane `l` is bit `n * n_lanes + l`.
    negative : In((n_digits - 1) * n_lanes)
    enable : In(2)
        Of each stage's registers.
    restart : In(1)
        The row in the first stage begins a new sum.
    load : In(1)
    held : Out(acc_bits + number of carry_places)
        The accumulator's sum bits, then its saved carries, when last loaded.
    """

    values: Signal
    one: Signal
    two: Signal
    negative: Signal
    enable: Signal
    restart: Signal
    load: Signal
    held: Signal

    def __init__(self, design: StandardDesign):
        self.design = design
        n_lanes, acc_bits = design.n_lanes, design.spec.acc_bits
        n_digits = design.spec.n_digits
        super().__init__(
            {
                "values": In(design.spec.element_bits * n_lanes),
                "one": In(n_digits * n_lanes),
                "two": In(n_digits * n_lanes),
                "negative": In((n_digits - 1) * n_lanes),
                "enable": In(2),
                "restart": In(1),
                "load": In(1),
                "held": Out(acc_bits + len(carry_places(acc_bits))),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        n_lanes, acc_bits = self.design.n_lanes, self.design.spec.acc_bits
        bits, n_digits = self.design.spec.element_bits, self.design.spec.n_digits
        elements = [self.values.word_select(lane, bits) for lane in range(n_lanes)]
        rows: list[list[Value]] = [[] for _ in range(max(acc_bits, 2 * n_digits + bits + 1))]
        for n in range(n_digits):
            lines = [list(word[n * n_lanes : (n + 1) * n_lanes]) for word in (self.one, self.two, self.negative)]
            add_rows(m, rows, elements, lines[0], lines[1], lines[2] or None, digit=n)
        columns = compress(m, rows[:acc_bits], n_levels=FIRST_LEVELS, name="first")
        columns = register(m, columns, self.enable[0], "partial")

        # The accumulator is part of the second half of the tree, which it enters a level late, as its restart does.
        columns = compress(m, columns, n_levels=1, name="second")
        restart = Signal(init=1)
        with m.If(self.enable[0]):
            m.d.sync += restart.eq(self.restart)
        places = carry_places(acc_bits)
        acc = Signal(acc_bits, reset_less=True)
        carries = Signal(len(places), reset_less=True)
        kept = Signal(acc_bits + len(places))
        m.d.comb += kept.eq(Cat(acc, carries) & ~restart.replicate(len(kept)))
        for place, column in enumerate(columns):
            column.append(kept[place])
        for number, place in enumerate(places):
            columns[place].append(kept[acc_bits + number])
        a, b = addends(compress(m, columns, name="third"))
        with m.If(self.enable[1]):
            for number, low in enumerate([0, *places]):
                high = min(low + CHUNK_BITS, acc_bits)
                total = Signal(high - low + 1, name=f"chunk_{number}")
                m.d.comb += total.eq(a[low:high] + b[low:high])
                m.d.sync += acc[low:high].eq(total)
                if number < len(places):
                    m.d.sync += carries[number].eq(total[-1])

        held = Signal.like(self.held, reset_less=True)
        with m.If(self.load):
            m.d.sync += held.eq(Cat(acc, carries))
        m.d.comb += self.held.eq(held)
        return m
