"""`ScoreArray`: levels by plain addition, in order."""

from __future__ import annotations

from amaranth.hdl import Cat, Mux, Signal

from hamming.formal.designs import size_of, small
from hamming.formal.harness import Harness
from hamming.formal.order import claim_in_order, claim_within, total
from hamming.formal.proof import Proof
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.score import ScoreArray

__all__ = ["PROOFS"]


def levels(dims: Dimensions) -> Harness:
    """Requests and keys at any time; the memory holds the keys out as long as the request waits."""
    score = ScoreArray(dims)
    h = Harness(score)
    comes = h.drive(score.i, "i")
    h.m.d.comb += score.keys.eq(h.free("keys", len(score.keys)))
    h.assume(~h.before(score.i.valid & ~score.i.ready, "waits") | (score.keys == h.before(score.keys, "keys")))
    h.show("keys", score.keys)
    goes = h.drain(score.o, "o")
    wanted = Signal.like(score.o.payload, name="expected")
    h.m.d.comb += wanted.last.eq(score.i.p.last)
    for lane in range(dims.n_lanes):
        key = score.keys.word_select(lane, dims.spec.d_head)
        equal = total(score.i.p.query[b] == key[b] for b in range(dims.spec.d_head))
        h.m.d.comb += wanted.level[lane].eq(Mux(score.i.p.takes_part[lane], equal + 1, 0))
    most = dims.config.score_stages
    inside = claim_in_order(h, comes=comes, expected=wanted, goes=goes, found=score.o.payload, most=most)
    claim_within(h, most, "levels come out", Cat(inside != 0).any() & score.o.ready & ~score.o.valid)
    claim_within(h, 0, "a request is taken if levels are", score.i.valid & score.o.ready & ~score.i.ready)
    return h


def _proof(name: str, *, is_small: bool = False, **sizes) -> Proof:
    dims = small(**sizes)
    return Proof(
        name=f"score.{name}",
        component="ScoreArray",
        what="levels are matches + 1, or 0, in order; they hold; none is lost; no wait beyond the latency",
        size=size_of(dims, "d_head", "n_lanes", "score_stages"),
        build=lambda: levels(dims),
        is_small=is_small,
    )


PROOFS = (
    _proof("no_stages", d_head=5, n_lanes=2),
    _proof("stages", d_head=4, n_lanes=2, score_stages=2, is_small=True),
)
