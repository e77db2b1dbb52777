"""A query's range of keys, and its sinks, as rows of the key memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from amaranth.hdl import Cat, Module, Mux, ResetSignal, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl import payload
from hamming.rtl.dimensions import Dimensions

__all__ = ["RowRange"]


class RowRange(wiring.Component):
    """Says which rows hold the keys that a query sees, once, before they are read.

    A key takes part if its index is below `n_valid`, and it is `first` or above, or one of the `n_sinks` from `base`
    on. So the rows are those of the sinks, and behind them those of the range; a row of both is read once. Where there
    is no key, the row is 0. Of a group they are all rows from the first to the last that one of its queries needs.
    `first` and `n_valid` above `n_keys` are taken as `n_keys`; a `base` of `n_keys` or more has no sinks. Each sets a
    bit of `errors`.

    * **Latency**: 1 cycle.
    * **Throughput**: a query a cycle.

    Parameters
    ----------
    dims
        Sizes of the engine, whose queries have a `range`, or come in groups.

    Members
    -------
    i : In(stream of payload.query)
    o : Out(stream of payload.ranged_query)
    errors : Out(1, 2 with a range, 3 with sinks)
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
                "errors": Out(3 if dims.spec.n_sinks else 2 if dims.config.range else 1),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        spec, lane_bits, given = self.dims.spec, self.dims.lane_bits, self.i.p
        found = Signal(payload.ranged_query(self.dims))
        of_n_valid = payload.of_each(self.dims, given.n_valid)
        of_first = payload.of_each(self.dims, given.first) if self.dims.config.range else [None] * len(of_n_valid)
        ranges = [self._range(m, n, *bounds) for n, bounds in enumerate(zip(of_n_valid, of_first, strict=True))]
        rows = _all_rows(m, [one.rows for one in ranges])
        m.d.comb += [
            found.query.eq(given.query),
            Value.cast(found.n_valid).eq(Cat(one.n_valid for one in ranges)),
            found.begin_row.eq(rows.begin),
            found.last_row.eq(rows.last),
        ]
        out_of_range = [Cat(one.is_above[0] for one in ranges).any()]
        if self.dims.config.range:
            m.d.comb += Value.cast(found.first).eq(Cat(one.first for one in ranges))
            out_of_range.append(Cat(one.is_above[1] for one in ranges).any())
        if (
            spec.n_sinks
        ):  # and so there is one query; the last sink's row is as many behind the first one's as the lane carries
            n_valid, first, _, _ = ranges[0]
            has_sinks = Signal()
            n_more = Signal(range((self.dims.n_lanes + spec.n_sinks - 2 >> lane_bits) + 1))
            base_row = Signal(self.dims.row_bits)
            sink_row = Signal(self.dims.row_bits + 1)
            last_row = (n_valid - 1) >> lane_bits
            n_sinks, has_some = spec.n_sinks, (given.base < n_valid) & (given.base < first)
            if self.dims.is_share:  # they may be fewer, or others' alone
                n_sinks = (given.sink_end - given.base)[: spec.n_sinks.bit_length()]
                has_some &= given.base < given.sink_end
            m.d.comb += [
                has_sinks.eq(has_some),
                n_more.eq((given.base[:lane_bits] + n_sinks - 1) >> lane_bits),
                base_row.eq(given.base >> lane_bits),
                sink_row.eq(base_row + n_more),
                found.base.eq(given.base),
                found.sink_end.eq(Mux(has_sinks, given.base + n_sinks, 0)),
                found.sink_row.eq(sink_row),
                found.n_before.eq(n_more + 1),
                found.jumps.eq(has_sinks & rows.are_some & (sink_row < (first >> lane_bits))),
            ]
            with m.If(has_sinks):
                m.d.comb += found.begin_row.eq(base_row)
                with m.If(~rows.are_some):
                    m.d.comb += found.last_row.eq(Mux(sink_row < last_row, sink_row, last_row))
            out_of_range.append(given.base >= spec.n_keys)

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
            m.d.sync += [held.eq(found), self.errors.eq(self.errors | Cat(out_of_range))]
        return m

    def _range(self, m: Module, n: int, n_valid: Value, first: Value | None) -> _Range:
        """Return what a query's bounds mean, and the rows of the keys between them."""
        spec, dims = self.dims.spec, self.dims
        found = _Range(
            Signal(spec.n_valid_bits, name=f"n_valid_{n}"),
            Signal(spec.n_valid_bits, name=f"first_{n}"),
            Signal(2, name=f"is_above_{n}"),
            _Rows.of(dims, f"rows_{n}"),
        )
        m.d.comb += [
            found.is_above[0].eq(n_valid > spec.n_keys),
            found.n_valid.eq(Mux(found.is_above[0], spec.n_keys, n_valid)),
            found.rows.are_some.eq(found.first < found.n_valid),
        ]
        if first is not None:
            m.d.comb += [
                found.is_above[1].eq(first > spec.n_keys),
                found.first.eq(Mux(found.is_above[1], spec.n_keys, first)),
            ]
        with m.If(found.rows.are_some):
            m.d.comb += [
                found.rows.begin.eq(found.first >> dims.lane_bits),
                found.rows.last.eq((found.n_valid - 1) >> dims.lane_bits),
            ]
        return found


class _Rows(NamedTuple):
    """Rows from one to another; 0 and 0 where there are none."""

    are_some: Signal
    begin: Signal
    last: Signal

    @classmethod
    def of(cls, dims: Dimensions, name: str) -> _Rows:
        bits = {"are_some": 1, "begin": dims.row_bits, "last": dims.row_bits}
        return cls(*(Signal(width, name=f"{name}_{part}") for part, width in bits.items()))


class _Range(NamedTuple):
    """A query's bounds, which of them were out of range, and its rows."""

    n_valid: Signal
    first: Signal
    is_above: Signal
    rows: _Rows


def _all_rows(m: Module, parts: Sequence[_Rows]) -> _Rows:
    """Return the rows from the first to the last of any of the parts."""
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    a, b = _all_rows(m, parts[:half]), _all_rows(m, parts[half:])
    both = _Rows(*(Signal.like(part, name=f"all_{name}") for name, part in a._asdict().items()))
    is_before = b.are_some & (~a.are_some | (b.begin < a.begin))
    m.d.comb += [
        both.are_some.eq(a.are_some | b.are_some),
        both.begin.eq(Mux(is_before, b.begin, a.begin)),
        both.last.eq(Mux(a.last < b.last, b.last, a.last)),
    ]
    return both
