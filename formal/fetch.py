"""`KeyFetch`: each query becomes the requests that the specification says."""

from __future__ import annotations

from amaranth.hdl import Cat, Mux, Signal

from hamming.formal.designs import size_of, small
from hamming.formal.harness import Harness
from hamming.formal.order import claim_in_order, claim_within
from hamming.formal.proof import Proof
from hamming.rtl import payload
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.fetch import KeyFetch

__all__ = ["PROOFS"]


def requests(dims: Dimensions) -> Harness:
    """Queries and masks of any bits that come and go as they like, stalls, and reads that may not be.

    A query counts in the cycle of its transfer alone. What the memory holds out is modelled by the number of the row.
    """
    fetch = KeyFetch(dims)
    h = Harness(fetch)
    m, n_lanes, n_keys = h.m, dims.n_lanes, dims.spec.n_keys
    taken = h.drive(fetch.i, "i", holds=False)
    has_mask = h.drive(fetch.i_mask, "i_mask", holds=False) if dims.config.mask else None
    may_read = h.free("may_read")
    m.d.comb += fetch.may_read.eq(may_read)
    given = h.drain(fetch.o, "o")
    reads = fetch.keys.en[0]

    # The query that is read: the one that is taken now, or the last one. An n_valid above n_keys is n_keys.
    row = Signal(range(dims.n_rows + 1), name="row_wanted")
    held = Signal.like(fetch.i.payload, name="held")
    query, n_valid = Signal.like(fetch.i.p.query), Signal.like(fetch.i.p.n_valid)
    asked = fetch.i.p.n_valid
    m.d.comb += [
        query.eq(Mux(row == 0, fetch.i.p.query, held.query)),
        n_valid.eq(Mux(row == 0, Mux(asked > n_keys, n_keys, asked), held.n_valid)),
    ]
    is_last = (row + 1) * n_lanes >= n_valid
    with m.If(reads):
        m.d.sync += [row.eq(Mux(is_last, 0, row + 1)), held.query.eq(query), held.n_valid.eq(n_valid)]
    wanted = Signal(payload.score_request(dims), name="request_wanted")
    m.d.comb += [wanted.query.eq(query), wanted.last.eq(is_last)]
    for lane in range(n_lanes):
        is_masked = fetch.i_mask.payload[lane] if dims.config.mask else 0
        m.d.comb += wanted.takes_part[lane].eq((row * n_lanes + lane < n_valid) & ~is_masked)

    # A memory whose words are the numbers of their rows.
    word = fetch.keys.addr
    for stage in range(dims.config.read_latency):
        register = Signal.like(fetch.keys.addr, name=f"word_{stage}")
        with m.If(fetch.keys.en[stage]):
            m.d.sync += register.eq(word)
        word = register

    claim_in_order(
        h,
        comes=reads,
        expected=Cat(wanted.as_value(), row),
        goes=given,
        found=Cat(fetch.o.p.as_value(), word),
        most=dims.config.read_latency,
    )
    comes = fetch.i.valid | (row != 0)
    h.claim("rows are read for a query alone, in order, where they may be", ~reads | (comes & may_read))
    h.claim("rows are read in order", ~reads | (fetch.keys.addr == row))
    h.claim("a query is taken with its first row", taken == (reads & (row == 0)))
    h.claim("rows are wanted as long as a query has them", fetch.wants_read == comes)
    if has_mask is not None:
        h.claim("a mask is taken with each row", has_mask == reads)
        comes = comes & fetch.i_mask.valid
    error = Signal(name="error_wanted")
    m.d.sync += error.eq(error | (taken & (asked > n_keys)))
    h.claim("error says whether an n_valid was above n_keys", fetch.error == error)
    claim_within(h, 0, "a row is read if it may be and requests are taken", comes & may_read & fetch.o.ready & ~reads)
    h.show("keys.en", fetch.keys.en)
    h.show("keys.addr", fetch.keys.addr)
    return h


def _proof(name: str, *, is_small: bool = False, **sizes) -> Proof:
    dims = small(**sizes)
    return Proof(
        name=f"fetch.{name}",
        component="KeyFetch",
        what="requests are those of each query (an n_valid above n_keys is n_keys), in order; no wait of its own",
        size=size_of(dims, "n_keys", "n_lanes", "mask", "read_latency"),
        build=lambda: requests(dims),
        is_small=is_small,
    )


PROOFS = (
    _proof("one_lane", n_keys=4),
    _proof("lanes", n_keys=5, n_lanes=2, is_small=True),
    _proof("mask", n_keys=7, n_lanes=4, mask=True),
    _proof("slow_memory", n_keys=5, n_lanes=2, mask=True, memory="external", read_latency=3),
    _proof("wide", n_keys=37, n_lanes=4, mask=True, d_head=3),
)
