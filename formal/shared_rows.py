"""`SharedRows`: every query of every group is answered, whole, and none waits for what comes after it."""

from __future__ import annotations

from amaranth.hdl import Signal

from hamming.formal.designs import size_of, small
from hamming.formal.harness import Harness
from hamming.formal.order import claim_within
from hamming.formal.proof import Proof
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.shared_rows import SharedRows

__all__ = ["PROOFS"]

#: Cycles in which something must happen as long as kept keys are taken.
_PATIENCE = 16

#: Queries inside at most, whatever is stalled.
_MOST = 30


def answers(dims: Dimensions) -> Harness:
    """Rows of any keys for groups of any queries, of any number, and stalls."""
    part = SharedRows(dims)
    h = Harness(part)
    m, n_queries, top_k = h.m, dims.n_queries_a_row, dims.spec.top_k
    m.d.comb += part.keys.eq(h.free("keys", len(part.keys)))
    taken, given = h.drive(part.i, "i"), h.drain(part.o, "o")
    waits = h.before(part.i.valid & ~part.i.ready, "row_waits")
    h.assume(~waits | (part.keys == h.before(part.keys, "keys_before")))
    row = Signal(range(dims.n_rows + 1))  # no group has more rows than there are
    with m.If(taken):
        m.d.sync += row.eq(row + 1)
        with m.If(part.i.p.last):
            m.d.sync += row.eq(0)
    h.assume(~part.i.valid | part.i.p.last | (row < dims.n_rows - 1))

    inside = Signal(range(_MOST + n_queries + 1), name="queries_inside")
    ends = given & part.o.p.last
    whole = taken & part.i.p.last
    m.d.sync += inside.eq(inside + n_queries * whole - ends)
    kept = Signal(range(top_k + 2), name="kept")
    with m.If(given):
        m.d.sync += kept.eq(kept + 1)
    with m.If(ends):
        m.d.sync += kept.eq(0)
    h.claim("no kept key without a whole group", ~part.o.valid | (inside != 0))
    h.claim(f"at most {_MOST} queries are inside", inside <= _MOST)
    h.claim(f"a query has at most {top_k} kept keys", ~given | (kept < top_k))
    h.claim("an empty query has no kept key", ~given | ~part.o.p.is_empty | (part.o.p.last & (kept == 0)))
    claim_within(h, _PATIENCE, "a kept key is offered", (inside != 0) & part.o.ready & ~part.o.valid)
    claim_within(h, _PATIENCE, "a row is taken", part.i.valid & part.o.ready & ~part.i.ready)
    h.reach("a group is answered while another one comes", ends & (inside == 1) & (row != 0))
    return h


def _proof(selector: str, *, depth: int, **sizes) -> Proof:
    dims = small(d_head=1, n_keys=2, weights=(1, 0), selector=selector, **sizes)
    return Proof(
        name=f"shared_rows.{selector}",
        component="SharedRows",
        what="no more kept keys than queries have, each query whole; no row and no query waits for ever",
        size=size_of(dims, "n_queries_a_row", "selector", "n_keys", "n_lanes", "top_k", "score_stages"),
        build=lambda: answers(dims),
        engine="bmc",
        depth=depth,
    )


PROOFS = (
    _proof("insertion", depth=24, n_queries_a_row=2, top_k=1),
    _proof("histogram", depth=22, n_queries_a_row=2, top_k=1, spare_places=True),
)
