"""A register as a module of its own, so that several of the same contents are not merged into one."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hamming.golden.checks import require_int

__all__ = ["Register"]


class Register(wiring.Component):
    """`o` is the `i` of the last cycle in which `enable` was 1.

    Parameters
    ----------
    width
        Bits.

    Members
    -------
    i : In(width)
    enable : In(1)
    o : Out(width)
    """

    i: Signal
    enable: Signal
    o: Signal

    def __init__(self, width: int):
        self.width = require_int("width", width, 1)
        super().__init__({"i": In(width), "enable": In(1), "o": Out(width)})

    def elaborate(self, platform) -> Module:
        m = Module()
        held = Signal(self.width, reset_less=True)
        with m.If(self.enable):
            m.d.sync += held.eq(self.i)
        m.d.comb += self.o.eq(held)
        return m
