"""Rows of levels that wait until a sorted list has taken the keys of those before them."""

from __future__ import annotations

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl import payload
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.fifo import Fifo, count

__all__ = ["WaitingRows"]


class WaitingRows(wiring.Component):
    """Hands on the rows that bring a key above the list's floor, and the last of each query, from a queue in a memory.

    A row takes the list a cycle for each such key, most of them in a query's first rows. While they wait here, the
    rows behind them are looked at, and of those hardly one brings a key. The floor is that of the list, of some cycles
    ago as the queue fills: within a query it only rises, so that no key is left out that would be kept. It is none
    while the list is not at the row's query.

    * **Latency**: 2 cycles.
    * **Throughput**: a row a cycle.
    * A stall at the output holds rows once `waiting_rows` of them wait.

    Parameters
    ----------
    dims
        Sizes of the engine.

    Members
    -------
    i : In(stream of payload.levels)
    floor : In(level_bits)
        Keys of this level or below are not kept, of the query that the list is at.
    ends_query : In(1)
        The list takes the last row of a query.
    o : Out(stream of payload.waiting_row)
    """

    i: stream.Interface
    floor: Signal
    ends_query: Signal
    o: stream.Interface

    def __init__(self, dims: Dimensions):
        self.dims = dims
        super().__init__(
            {
                "i": In(stream.Signature(payload.levels(dims))),
                "floor": In(dims.level_bits),
                "ends_query": In(1),
                "o": Out(stream.Signature(payload.waiting_row(dims))),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        layout = payload.waiting_row(self.dims)
        m.submodules.rows = rows = Fifo(layout, depth=self.dims.waiting_rows)
        wiring.connect(m, rows.o, wiring.flipped(self.o))
        row = Signal(layout["row"].shape)
        n_ends = Signal(range(self.dims.waiting_rows + 2))  # queries' ends from here to the list
        floor = Signal(self.dims.level_bits)
        taken, ends = Signal(), Signal()
        ranks = reduce(or_, (self.i.p.level[lane] > floor for lane in range(self.dims.n_lanes)))
        m.d.comb += [
            floor.eq(Mux(n_ends == 0, self.floor, 0)),
            rows.i.valid.eq(self.i.valid & (ranks | self.i.p.last)),
            Cat(rows.i.p.level, rows.i.p.last).eq(Cat(self.i.p.level, self.i.p.last)),
            rows.i.p.row.eq(row),
            self.i.ready.eq(rows.i.ready),
            taken.eq(self.i.valid & self.i.ready),
            ends.eq(taken & self.i.p.last),
        ]
        with m.If(taken):
            m.d.sync += row.eq(Mux(self.i.p.last, 0, row + 1))
        count(m, n_ends, ends, self.ends_query)
        return m
