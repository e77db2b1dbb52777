"""`Spare` and `Stage`: payloads in order, one kept while what follows stalls."""

from __future__ import annotations

from amaranth.hdl import Signal

from hamming.formal.harness import Harness
from hamming.formal.order import claim_in_order, claim_within
from hamming.formal.proof import Proof
from hamming.rtl.spare import Spare
from hamming.rtl.stage import Stage

__all__ = ["PROOFS"]


def place() -> Harness:
    """Payloads and stalls at any time."""
    part = Spare(2)
    h = Harness(part)
    taken, given = h.drive(part.i, "i"), h.drain(part.o, "o")
    inside = claim_in_order(h, comes=taken, expected=part.i.payload, goes=given, found=part.o.payload, most=1)
    h.claim("a payload is taken unless one waits", part.i.ready == (inside == 0))
    claim_within(h, 0, "what comes or waits is offered", (part.i.valid | (inside != 0)) & ~part.o.valid)
    waits = Signal()
    h.m.d.comb += waits.eq(inside != 0)
    h.reach("one waits", waits)
    return h


def stage() -> Harness:
    """Payloads and stalls at any time."""
    part = Stage(2)
    h = Harness(part)
    taken, given = h.drive(part.i, "i"), h.drain(part.o, "o")
    inside = claim_in_order(h, comes=taken, expected=part.i.payload, goes=given, found=part.o.payload, most=1)
    h.claim("a payload is taken unless one stays", part.i.ready == ((inside == 0) | given))
    h.claim("what is inside is offered", part.o.valid == (inside != 0))
    return h


PROOFS = (
    Proof(
        name="spare.stage",
        component="Stage",
        what="payloads in order, none lost, one kept at most, each delayed by a cycle",
        size="full",
        build=stage,
        is_small=True,
    ),
    Proof(
        name="spare.place",
        component="Spare",
        what="payloads in order, none lost, one kept at most, none delayed",
        size="full",
        build=place,
        is_small=True,
    ),
)
