"""A spare place in a stream, so that a stall ends here for the cycle."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Spare"]


class Spare(wiring.Component):
    """Hands payloads on as they come; one that cannot go on waits in a register, so that `i.ready` is a register's.

    * **Latency**: none.
    * **Throughput**: a payload a cycle.
    * A stall is felt before it a cycle later; the payload that came meanwhile is kept.

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
        spare = Signal(self.shape, reset_less=True)
        has_spare = Signal()
        if self.takes_all:
            self._take_all(m, spare, has_spare)
        else:
            with m.If(self.o.ready):
                m.d.sync += has_spare.eq(0)
            with m.Elif(self.i.valid & ~has_spare):
                m.d.sync += [has_spare.eq(1), spare.eq(self.i.p)]
        m.d.comb += [
            self.i.ready.eq(~has_spare),
            self.o.valid.eq(self.i.valid | has_spare),
            self.o.p.eq(Mux(has_spare, spare, self.i.p)),
        ]
        return m

    def _take_all(self, m: Module, spare: Signal, has_spare: Signal) -> None:
        """Do the same with a register that is 1 while there is room, which enables what is before it as it is."""
        is_free = Signal(init=1)
        m.d.comb += has_spare.eq(~is_free)
        m.d.sync += is_free.eq(self.o.ready | (is_free & ~self.i.valid))
        with m.If(is_free):
            m.d.sync += spare.eq(self.i.p)
