"""The key of a row that a sorted list takes next."""

from __future__ import annotations

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl import payload
from hamming.rtl.bit_sliced import at_least_two, lowest
from hamming.rtl.dimensions import Dimensions

__all__ = ["Choice"]


class Choice(wiring.Component):
    """Gives a row's keys above the list's floor, lowest lane first, from a register; at its end the end of the query.

    The key that waits in the register is not in the list yet: one behind it may be chosen that does not rank any more,
    and falls out of the list again.

    * **Latency**: 1 cycle.
    * **Throughput**: a key a cycle; a row without any takes a cycle, too.
    * A stall at the output holds rows.

    Parameters
    ----------
    dims
        Sizes of the engine.

    Members
    -------
    i : In(stream of payload.waiting_row)
    floor : In(level_bits)
        Keys of this level or below are not kept, of the query that the list is at.
    o : Out(stream of payload.chosen_key)
    """

    i: stream.Interface
    floor: Signal
    o: stream.Interface

    def __init__(self, dims: Dimensions):
        self.dims = dims
        super().__init__(
            {
                "i": In(stream.Signature(payload.waiting_row(dims))),
                "floor": In(dims.level_bits),
                "o": Out(stream.Signature(payload.chosen_key(dims))),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        n_lanes = self.dims.n_lanes
        key = Signal(payload.chosen_key(self.dims), reset_less=True)
        floor = Signal(self.dims.level_bits)
        taken, ranks, pick = (Signal(n_lanes, name=name) for name in ("taken", "ranks", "pick"))
        ends_row = Signal()
        gives = Signal()
        moves = Signal()
        m.d.comb += [
            floor.eq(Mux(self.o.valid & key.last, 0, self.floor)),  # behind a query's end the list is empty
            *(ranks[lane].eq((self.i.p.level[lane] > floor) & ~taken[lane]) for lane in range(n_lanes)),
            pick.eq(lowest(ranks)),
            ends_row.eq(~at_least_two(ranks)),
            gives.eq(self.i.valid & (ranks.any() | self.i.p.last)),
            moves.eq(~self.o.valid | self.o.ready),
            self.i.ready.eq(ends_row & moves),
            self.o.p.eq(key),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += taken.eq(0)
        with m.Elif(gives & moves):
            m.d.sync += taken.eq(taken | pick)
        with m.If(moves):
            m.d.sync += self.o.valid.eq(gives)
        lanes = range(n_lanes)
        lane_bits = [reduce(or_, (pick[n] for n in lanes if n >> b & 1)) for b in range(self.dims.lane_bits)]
        with m.If(moves & gives):
            m.d.sync += [
                key.has_key.eq(ranks.any()),
                key.last.eq(self.i.p.last & ends_row),
                key.level.eq(reduce(or_, (Mux(pick[n], self.i.p.level[n], 0) for n in lanes))),
                key.index.eq(Cat(*lane_bits, self.i.p.row)),
            ]
        return m
