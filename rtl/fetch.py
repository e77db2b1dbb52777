"""Fetching: a query becomes reads of the key memory, one row of keys a cycle."""

from __future__ import annotations

from typing import Any, NamedTuple

from amaranth.hdl import Cat, Const, Module, Mux, ResetSignal, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl import payload
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.memory import key_read_port
from hamming.rtl.popcount import thermometer

__all__ = ["KeyFetch"]


class _Walk(NamedTuple):
    """The row of a query that is to be read: its number, and which one it is; the lanes that take part.

    And what is assigned as it is read, and as the first one is.
    """

    row: Signal
    is_first: Signal
    is_last: Signal
    takes_part: Value
    as_read: list[Any]
    as_first: list[Any]


class KeyFetch(wiring.Component):
    """Walks a query over the rows of keys that it sees, and says of each lane whether its key takes part.

    Lane `l` of row `r` takes part if `r * n_lanes + l < n_valid` and its bit of the mask is 0. A query costs
    `max(1, ceil(n_valid / n_lanes))` rows; one that sees no key costs one row in which no lane takes part. An `n_valid`
    above `n_keys` is taken as `n_keys`, and sets `error`.

    A query is held from its first row on, so that nothing but its transfer counts.

    With a range, and where queries come in groups, they come from `RowRange`, which says which rows they need and holds
    them until their last one. Lanes of the range and of the sinks take part, and no other row is read; a row is read
    once for all queries of a group, each of which has its own lanes.

    * **Latency**: `read_latency` cycles from the read to the request, in which the memory answers.
    * **Throughput**: a row a cycle, also from one query to the next.
    * A stall holds the requests, and with them the memory's data.
    * Where a row may not be read, the query waits.

    Parameters
    ----------
    dims
        Sizes of the engine.

    Members
    -------
    i : In(stream of payload.query)
        Transferred with the read of its first row. From `QueryStage` it is a stream of payload.bounded_query; from
        `RowRange` one of payload.ranged_query, transferred with the read of its last row.
    i_mask : In(stream of payload.mask_row), if the configuration has a mask
        A beat for each row of the query; 1 masks the key out.
    wants_read : Out(1)
        A row is to be read at `keys.addr`, in this cycle or a later one.
    may_read : In(1)
        Whether it may be, in this cycle (`rtl.turns`).
    keys : Out(ReadPort)
        To the key memory, whose data go to `ScoreArray.keys`.
    o : Out(stream of payload.row_request)
    error : Out(1), without `RowRange` and `QueryStage`
        A query with an `n_valid` above `n_keys` was transferred since the last reset.
    """

    i: stream.Interface
    i_mask: stream.Interface
    o: stream.Interface
    wants_read: Signal
    may_read: Signal
    keys: wiring.PureInterface
    error: Signal

    def __init__(self, dims: Dimensions):
        self.dims = dims
        query = payload.bounded_query(dims) if dims.has_query_stage else payload.query(dims)
        query = payload.ranged_query(dims) if dims.has_row_range else query
        members = {
            "i": In(stream.Signature(query)),
            "wants_read": Out(1),
            "may_read": In(1, init=1),
            "keys": Out(key_read_port(dims)),
            "o": Out(stream.Signature(payload.row_request(dims))),
        }
        if not dims.has_row_range and not dims.has_query_stage:
            members["error"] = Out(1)
        if dims.config.mask:
            members["i_mask"] = In(stream.Signature(payload.mask_row(dims)))
        super().__init__(members)

    def elaborate(self, platform) -> Module:
        m = Module()
        dims = self.dims
        row, is_first, is_last, takes_part, as_read, as_first = (
            self._walk_range(m)
            if dims.has_row_range
            else self._walk_bounded(m)
            if dims.has_query_stage
            else self._walk_all(m)
        )

        # A request goes through as many stages as the memory: with each, the memory's word moves on.
        n_stages = dims.key_read_latency
        requests = [Signal(payload.row_request(dims), name=f"request_{s}", reset_less=True) for s in range(n_stages)]
        valid = [*(Signal(name=f"request_is_here_{s}") for s in range(n_stages - 1)), self.o.valid]
        has_room = [Signal(name=f"has_room_{s}") for s in range(n_stages)]
        for s, room in enumerate(has_room):
            if dims.moves_at_once:  # nothing closes up
                m.d.comb += room.eq(self.o.ready)
                continue
            m.d.comb += room.eq(~valid[s] | (self.o.ready if s == n_stages - 1 else has_room[s + 1]))

        moves = [has_room[s] if dims.moves_at_once or not s else valid[s - 1] & has_room[s] for s in range(n_stages)]
        masked_out = self.i_mask.payload if dims.config.mask else 0
        has_mask = self.i_mask.valid if dims.config.mask else 1
        may_go = Signal()
        reads = Signal()
        # Of an FPGA memories are read in reset, too, which matters to none; a request would.
        reads_in_reset = dims.has_chains and dims.config.memories[0] != "request"
        takes = may_go & ~ResetSignal() if reads_in_reset else may_go
        m.d.comb += [
            self.wants_read.eq(self.i.valid if dims.has_row_range else self.i.valid | ~is_first),
            may_go.eq(has_room[0] & self.may_read & (1 if reads_in_reset else ~ResetSignal())),
            reads.eq(self.wants_read & has_mask & may_go),
            self.i.ready.eq((is_last if dims.has_row_range else is_first) & has_mask & takes),
            self.keys.addr.eq(row),
            self.keys.en.eq(Cat(reads, (moves[s] for s in range(1, n_stages)))),
        ]
        if dims.config.mask:
            m.d.comb += self.i_mask.ready.eq(self.wants_read & takes)

        with m.If(has_room[0]):
            m.d.sync += valid[0].eq(reads)
        with m.If(reads):
            m.d.sync += [
                *as_read,
                requests[0].takes_part.eq(takes_part & ~masked_out),
                requests[0].last.eq(is_last),
            ]
            with m.If(is_first):
                m.d.sync += [requests[0].query.eq(self.i.p.query), *as_first]
        for s in range(1, n_stages):
            with m.If(has_room[s]):
                m.d.sync += valid[s].eq(valid[s - 1])
            with m.If(moves[s]):
                m.d.sync += requests[s].eq(requests[s - 1])
        m.d.comb += self.o.p.eq(requests[-1])
        return m

    def _walk_all(self, m: Module) -> _Walk:
        """Count rows up from 0, until no key is left."""
        dims, spec = self.dims, self.dims.spec
        n_lanes = dims.n_lanes

        # A query comes with its first row, of which the requests hold it; the others are counted.
        row = Signal(self.keys.addr.shape())
        is_first = Signal()
        is_last = Signal()
        is_above = Signal()
        remaining = Signal(spec.n_valid_bits)  # keys from this row on
        remaining_after_first = Signal(spec.n_valid_bits, reset_less=True)
        m.d.comb += is_first.eq(row == 0)
        m.d.comb += [
            is_above.eq(self.i.p.n_valid > spec.n_keys),
            remaining.eq(Mux(is_first, Mux(is_above, spec.n_keys, self.i.p.n_valid), remaining_after_first)),
            is_last.eq(remaining <= n_lanes),
        ]

        takes_part = self._lanes_below(m, remaining)
        as_read = [row.eq(Mux(is_last, 0, row + 1)), remaining_after_first.eq(remaining - n_lanes)]
        can_be_above = spec.n_keys < 2**spec.n_valid_bits - 1
        as_first = [self.error.eq(self.error | is_above)] if can_be_above else []
        return _Walk(row, is_first, is_last, takes_part, as_read, as_first)

    def _walk_bounded(self, m: Module) -> _Walk:
        """Do the same, of a query that says whether its first row is its last: each row knows of the next one."""
        dims, n_lanes = self.dims, self.dims.n_lanes
        row = Signal(self.keys.addr.shape())
        is_first = Signal(init=1)
        is_last = Signal()
        remaining = Signal(dims.spec.n_valid_bits)
        next_remaining = Signal.like(remaining, reset_less=True)
        next_is_last = Signal(reset_less=True)
        m.d.comb += [
            remaining.eq(Mux(is_first, self.i.p.n_valid, next_remaining)),
            is_last.eq(Mux(is_first, self.i.p.is_single, next_is_last)),
        ]
        as_read = [
            row.eq(Mux(is_last, 0, row + 1)),
            is_first.eq(is_last),
            next_remaining.eq(remaining - n_lanes),
            next_is_last.eq(remaining <= 2 * n_lanes),
        ]
        return _Walk(row, is_first, is_last, self._lanes_below(m, remaining), as_read, [])

    def _lanes_below(self, m: Module, remaining: Signal) -> Signal:
        """Lanes below what remains take part: all of a full row, or as many as the low bits say."""
        takes_part = Signal(self.dims.n_lanes)
        some = thermometer(m, remaining[: self.dims.lane_bits], "below_remaining")
        is_full = remaining[self.dims.lane_bits :].any()
        m.d.comb += takes_part.eq(Mux(is_full, ~Const(0, self.dims.n_lanes), some))
        return takes_part

    def _walk_range(self, m: Module) -> _Walk:
        """Go from the query's first row to its last, with a jump from the sinks to the range where it has one."""
        dims, query = self.dims, self.i.p
        row = Signal(self.keys.addr.shape())
        is_first = Signal(init=1)
        is_last = Signal()
        next_row = Signal.like(row, reset_less=True)
        follows = row + 1
        as_read = [is_first.eq(is_last)]
        m.d.comb += [row.eq(Mux(is_first, query.begin_row, next_row)), is_last.eq(row == query.last_row)]

        def below(bound: Value, name: str) -> Value:
            """Lanes of the row whose keys' indices are below a bound."""
            low, high = bound[: dims.lane_bits], bound[dims.lane_bits :]
            in_row = Mux(row == high, thermometer(m, low, f"below_{name}"), Const(0, dims.n_lanes))
            return Mux(row < high, ~Const(0, dims.n_lanes), in_row) if len(high) else in_row

        takes_part = []
        for n, n_valid in enumerate(payload.of_each(dims, query.n_valid)):
            sees = ~Const(0, dims.n_lanes)
            if dims.config.range:
                sees = ~below(payload.of_each(dims, query.first)[n], f"first_{n}")
            if dims.spec.n_sinks:
                sees |= ~below(query.base, "base") & below(query.sink_end, "sink_end")
            takes_part.append(sees & below(n_valid, f"n_valid_{n}"))
        if dims.spec.n_sinks:
            follows = Mux(query.jumps & (row == query.sink_row), query.first >> dims.lane_bits, follows)
        as_read.append(next_row.eq(follows))
        return _Walk(row, is_first, is_last, Cat(takes_part), as_read, [])
