"""Subtraction of a few bits, as modules of their own, of which a fast wide one is made."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hamming.golden.checks import require_int

__all__ = ["LowerSubtractor", "UpperSubtractor"]


class LowerSubtractor(wiring.Component):
    """`difference = a - b`, whose highest bit is the borrow that goes on.

    Combinational. It stands in a module of its own, since synthesis for area would make one slow chain of a wide
    subtractor's parts.

    Parameters
    ----------
    width
        Bits of `a` and `b`.

    Members
    -------
    a, b : In(width)
    difference : Out(width + 1)
    """

    a: Signal
    b: Signal
    difference: Signal

    def __init__(self, width: int):
        self.width = require_int("width", width, 1)
        super().__init__({"a": In(width), "b": In(width), "difference": Out(width + 1)})

    def elaborate(self, platform) -> Module:
        m = Module()
        m.d.comb += self.difference.eq(self.a - self.b)
        return m


class UpperSubtractor(wiring.Component):
    """`difference = a - b`, and `less_one = a - b - 1`, for a borrow that comes late.

    Combinational. Parameters and members as of `LowerSubtractor`, and `less_one : Out(width + 1)`.
    """

    a: Signal
    b: Signal
    difference: Signal
    less_one: Signal

    def __init__(self, width: int):
        self.width = require_int("width", width, 1)
        super().__init__({"a": In(width), "b": In(width), "difference": Out(width + 1), "less_one": Out(width + 1)})

    def elaborate(self, platform) -> Module:
        m = Module()
        m.d.comb += [self.difference.eq(self.a - self.b), self.less_one.eq(self.a - self.b - 1)]
        return m
