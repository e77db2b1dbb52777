"""A query's range of keys, and its sinks, as rows of the key memory."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, ResetSignal, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl import payload
from hamming.rtl.config import Dimensions

__all__ = ["RowRange"]


class RowRange(wiring.Component):
    """Says which rows hold the keys that a query sees, once, before they are read.

    A key takes part if its index is below `n_valid`, and it is `first` or above, or one of the `n_sinks` from `base`
    on. So the rows are those of the sinks, and behind them those of the range; a row of both is read once. Where there
    is no key, the row is 0. `first` and `n_valid` above `n_keys` are taken as `n_keys`; a `base` of `n_keys` or more
    has no sinks. Each sets a bit of `errors`.

    * **Latency**: 1 cycle.
    * **Throughput**: a query a cycle.

    Parameters
    ----------
    dims
        Sizes of the engine, whose configuration has a `range`.

    Members
    -------
    i : In(stream of payload.query)
    o : Out(stream of payload.ranged_query)
    errors : Out(2, or 3 with sinks)
        Since the last reset, a query was transferred that was out of range in `n_valid`; `first`; `base`.
    """

    i: stream.Interface
    o: stream.Interface
    errors: Signal

    def __init__(self, dims: Dimensions):
        self.dims = dims
        super().__init__(
            {
                "i": In(stream.Signature(payload.query(dims))),
                "o": Out(stream.Signature(payload.ranged_query(dims))),
                "errors": Out(3 if dims.spec.n_sinks else 2),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        spec, lane_bits, given = self.dims.spec, self.dims.lane_bits, self.i.p

        is_above = Signal(2)
        n_valid = Signal(spec.n_valid_bits)
        first = Signal(spec.n_valid_bits)
        last_row = Signal(self.dims.row_bits)
        first_row = Signal(self.dims.row_bits)
        has_range = Signal()
        m.d.comb += [
            is_above.eq(Cat(given.n_valid > spec.n_keys, given.first > spec.n_keys)),
            n_valid.eq(Mux(is_above[0], spec.n_keys, given.n_valid)),
            first.eq(Mux(is_above[1], spec.n_keys, given.first)),
            has_range.eq(first < n_valid),
            last_row.eq((n_valid - 1) >> lane_bits),
            first_row.eq(first >> lane_bits),
        ]

        found = Signal(payload.ranged_query(self.dims))
        out_of_range = is_above
        m.d.comb += [
            found.query.eq(given.query),
            found.n_valid.eq(n_valid),
            found.first.eq(first),
            found.begin_row.eq(Mux(has_range, first_row, 0)),
            found.last_row.eq(Mux(has_range, last_row, 0)),
        ]
        if spec.n_sinks:
            # The last sink's row is as many behind the first one's as the lane carries.
            has_sinks = Signal()
            n_more = Signal(range((self.dims.n_lanes + spec.n_sinks - 2 >> lane_bits) + 1))
            base_row = Signal(self.dims.row_bits)
            sink_row = Signal(self.dims.row_bits + 1)
            m.d.comb += [
                has_sinks.eq((given.base < n_valid) & (given.base < first)),
                n_more.eq((given.base[:lane_bits] + spec.n_sinks - 1) >> lane_bits),
                base_row.eq(given.base >> lane_bits),
                sink_row.eq(base_row + n_more),
                found.base.eq(given.base),
                found.sink_end.eq(Mux(has_sinks, given.base + spec.n_sinks, 0)),
                found.sink_row.eq(sink_row),
                found.n_before.eq(n_more + 1),
                found.jumps.eq(has_sinks & has_range & (sink_row < first_row)),
            ]
            with m.If(has_sinks):
                m.d.comb += found.begin_row.eq(base_row)
                with m.If(~has_range):
                    m.d.comb += found.last_row.eq(Mux(sink_row < last_row, sink_row, last_row))
            out_of_range = Cat(is_above, given.base >= spec.n_keys)

        moves = Signal()
        held = Signal(payload.ranged_query(self.dims), reset_less=True)
        m.d.comb += [
            moves.eq(~self.o.valid | self.o.ready),
            self.i.ready.eq(moves & ~ResetSignal()),
            self.o.p.eq(held),
        ]
        with m.If(moves):
            m.d.sync += self.o.valid.eq(self.i.valid)
        with m.If(self.i.valid & moves):
            m.d.sync += [held.eq(found), self.errors.eq(self.errors | out_of_range)]
        return m
