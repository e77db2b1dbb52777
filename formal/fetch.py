"""`KeyFetch`: each query becomes the requests that the specification says."""

from __future__ import annotations

from amaranth.hdl import Mux, Signal

from formal.designs import size_of, small
from formal.harness import Harness
from formal.order import claim_within
from formal.proof import Proof
from rtl.config import Dimensions
from rtl.fetch import KeyFetch

__all__ = ["PROOFS"]


def requests(dims: Dimensions) -> Harness:
    """Queries of any `n_valid`, masks, and stalls; requests are held against a plain count of the rows."""
    fetch = KeyFetch(dims)
    h = Harness(fetch)
    m, n_lanes, n_keys = h.m, dims.n_lanes, dims.spec.n_keys
    taken = h.drive(fetch.i, "i")
    h.assume(fetch.i.p.n_valid <= n_keys)
    mask = 0
    comes = fetch.i.valid
    if dims.config.mask:
        h.drive(fetch.i_mask, "i_mask")
        mask, comes = fetch.i_mask.payload, comes & fetch.i_mask.valid
    h.drain(fetch.o, "o")

    n_valid = Mux(fetch.i.p.n_valid > n_keys, n_keys, fetch.i.p.n_valid)
    row = Signal(range(dims.n_rows + 1))
    is_last = (row + 1) * n_lanes >= n_valid
    wanted = Signal.like(fetch.o.payload, name="wanted")
    reads = fetch.keys.en
    with m.If(reads):
        m.d.sync += [row.eq(Mux(is_last, 0, row + 1)), wanted.query.eq(fetch.i.p.query), wanted.last.eq(is_last)]
        for lane in range(n_lanes):
            takes_part = row * n_lanes + lane < n_valid
            m.d.sync += wanted.takes_part[lane].eq(takes_part & ~(mask >> lane & 1 if dims.config.mask else 0))
    has_request = Signal()
    m.d.sync += has_request.eq(reads | (has_request & ~fetch.o.ready))
    h.show("keys.en", reads)
    h.show("keys.addr", fetch.keys.addr)
    h.claim("a row is read for a query alone", ~reads | comes)
    h.claim("rows are read in order", ~reads | (fetch.keys.addr == row))
    h.claim("no row is read over one that waits", ~(reads & fetch.o.valid & ~fetch.o.ready))
    h.claim("a query is taken with its last row", taken == (reads & is_last))
    h.claim("a request follows each read, and nothing else", fetch.o.valid == has_request)
    h.claim("a request is what it must be", ~fetch.o.valid | (fetch.o.p.as_value() == wanted.as_value()))
    if dims.config.mask:
        h.claim("a mask is taken with each row", (fetch.i_mask.valid & fetch.i_mask.ready) == reads)
    h.reach("a query of all keys ends", fetch.o.valid & fetch.o.p.last & (row == 0) & (fetch.i.p.n_valid == n_keys))
    claim_within(h, 0, "a row is read if the request is taken", comes & fetch.o.ready & ~reads)
    return h


def _proof(name: str, *, is_small: bool = False, **sizes) -> Proof:
    dims = small(**sizes)
    return Proof(
        name=f"fetch.{name}",
        component="KeyFetch",
        what="requests are those of each query, in order, and hold; rows are read once, without a pause",
        size=size_of(dims, "n_keys", "n_lanes", "mask"),
        build=lambda: requests(dims),
        is_small=is_small,
    )


PROOFS = (
    _proof("one_lane", n_keys=3),
    _proof("lanes", n_keys=5, n_lanes=2, is_small=True),
    _proof("mask", n_keys=7, n_lanes=4, mask=True),
    _proof("wide", n_keys=37, n_lanes=4, mask=True, d_head=3),
)
