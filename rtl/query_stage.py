"""A query's register before the fetch, of an FPGA: what is to be known of its first row is known beforehand."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl import payload
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.stage import Stage

__all__ = ["QueryStage"]


class QueryStage(wiring.Component):
    """Bounds `n_valid` by `n_keys`, says whether one row holds all keys that are seen, and keeps both for the fetch.

    * **Latency**: 1 cycle.
    * **Throughput**: a query a cycle.
    * A stall holds the query that is offered. Nothing is taken in reset.

    Parameters
    ----------
    dims
        Sizes of the engine.

    Members
    -------
    i : In(stream of payload.query)
    o : Out(stream of payload.bounded_query)
    error : Out(1)
        A query with an `n_valid` above `n_keys` was transferred since the last reset.
    """

    i: stream.Interface
    o: stream.Interface
    error: Signal

    def __init__(self, dims: Dimensions):
        self.dims = dims
        super().__init__(
            {
                "i": In(stream.Signature(payload.query(dims))),
                "o": Out(stream.Signature(payload.bounded_query(dims))),
                "error": Out(1),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        n_keys, n_lanes = self.dims.spec.n_keys, self.dims.n_lanes
        m.submodules.stage = stage = Stage(payload.bounded_query(self.dims), takes_all=True)
        wiring.connect(m, stage.o, wiring.flipped(self.o))
        is_above = Signal()
        m.d.comb += [
            is_above.eq(self.i.p.n_valid > n_keys),
            stage.i.valid.eq(self.i.valid),
            self.i.ready.eq(stage.i.ready),
            stage.i.p.query.eq(self.i.p.query),
            stage.i.p.n_valid.eq(Mux(is_above, n_keys, self.i.p.n_valid)),
            stage.i.p.is_single.eq(1 if n_keys <= n_lanes else self.i.p.n_valid <= n_lanes),
        ]
        with m.If(self.i.valid & self.i.ready & is_above):
            m.d.sync += self.error.eq(1)
        return m
