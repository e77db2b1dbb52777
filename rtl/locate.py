"""Locating: which of the key memory's rows a kept key is in."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl import payload
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.fifo import next_place
from hamming.rtl.short_queue import queue_of

__all__ = ["Locate"]


class Locate(wiring.Component):
    """Turns a kept key's index among the rows that were read into its index in the memory.

    A selector counts the rows of a query from 0 on. With `row` that number, the row in memory is `begin_row + row`; or
    `first_row + row - n_before` for the rows behind the sinks, where they do not lie next to the range.

    * **Latency**: none.
    * **Throughput**: a key a cycle.
    * A query's keys wait for its place, which is that of its group.

    Parameters
    ----------
    dims
        Sizes of the engine, whose configuration has a `range`.

    Members
    -------
    i : In(stream of payload.kept_key)
        Of which `index` counts the rows that were read.
    i_place : In(stream of payload.place)
        Of each query, or group. Up to `Dimensions.queries_in_flight` are held here.
    o : Out(stream of payload.kept_key)
    """

    i: stream.Interface
    i_place: stream.Interface
    o: stream.Interface

    def __init__(self, dims: Dimensions):
        self.dims = dims
        super().__init__(
            {
                "i": In(stream.Signature(payload.kept_key(dims))),
                "i_place": In(stream.Signature(payload.place(dims))),
                "o": Out(stream.Signature(payload.kept_key(dims))),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        dims = self.dims
        m.submodules.places = places = queue_of(payload.place(dims), depth=dims.queries_in_flight)
        wiring.connect(m, wiring.flipped(self.i_place), places.i)

        ends_group = self._ends_group(m)
        place = places.o.p
        counted = Signal(dims.row_bits)
        row = Signal(dims.row_bits)
        m.d.comb += [counted.eq(self.i.p.index >> dims.lane_bits), row.eq(place.begin_row + counted)]
        if dims.spec.n_sinks:
            with m.If(place.jumps & (counted >= place.n_before)):
                m.d.comb += row.eq(place.first_row + counted - place.n_before)
        m.d.comb += [
            self.o.valid.eq(self.i.valid & places.o.valid),
            self.i.ready.eq(self.o.ready & places.o.valid),
            places.o.ready.eq(self.i.valid & self.o.ready & self.i.p.last & ends_group),
            self.o.p.eq(self.i.p),
            self.o.p.index.eq(Mux(self.i.p.is_empty, 0, Cat(self.i.p.index[: dims.lane_bits], row))),
        ]
        return m

    def _ends_group(self, m: Module) -> Value | int:
        """Say whether the query whose keys come is its group's last."""
        n_queries = self.dims.n_queries_a_row
        if n_queries == 1:
            return 1
        number = Signal(range(n_queries))
        with m.If(self.i.valid & self.i.ready & self.i.p.last):
            m.d.sync += number.eq(next_place(number, n_queries))
        return number == n_queries - 1
