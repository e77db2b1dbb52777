"""`RowRange` and `KeyFetch`: the rows that hold a query's range and its sinks, each read once."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.formal.designs import size_of, small
from hamming.formal.harness import Harness
from hamming.formal.order import claim_in_order, claim_within
from hamming.formal.proof import Proof
from hamming.rtl import payload
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.fetch import KeyFetch
from hamming.rtl.memory import key_read_port
from hamming.rtl.row_range import RowRange

__all__ = ["PROOFS"]


class RangedFetch(wiring.Component):
    """`RowRange` in front of `KeyFetch`, as in the engine."""

    i: stream.Interface
    o: stream.Interface
    i_mask: stream.Interface
    keys: wiring.PureInterface
    may_read: Signal
    errors: Signal

    def __init__(self, dims: Dimensions):
        self.dims = dims
        members = {
            "i": In(stream.Signature(payload.query(dims))),
            "o": Out(stream.Signature(payload.row_request(dims))),
            "keys": Out(key_read_port(dims)),
            "may_read": In(1),
            "errors": Out(1 + dims.config.range + (dims.spec.n_sinks > 0)),
        }
        if dims.config.mask:
            members["i_mask"] = In(stream.Signature(payload.mask_row(dims)))
        super().__init__(members)

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.row_range = row_range = RowRange(self.dims)
        m.submodules.fetch = fetch = KeyFetch(self.dims)
        wiring.connect(m, wiring.flipped(self.i), row_range.i)
        wiring.connect(m, row_range.o, fetch.i)
        wiring.connect(m, fetch.o, wiring.flipped(self.o))
        wiring.connect(m, fetch.keys, wiring.flipped(self.keys))
        if self.dims.config.mask:
            wiring.connect(m, wiring.flipped(self.i_mask), fetch.i_mask)
        m.d.comb += [fetch.may_read.eq(self.may_read), self.errors.eq(row_range.errors)]
        return m


def requests(dims: Dimensions) -> Harness:
    """Queries of any bits that come and go as they like, stalls, masks, and reads that may not be.

    What is expected follows from which keys take part alone: the rows that have one, in rising order, or row 0. Of a
    group, also the rows between two that have one.
    """
    fetch = RangedFetch(dims)
    h = Harness(fetch)
    m, n_lanes, spec = h.m, dims.n_lanes, dims.spec
    taken = h.drive(fetch.i, "i", holds=False)
    has_mask = h.drive(fetch.i_mask, "i_mask", holds=False) if dims.config.mask else None
    may_read = h.free("may_read")
    m.d.comb += fetch.may_read.eq(may_read)
    given = h.drain(fetch.o, "o")
    reads = fetch.keys.en[0]

    # The query that is read: the last one that was taken, until its last row.
    held = Signal.like(fetch.i.payload, name="held")
    is_held = Signal(name="is_held")
    row = Signal(range(dims.n_rows), name="row_after")  # rows before it are read
    query = held
    seen = [
        [
            _sees(dims, query, n, index) if index < spec.n_keys else Value.cast(0)
            for index in range(dims.n_rows * n_lanes)
        ]
        for n in range(dims.n_queries_a_row)
    ]
    has_key = Cat(Cat(one[r * n_lanes : (r + 1) * n_lanes] for one in seen).any() for r in range(dims.n_rows))
    if dims.n_queries_a_row > 1:
        has_key = Cat(has_key[: r + 1].any() & has_key[r:].any() for r in range(dims.n_rows))
    is_empty = ~has_key.any()
    left = Signal(dims.n_rows, name="rows_left")
    m.d.comb += left.eq(Mux(is_empty, 1, has_key) & ~((1 << row) - 1))
    wanted_row = Signal(dims.row_bits, name="row_wanted")
    for r in reversed(range(dims.n_rows)):
        with m.If(left[r]):
            m.d.comb += wanted_row.eq(r)
    is_last = (left & (left - 1)) == 0
    with m.If(reads):
        m.d.sync += row.eq(Mux(is_last, 0, wanted_row + 1))
    with m.If(taken):
        m.d.sync += [held.eq(fetch.i.payload), is_held.eq(1)]
    with m.Elif(reads & is_last):
        m.d.sync += is_held.eq(0)

    wanted = Signal(payload.row_request(dims), name="request_wanted")
    m.d.comb += [wanted.query.eq(query.query), wanted.last.eq(is_last)]
    for n, lanes in enumerate(payload.of_each(dims, wanted.takes_part)):
        for lane in range(n_lanes):
            is_masked = fetch.i_mask.payload[n * n_lanes + lane] if dims.config.mask else 0
            takes_part = Cat(seen[n][r * n_lanes + lane] for r in range(dims.n_rows)).bit_select(wanted_row, 1)
            m.d.comb += lanes[lane].eq(takes_part & ~is_masked)

    word = Signal.like(fetch.keys.addr, name="word")  # a memory whose words are the numbers of their rows
    with m.If(reads):
        m.d.sync += word.eq(fetch.keys.addr)
    claim_in_order(
        h,
        comes=reads,
        expected=Cat(wanted.as_value(), wanted_row),
        goes=given,
        found=Cat(fetch.o.p.as_value(), word),
        most=1,
    )
    h.claim("rows are read for a query alone, where they may be", ~reads | (is_held & may_read))
    h.claim("a query is taken if none waits", ~taken | ~is_held | (reads & is_last))
    comes = is_held
    if has_mask is not None:
        h.claim("a mask is taken with each row", has_mask == reads)
        comes = comes & fetch.i_mask.valid
    asked = fetch.i.p
    names = ["n_valid", *(["first"] if dims.config.range else [])]
    above = [Cat(one > spec.n_keys for one in payload.of_each(dims, asked[name])).any() for name in names]
    above += [asked.base >= spec.n_keys] if spec.n_sinks else []
    errors = Signal(len(above), name="errors_wanted")
    with m.If(taken):
        m.d.sync += errors.eq(errors | Cat(above))
    h.claim("errors say what was above n_keys", fetch.errors == errors)
    claim_within(h, 0, "a row is read if it may be and requests are taken", comes & may_read & fetch.o.ready & ~reads)
    claim_within(h, 0, "a query is taken if none is held", fetch.i.valid & ~is_held & ~taken)
    if spec.n_sinks and dims.n_rows > 2:
        h.reach("rows between sinks and range are left out", reads & (row != 0) & (wanted_row != row))
    h.show("keys.addr", fetch.keys.addr)
    return h


def _sees(dims: Dimensions, query, n: int, index: int) -> Value:
    """Whether a query of a group sees a key, by the contract's words."""
    n_keys, n_sinks = dims.spec.n_keys, dims.spec.n_sinks
    n_valid = payload.of_each(dims, query.n_valid)[n]
    first = payload.of_each(dims, query.first)[n] if dims.config.range else 0
    is_sink = (query.base <= index) & (index < query.base + n_sinks) if n_sinks else 0
    return (index < Mux(n_valid > n_keys, n_keys, n_valid)) & (Value.cast(first <= index) | is_sink)


def _proof(name: str, *, is_small: bool = False, **sizes) -> Proof:
    dims = small(**{"range": True} | sizes)
    return Proof(
        name=f"row_range.{name}",
        component="RowRange, KeyFetch",
        what="requests are the rows that hold a key of the range or a sink, each once, in order; no wait of its own",
        size=size_of(
            dims, "n_keys", "n_lanes", "n_sinks", "mask", *(["n_queries_a_row"] if dims.n_queries_a_row > 1 else [])
        ),
        build=lambda: requests(dims),
        is_small=is_small,
    )


PROOFS = (
    _proof("range", n_keys=7, n_lanes=2, is_small=True),
    _proof("one_lane", n_keys=5, n_sinks=2),
    _proof("sinks", n_keys=11, n_lanes=2, n_sinks=3, mask=True),
    _proof("one_sink", n_keys=13, n_lanes=4, n_sinks=1),
    _proof("one_row", n_keys=4, n_lanes=4, n_sinks=2),
    _proof("group", n_keys=7, n_lanes=2, n_queries_a_row=2, mask=True),
    _proof("group_without_range", n_keys=5, n_lanes=2, n_queries_a_row=3, range=False),
)
