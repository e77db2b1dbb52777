"""Rows of levels that wait until a sorted list has taken the keys of those before them."""

from __future__ import annotations

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl import payload
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.fifo import count
from hamming.rtl.level_bound import LevelBound
from hamming.rtl.memory import DualPortMemory, WritePort

__all__ = ["MOST_AHEAD", "WaitingRows"]

#: Rows of a query that are taken while the list is at one before: more than come until it has taken a last row that
#: did not wait, and few enough that the list has soon taken what ranks of them, and has a floor for those behind.
MOST_AHEAD = 8


class WaitingRows(wiring.Component):
    """Hands on the rows that bring a key above the list's floor, and the last of each query, from a queue in a memory.

    A row takes the list a cycle for each such key, most of them in a query's first rows. While they wait here, the
    rows behind them are looked at, and of those hardly one brings a key. The floor is that of the list, of some cycles
    ago as the queue fills: within a query it only rises, so that no key is left out that would be kept. While the list
    is at a query before, there is none, and all rows would wait: more than `MOST_AHEAD` of a query are not taken then.

    * **Latency**: 2 cycles.
    * **Throughput**: a row a cycle, while `waiting_rows` or fewer wait.
    * A stall at the output is felt once the queue is full, or `MOST_AHEAD` rows of the next query are in it.

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
        depth = self.dims.waiting_rows
        row = Signal(self.o.p.row.shape())
        n_ends = Signal(range(depth + 4))  # queries' ends from here to the list
        list_floor, floor = (Signal(self.dims.level_bits, name=name) for name in ("list_floor", "floor"))
        is_ahead, taken, waits, ends = (Signal(name=name) for name in ("is_ahead", "taken", "waits", "ends"))
        ranks = reduce(or_, (self.i.p.level[lane] > floor for lane in range(self.dims.n_lanes)))

        # Places of the memory, and a bit that tells a full one from an empty one.
        free, first, before = (Signal(range(2 * depth), name=name) for name in ("free", "first", "before"))
        moves = Signal()
        reads = Signal()
        has_read = Signal()
        has_ended = Signal()
        width = self.o.p.shape().size
        m.submodules.rows = rows = DualPortMemory(WritePort(depth=depth, width=width, granularity=width))
        m.d.comb += [
            first.eq(before + has_read),  # whether a row goes on is known late in a cycle
            is_ahead.eq(n_ends != 0),
            list_floor.eq(Mux(is_ahead, 0, self.floor)),
            self.i.ready.eq((free ^ first != depth) & ~(is_ahead & (row >= MOST_AHEAD))),
            taken.eq(self.i.valid & self.i.ready),
            ends.eq(taken & self.i.p.last),
            waits.eq(taken & (ranks | self.i.p.last)),
            rows.write.addr.eq(free),
            rows.write.data.eq(Cat(self.i.payload, row)),
            rows.write.en.eq(waits),
            moves.eq(~self.o.valid | self.o.ready),
            reads.eq(moves & (free != first)),
            rows.read.addr.eq(first),
            rows.read.en.eq(reads),
            Value.cast(self.o.payload).eq(rows.read.data),
        ]
        if self.dims.bounds_levels:
            m.submodules.bound = bound = LevelBound(self.dims)
            higher = Mux(bound.bound > list_floor, bound.bound, list_floor)
            m.d.comb += [bound.row.eq(self.i.p), bound.taken.eq(taken)]
            m.d.sync += floor.eq(Mux(ends, 0, higher))
        else:
            m.d.comb += floor.eq(list_floor)
        with m.If(taken):
            m.d.sync += row.eq(Mux(self.i.p.last, 0, row + 1))
        with m.If(waits):
            m.d.sync += free.eq(free + 1)
        with m.If(moves):
            m.d.sync += self.o.valid.eq(reads)
        m.d.sync += [before.eq(first), has_read.eq(reads), has_ended.eq(self.ends_query)]
        count(m, n_ends, ends, has_ended)
        return m
