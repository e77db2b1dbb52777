"""A register in a stream."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, ResetSignal, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Stage"]


class Stage(wiring.Component):
    """Hands payloads on from a register, so that no path goes through but that of `ready`.

    * **Latency**: 1 cycle.
    * **Throughput**: a payload a cycle.
    * A stall holds the payload that is offered. Nothing is taken in reset.

    Parameters
    ----------
    shape
        Of a payload.
    takes_all
        Whether the register takes what is there in each cycle in which it is free: less to decide, and more that moves.

    Members
    -------
    i, o : In, Out(stream of shape)
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, shape: Any, *, takes_all: bool = False):
        self.shape = shape
        self.takes_all = takes_all
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform) -> Module:
        m = Module()
        held = Signal(self.shape, reset_less=True)
        moves = Signal()
        m.d.comb += [moves.eq(~self.o.valid | self.o.ready), self.i.ready.eq(moves & ~ResetSignal()), self.o.p.eq(held)]
        with m.If(moves):
            m.d.sync += self.o.valid.eq(self.i.valid)
        with m.If(moves if self.takes_all else moves & self.i.valid):
            m.d.sync += held.eq(self.i.p)
        return m
