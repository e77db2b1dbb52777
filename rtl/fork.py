"""Fork: one stream's handshake offered to several."""

from __future__ import annotations

from amaranth.hdl import Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Fork"]


class Fork(wiring.Component):
    """Handshake of one stream offered to several: each takes the payload once, when it is ready.

    No branch's `valid` depends on another's `ready`, so each is a stream in its own right. Nothing is offered in reset.

    Parameters
    ----------
    n_branches
        Branches, 2 or more.
    """

    i_valid: Signal
    i_ready: Signal
    o_valid: Signal
    o_ready: Signal

    def __init__(self, n_branches: int = 2):
        self.n_branches = n = n_branches
        super().__init__({"i_valid": In(1), "i_ready": Out(1), "o_valid": Out(n), "o_ready": In(n)})

    def elaborate(self, platform) -> Module:
        m = Module()
        has_taken = Signal(self.n_branches)
        taken = Signal(self.n_branches)
        m.d.comb += [
            self.o_valid.eq((self.i_valid & ~ResetSignal()).replicate(self.n_branches) & ~has_taken),
            taken.eq(has_taken | self.o_ready),
            self.i_ready.eq(taken.all()),
        ]
        with m.If(self.i_valid):
            m.d.sync += has_taken.eq(taken)
            with m.If(self.i_ready):
                m.d.sync += has_taken.eq(0)
        return m
