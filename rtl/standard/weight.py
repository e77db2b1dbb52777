"""Weighing lane: a key's level and the row's maximum become the digits of its weight."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hamming.golden.standard import StandardSpec, digits

__all__ = ["WeightLane"]


class WeightLane(wiring.Component):
    """Digits of `weights[min(maximum - level, len(weights) - 1)]`, or of 0 where the key takes no part.

    * **Latency**: 2 cycles.
    * **Throughput**: a key a cycle.

    Parameters
    ----------
    spec
        The arithmetic.

    Members
    -------
    level, maximum : In(level_bits)
    takes_part : In(1)
    enable : In(2)
        Of each stage's registers.
    one, two : Out(n_digits)
        Which digits are of magnitude 1, and of magnitude 2.
    negative : Out(n_digits - 1)
        Which digits are negative; the highest never is.

    Equals `golden.standard.digits` of a weight.
    """

    level: Signal
    maximum: Signal
    takes_part: Signal
    enable: Signal
    one: Signal
    two: Signal
    negative: Signal

    def __init__(self, spec: StandardSpec):
        self.spec = spec
        super().__init__(
            {
                "level": In(spec.level_bits),
                "maximum": In(spec.level_bits),
                "takes_part": In(1),
                "enable": In(2),
                "one": Out(spec.n_digits),
                "two": Out(spec.n_digits),
                "negative": Out(spec.n_digits - 1),
            }
        )

    latency = 2

    def elaborate(self, platform) -> Module:
        m = Module()
        table, bits = self.spec.weights, self.spec.table_bits
        distance = Signal(self.spec.level_bits)
        near = Signal(bits, reset_less=True)
        is_beyond = Signal(reset_less=True)
        index = Signal(bits)
        m.d.comb += [
            distance.eq(self.maximum - self.level),
            # What is beyond the table, or takes no part, gets the index of all ones, where its last entry is.
            index.eq(near | is_beyond.replicate(bits)),
        ]
        with m.If(self.enable[0]):
            m.d.sync += [near.eq(distance), is_beyond.eq(distance[bits:].any() | ~self.takes_part)]

        n_digits = self.spec.n_digits
        found = digits(table, n_digits)
        entries = {
            "one": [sum(1 << n for n in range(n_digits) if d[n] == 1) for d in found],
            "two": [sum(1 << n for n in range(n_digits) if d[n] == 2) for d in found],
            "negative": [sum(1 << n for n in range(n_digits - 1) if d[n] < 0) for d in found],
        }
        lines = {name: Signal.like(getattr(self, name), name=f"{name}_looked_up") for name in entries}
        with m.Switch(index):
            for t in range(len(table) - 1):
                with m.Case(t):
                    m.d.comb += [lines[name].eq(entries[name][t]) for name in entries]
            with m.Default():
                m.d.comb += [lines[name].eq(entries[name][-1]) for name in entries]
        has_part = None
        if table[-1]:  # a key that takes no part is told apart
            has_part = Signal(reset_less=True)
            with m.If(self.enable[0]):
                m.d.sync += has_part.eq(self.takes_part)
        for name, line in lines.items():
            register = Signal.like(line, name=f"{name}_register", reset_less=True)
            with m.If(self.enable[1]):
                m.d.sync += register.eq(line if has_part is None else line & has_part.replicate(len(line)))
            m.d.comb += getattr(self, name).eq(register)
        return m
