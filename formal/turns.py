"""`Turns`: a word is never read and written at once, and nobody waits for long."""

from __future__ import annotations

from hamming.formal.harness import Harness
from hamming.formal.order import claim_within
from hamming.formal.proof import Proof
from hamming.rtl.turns import Turns

__all__ = ["PROOFS"]


def turns() -> Harness:
    """Anything is wanted at any time."""
    part = Turns(addr_bits=2)
    h = Harness(part)
    for name in ("wants_read", "wants_write", "read_addr", "write_addr"):
        signal = getattr(part, name)
        h.m.d.comb += signal.eq(h.free(name, len(signal)))
        h.show(name, signal)
    reads, writes = part.wants_read & part.may_read, part.wants_write & part.may_write
    h.claim("a word is not read and written at once", ~(reads & writes & (part.read_addr == part.write_addr)))
    meet = part.wants_read & part.wants_write & (part.read_addr == part.write_addr)
    h.claim("who meets nobody goes", meet | (part.may_read & part.may_write))
    h.claim("of two that meet one goes", part.may_read | part.may_write)
    claim_within(h, 1, "the reader goes", part.wants_read & ~part.may_read)
    claim_within(h, 1, "the writer goes", part.wants_write & ~part.may_write)
    h.reach("the reader waits", h.before(meet & ~part.may_read, "waited") & part.may_read & meet)
    return h


PROOFS = (
    Proof(
        name="turns.turns",
        component="Turns",
        what="no word is read and written at once; neither side waits for more than a cycle at a time",
        size="addresses of 2 bits",
        build=turns,
        is_small=True,
    ),
)
