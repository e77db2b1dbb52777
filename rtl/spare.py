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

    Members
    -------
    i, o : In, Out(stream of shape)
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, shape: Any):
        self.shape = shape
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform) -> Module:
        m = Module()
        spare = Signal(self.shape, reset_less=True)
        has_spare = Signal()
        m.d.comb += [
            self.i.ready.eq(~has_spare),
            self.o.valid.eq(self.i.valid | has_spare),
            self.o.p.eq(Mux(has_spare, spare, self.i.p)),
        ]
        with m.If(self.o.ready):
            m.d.sync += has_spare.eq(0)
        with m.Elif(self.i.valid & ~has_spare):
            m.d.sync += [has_spare.eq(1), spare.eq(self.i.p)]
        return m
