"""`Fork`: every branch gets each payload once."""

from __future__ import annotations

from amaranth.hdl import Signal

from hamming.formal.harness import Harness
from hamming.formal.order import claim_within
from hamming.formal.proof import Proof
from hamming.rtl.fork import Fork

__all__ = ["PROOFS"]


def all_of(n_branches: int) -> Harness:
    """Payloads at any time, held until they are taken; branches that are ready at any time."""
    fork = Fork(n_branches)
    h = Harness(fork)
    h.m.d.comb += [fork.i_valid.eq(h.free("i_valid")), fork.o_ready.eq(h.free("o_ready", n_branches))]
    h.assume(~h.before(fork.i_valid & ~fork.i_ready, "waits") | fork.i_valid)
    for name, signal in (("i_valid", fork.i_valid), ("i_ready", fork.i_ready)):
        h.show(name, signal)
    h.show("o_valid", fork.o_valid)
    h.show("o_ready", fork.o_ready)
    taken = fork.i_valid & fork.i_ready
    for n in range(n_branches):
        given = fork.o_valid[n] & fork.o_ready[n]
        has_given = Signal(name=f"has_given_{n}")
        h.m.d.sync += has_given.eq(~taken & (has_given | given))
        waits = h.before(fork.o_valid[n] & ~fork.o_ready[n], f"branch_{n}_waits")
        h.claim(f"an offer to branch {n} holds until it is taken", ~waits | fork.o_valid[n])
        h.claim(f"branch {n} gets no payload twice", ~(given & has_given))
        h.claim(f"branch {n} has each payload that was taken", ~taken | given | has_given)
        h.claim(f"branch {n} gets nothing where nothing is", ~fork.o_valid[n] | fork.i_valid)
    claim_within(h, 0, "a payload is taken if all branches are ready", fork.i_valid & fork.o_ready.all() & ~taken)
    return h


def _proof(name: str, n_branches: int) -> Proof:
    return Proof(
        name=f"fork.{name}",
        component="Fork",
        what=f"each payload goes to {'both' if n_branches == 2 else 'all'} branches, once; offers hold",
        size="full" if n_branches == 2 else f"n_branches {n_branches}",
        build=lambda: all_of(n_branches),
        is_small=True,
    )


PROOFS = (_proof("both", 2), _proof("three", 3))
