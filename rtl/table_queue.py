"""The table that each query names, kept until its weights are looked up."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl import payload
from hamming.rtl.config import Dimensions
from hamming.rtl.short_queue import queue_of

__all__ = ["TableQueue"]


class TableQueue(wiring.Component):
    """Hands queries on, and in the same order the number of each one's softmax table.

    A `table` of `n_tables` or more is taken as the last one, and sets `error`.

    * **Latency**: none for a query; 1 cycle for its table, 2 where the queue is a memory (`short_queue.queue_of`).
    * **Throughput**: a query a cycle, as long as no more than `Dimensions.queries_in_flight` tables wait.

    Parameters
    ----------
    dims
        Sizes of the engine, whose spec has several tables.

    Members
    -------
    i : In(stream of payload.query)
    o : Out(stream of payload.query)
        Transferred in the same cycle.
    o_table : Out(stream of table_bits)
    error : Out(1)
        A `table` of `n_tables` or more was transferred since the last reset.
    """

    i: stream.Interface
    o: stream.Interface
    o_table: stream.Interface
    error: Signal

    def __init__(self, dims: Dimensions):
        self.dims = dims
        super().__init__(
            {
                "i": In(stream.Signature(payload.query(dims))),
                "o": Out(stream.Signature(payload.query(dims))),
                "o_table": Out(stream.Signature(dims.spec.table_bits)),
                "error": Out(1),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        spec = self.dims.spec
        m.submodules.tables = tables = queue_of(spec.table_bits, depth=self.dims.queries_in_flight)
        wiring.connect(m, tables.o, wiring.flipped(self.o_table))
        is_above = Signal()
        m.d.comb += [
            is_above.eq(self.i.p.table >= spec.n_tables),
            tables.i.payload.eq(Mux(is_above, spec.n_tables - 1, self.i.p.table)),
            tables.i.valid.eq(self.i.valid & self.o.ready),
            self.o.p.eq(self.i.p),
            self.o.valid.eq(self.i.valid & tables.i.ready),
            self.i.ready.eq(self.o.ready & tables.i.ready),
        ]
        with m.If(self.i.valid & self.i.ready & is_above):
            m.d.sync += self.error.eq(1)
        return m
