"""A buffer between two streams, with no combinational path from one to the other."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Buffer"]


class Buffer(wiring.Component):
    """Holds up to `depth` beats; `i.ready`, `o.valid` and `o.payload` depend on registers alone, and on `accepts`.

    * **Latency**: 1 cycle.
    * **Throughput**: a beat a cycle with a depth of 2; a beat every other cycle with 1, which takes half the registers.

    Parameters
    ----------
    payload
        Shape of a beat.
    depth
        1 or 2.

    Members
    -------
    i : In(stream of payload)
    o : Out(stream of payload)
    accepts : In(1)
        Whether beats are taken; what is held is offered anyway. To depend on registers alone, too.

    Raises
    ------
    ValueError
        `depth` is neither.
    """

    i: stream.Interface
    o: stream.Interface
    accepts: Signal

    def __init__(self, payload: Any, *, depth: int = 2):
        if depth not in (1, 2):
            raise ValueError(f"depth must be 1 or 2, not {depth!r}")
        self.depth = depth
        signature = stream.Signature(payload)
        super().__init__({"i": In(signature), "o": Out(signature), "accepts": In(1, init=1)})

    def elaborate(self, platform) -> Module:
        m = Module()
        payload = self.i.signature.members["payload"].shape
        valid = Signal()
        held = Signal(payload, reset_less=True)
        m.d.comb += [self.o.valid.eq(valid), self.o.payload.eq(held)]
        if self.depth == 1:
            m.d.comb += self.i.ready.eq(~valid & self.accepts)
            with m.If(~valid):
                m.d.sync += [held.eq(self.i.payload), valid.eq(self.i.valid & self.accepts)]
            with m.Elif(self.o.ready):
                m.d.sync += valid.eq(0)
            return m
        has_spare = Signal()
        spare = Signal(payload, reset_less=True)
        is_taken = Signal()
        m.d.comb += [self.i.ready.eq(~has_spare & self.accepts), is_taken.eq(self.i.valid & self.i.ready)]
        with m.If(~valid | self.o.ready):
            m.d.sync += [
                valid.eq(has_spare | is_taken),
                held.eq(Mux(has_spare, spare, self.i.payload)),
                has_spare.eq(0),
            ]
        with m.Elif(is_taken):
            m.d.sync += [has_spare.eq(1), spare.eq(self.i.payload)]
        return m
