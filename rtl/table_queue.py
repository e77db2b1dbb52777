"""The table that each query names, kept until its weights are looked up."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl import payload
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.fifo import next_place
from hamming.rtl.short_queue import queue_of
from hamming.rtl.stage import Stage

__all__ = ["TableQueue"]


class TableQueue(wiring.Component):
    """Hands queries, or groups, on, and in the same order the number of each query's softmax table.

    A `table` of `n_tables` or more is taken as the last one, and sets `error`.

    * **Latency**: none for a query; 2 cycles for its table, 3 where the queue is a memory (`short_queue.queue_of`).
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
        dims, spec = self.dims, self.dims.spec
        n_queries = dims.n_queries_a_row
        layout = payload.each(dims, unsigned(spec.table_bits))
        m.submodules.stage = stage = Stage(layout)  # the way that says whether a query is taken is long enough
        m.submodules.tables = tables = queue_of(layout, depth=dims.queries_in_flight)
        wiring.connect(m, stage.o, tables.i)
        is_above = Signal(n_queries)
        named = payload.of_each(dims, self.i.p.table)
        kept = [
            Mux(above, spec.n_tables - 1, table)[: spec.table_bits]
            for above, table in zip(is_above, named, strict=True)
        ]
        m.d.comb += [
            is_above.eq(Cat(table >= spec.n_tables for table in named)),
            Value.cast(stage.i.p).eq(Cat(kept)),
            stage.i.valid.eq(self.i.valid & self.o.ready),
            self.o.p.eq(self.i.p),
            self.o.valid.eq(self.i.valid & stage.i.ready),
            self.i.ready.eq(self.o.ready & stage.i.ready),
            self.o_table.valid.eq(tables.o.valid),
        ]
        if n_queries == 1:
            m.d.comb += [self.o_table.p.eq(tables.o.p), tables.o.ready.eq(self.o_table.ready)]
        else:  # a group's, one after the other
            number = Signal(range(n_queries))
            m.d.comb += [
                self.o_table.p.eq(tables.o.p[number]),
                tables.o.ready.eq(self.o_table.ready & (number == n_queries - 1)),
            ]
            with m.If(self.o_table.valid & self.o_table.ready):
                m.d.sync += number.eq(next_place(number, n_queries))
        with m.If(self.i.valid & self.i.ready & is_above.any()):
            m.d.sync += self.error.eq(1)
        return m
