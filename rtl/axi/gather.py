"""Queries that come one after the other are handed on in groups, of which each reads a row of keys once."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from hamming.rtl import payload
from hamming.rtl.dimensions import Dimensions

__all__ = ["Gather", "query_beat"]


def query_beat(dims: Dimensions) -> StructLayout:
    """A query by itself: what `payload.query` has of each one of a group."""
    group = payload.query(dims)
    if dims.n_queries_a_row == 1:
        return group
    return StructLayout({name: field.shape.elem_shape for name, field in group})


class Gather(wiring.Component):
    """Makes groups of `n_queries_a_row` queries, in their order: the last one passes, those before it are held.

    * **Latency**: 0 cycles, from a group's last query on.
    * **Throughput**: a query a cycle. A stalled group holds its last query back.

    Parameters
    ----------
    dims
        Of an engine with `n_queries_a_row` above 1.

    Members
    -------
    i : In(stream of query_beat)
    o : Out(stream of payload.query)
    n_held : Out(range(n_queries_a_row))
        Queries that wait for those behind them.
    """

    i: stream.Interface
    o: stream.Interface
    n_held: Signal

    def __init__(self, dims: Dimensions):
        self.dims = dims
        super().__init__(
            {
                "i": In(stream.Signature(query_beat(dims))),
                "o": Out(stream.Signature(payload.query(dims))),
                "n_held": Out(range(dims.n_queries_a_row)),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        beat, n_before = self.i.signature.members["payload"].shape, self.dims.n_queries_a_row - 1
        held = [Signal(beat, name=f"query_{n}", reset_less=True) for n in range(n_before)]
        is_last = self.n_held == n_before
        m.d.comb += [self.o.valid.eq(self.i.valid & is_last), self.i.ready.eq(~is_last | self.o.ready)]
        for name, _ in beat:
            m.d.comb += [self.o.payload[name][n].eq(one[name]) for n, one in enumerate([*held, self.i.payload])]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += self.n_held.eq(self.n_held + 1)
            with m.If(is_last):
                m.d.sync += self.n_held.eq(0)
        for n, one in enumerate(held):
            with m.If(self.i.valid & (self.n_held == n)):
                m.d.sync += one.eq(self.i.payload)
        return m
