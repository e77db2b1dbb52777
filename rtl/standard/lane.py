"""Scoring lane: the dot product of a query and a key of integers, as one carry-save tree."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hamming.golden.standard import StandardSpec
from hamming.rtl.standard.heap import addends, compress, register
from hamming.rtl.standard.rows import add_rows

__all__ = ["FIRST_LEVELS", "ScoreLane"]

#: Levels of adders between a memory's data and the first register: what a cycle has time for.
FIRST_LEVELS = 5


class ScoreLane(wiring.Component):
    """Level of one key: `level = (s + bias(q)) >> score_shift`.

    All elements' partial products are added in one tree, as complements; the query's digits, which all lanes share,
    select multiples of the key's elements. Nothing is corrected: `bias(q)` (`golden.standard.score_bias`) is what
    offset, complements and negative digits leave.

    * **Latency**: 3 cycles.
    * **Throughput**: a key a cycle.

    Parameters
    ----------
    spec
        The arithmetic.

    Members
    -------
    key : In(element_bits * d_head)
        Elements, offset to be unsigned.
    one, two, negative : In(n_digits * d_head)
        The query's digits: digit `n` of element `i` is bit `n * d_head + i`.
    enable : In(3)
        Of each stage's registers.
    level : Out(level_bits)
    """

    key: Signal
    one: Signal
    two: Signal
    negative: Signal
    positive: Signal
    enable: Signal
    level: Signal

    def __init__(self, spec: StandardSpec):
        self.spec = spec
        lines = spec.n_digits * spec.d_head
        super().__init__(
            {
                "key": In(spec.element_bits * spec.d_head),
                "one": In(lines),
                "two": In(lines),
                "negative": In(lines),
                "positive": In(spec.d_head),
                "enable": In(3),
                "level": Out(spec.level_bits),
            }
        )

    latency = 3

    def elaborate(self, platform) -> Module:
        m = Module()
        d_head, bits = self.spec.d_head, self.spec.score_bits
        elements = [self.key.word_select(i, self.spec.element_bits) for i in range(d_head)]
        columns: list[list[Value]] = [[] for _ in range(bits)]
        for n in range(self.spec.n_digits):
            one, two, negative = (
                list(lines[n * d_head : (n + 1) * d_head]) for lines in (self.one, self.two, self.negative)
            )
            positive = list(self.positive) if n == self.spec.n_digits - 1 else None
            add_rows(m, columns, elements, one, two, negative, digit=n, positive=positive)
        columns = compress(m, columns, n_levels=FIRST_LEVELS, name="first")
        columns = register(m, columns, self.enable[0], "partial")
        columns = register(m, compress(m, columns, name="second"), self.enable[1], "addends")
        total = Signal(bits)
        m.d.comb += total.eq(sum(addends(columns)))
        level = Signal.like(self.level, reset_less=True)
        with m.If(self.enable[2]):
            m.d.sync += level.eq(~total >> self.spec.score_shift)
        m.d.comb += self.level.eq(level)
        return m
