"""Scoring lane: the dot product of a query and a key of 8 bits an element, as one carry-save tree."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.standard import DIGITS, ELEMENT_BITS, StandardSpec
from rtl.standard.heap import compress
from rtl.standard.rows import add_rows

__all__ = ["ScoreLane"]


class ScoreLane(wiring.Component):
    """Level of one key: `level = (s + bias(q)) >> score_shift`.

    All elements' partial products are added in one tree, as complements; the query's digits, which all lanes share,
    select multiples of the key's elements. Nothing is corrected: `bias(q)` (`golden.standard.score_bias`) is what
    offset, complements and negative digits leave.

    * **Latency**: 2 cycles.
    * **Throughput**: a key a cycle.

    Parameters
    ----------
    spec
        The arithmetic.
    cut
        Level of the tree in front of which the first register stands; the second holds the level.

    Members
    -------
    key : In(8 * d_head)
        Elements, offset by 128.
    one, two, negative : In(4 * d_head)
        The query's digits: digit `n` of element `i` is bit `n * d_head + i`.
    enable : In(2)
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

    def __init__(self, spec: StandardSpec, *, cut: int | None = None):
        self.spec = spec
        self.cut = 10 if cut is None else cut
        lines = DIGITS * spec.d_head
        super().__init__(
            {
                "key": In(ELEMENT_BITS * spec.d_head),
                "one": In(lines),
                "two": In(lines),
                "negative": In(lines),
                "positive": In(spec.d_head),
                "enable": In(2),
                "level": Out(spec.level_bits),
            }
        )

    latency = 2

    def elaborate(self, platform) -> Module:
        m = Module()
        d_head, bits = self.spec.d_head, self.spec.score_bits
        elements = [self.key.word_select(i, ELEMENT_BITS) for i in range(d_head)]
        columns: list[list[Value]] = [[] for _ in range(bits)]
        for n in range(DIGITS):
            one, two, negative = (
                list(lines[n * d_head : (n + 1) * d_head]) for lines in (self.one, self.two, self.negative)
            )
            positive = list(self.positive) if n == DIGITS - 1 else None
            add_rows(m, columns, elements, one, two, negative, digit=n, positive=positive)
        columns = compress(m, columns, cuts=[self.cut], enables=[self.enable[0]])
        a, b = (Signal(bits, name=f"addend_{n}") for n in range(2))
        m.d.comb += [
            addend.eq(Cat(column[n] if n < len(column) else 0 for column in columns)) for n, addend in enumerate((a, b))
        ]
        total = Signal(bits)
        m.d.comb += total.eq(a + b)
        level = Signal.like(self.level, reset_less=True)
        with m.If(self.enable[1]):
            m.d.sync += level.eq(~total >> self.spec.score_shift)
        m.d.comb += self.level.eq(level)
        return m
