"""`Replay`: each query's kept keys once for each slice, in order."""

from __future__ import annotations

from amaranth.hdl import Mux, Signal

from hamming.formal.designs import size_of, small
from hamming.formal.harness import Harness
from hamming.formal.order import claim_within
from hamming.formal.proof import Proof
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.payload import kept_key
from hamming.rtl.replay import Replay

__all__ = ["PROOFS"]


def drive_kept(h: Harness, stream, name: str, dims: Dimensions) -> Signal:
    """Drive kept keys as a selector gives them: `top_k` at most, an empty query alone; return a beat's number."""
    taken = h.drive(stream, name)
    number = Signal(range(dims.spec.top_k + 1), name=f"{name}_number")
    with h.m.If(taken):
        h.m.d.sync += number.eq(Mux(stream.p.last, 0, number + 1))
    h.assume(~stream.valid | stream.p.last | (number < dims.spec.top_k - 1))
    h.assume(~stream.valid | ~stream.p.is_empty | (stream.p.last & (number == 0)))
    return number


def passes(dims: Dimensions) -> Harness:
    """Queries of any keys; one, any one, is watched, and its passes are held against its keys."""
    replay = Replay(dims)
    h = Harness(replay)
    m, spec, most = h.m, dims.spec, 2
    number = drive_kept(h, replay.i, "i", dims)
    given = h.drain(replay.o, "o")
    taken = replay.i.valid & replay.i.ready
    fields = ("index", "deficit", "is_empty")

    ends_in = taken & replay.i.p.last
    ends_out = given & replay.o.p.last & (replay.o.p.slice == dims.fold - 1)
    has_begun = Signal()  # the query that comes in has a beat inside
    with m.If(taken):
        m.d.sync += has_begun.eq(~replay.i.p.last)
    inside = Signal(range(most + 2))
    m.d.sync += inside.eq(inside + ends_in - ends_out)
    h.claim("no more queries go out than came in", ~ends_out | (inside != 0))
    h.claim(f"at most {most} queries are inside", inside <= most)
    h.claim("nothing is offered where nothing is inside", ~replay.o.valid | (inside != 0) | has_begun)

    # The watched query: how many keys it has, what they are, and which beat of which pass is next.
    keys = [h.constant(f"key_{n}", len(replay.i.payload.as_value())) for n in range(spec.top_k)]
    n_keys = h.constant("n_keys", range(spec.top_k + 1))
    starts = h.free("watch") & taken & (number == 0)
    is_in, came, done = Signal(), Signal(), Signal()
    ahead = Signal(range(most + 2))
    is_watched = is_in | (starts & ~came)
    with m.If(taken & is_watched):
        m.d.sync += [is_in.eq(~replay.i.p.last), came.eq(1)]
    with m.If(starts & ~came):
        m.d.sync += ahead.eq(inside - ends_out)
    with m.Elif(ends_out & (ahead != 0)):
        m.d.sync += ahead.eq(ahead - 1)
    bits = replay.i.p.as_value()[:-1]
    for n, key in enumerate(keys):
        h.assume(~(taken & is_watched & (number == n)) | (bits == key[:-1]))
    h.assume(~(taken & is_watched) | (replay.i.p.last == (number + 1 == n_keys)))

    beat, slice_number = Signal(range(spec.top_k)), Signal(range(dims.fold + 1))
    answers = came & ~done & (ahead == 0) & replay.o.valid
    with m.If(answers & given):
        m.d.sync += beat.eq(Mux(replay.o.p.last, 0, beat + 1))
        with m.If(replay.o.p.last):
            m.d.sync += [slice_number.eq(slice_number + 1), done.eq(slice_number == dims.fold - 1)]
    layout = kept_key(dims)
    for name in fields:
        words = [getattr(layout(key), name) for key in keys]
        word = words[-1]
        for n, other in enumerate(words[:-1]):
            word = Mux(beat == n, other, word)
        h.claim(f"each pass has each key's {name}", ~answers | (getattr(replay.o.p, name) == word))
    h.claim("each pass is numbered", ~answers | (replay.o.p.slice == slice_number))
    h.claim("each pass ends with the last key", ~answers | (replay.o.p.last == (beat + 1 == n_keys)))
    h.reach("the last pass of a query of the most keys ends", done & (n_keys == spec.top_k))
    claim_within(h, 1, "a key is offered if a query is inside", (inside != 0) & ~replay.o.valid)
    steps = dims.fold * spec.top_k
    claim_within(h, steps, "a key is taken if keys are", replay.i.valid & replay.o.ready & ~replay.i.ready)
    return h


def _proof(name: str, *, is_small: bool = False, **sizes) -> Proof:
    dims = small(**sizes)
    return Proof(
        name=f"replay.{name}",
        component="Replay",
        what="each query's keys once a slice, in order; none is lost; no wait beyond `fold * top_k` cycles",
        size=size_of(dims, "top_k", "n_keys", "d_head", "fold", *(["fabric"] if dims.has_chains else [])),
        build=lambda: passes(dims),
        is_small=is_small,
    )


PROOFS = (
    _proof("register", top_k=2, n_keys=2, d_head=1),
    _proof("two_slices", top_k=2, n_keys=2, d_head=1, d_value=2, n_macs=1, is_small=True),
    _proof("three_slices", top_k=3, n_keys=3, d_head=1, d_value=3, n_macs=1),
    _proof("ahead", top_k=2, n_keys=2, d_head=1, d_value=2, n_macs=1, fabric="luts"),
    _proof("ahead_three_slices", top_k=3, n_keys=3, d_head=1, d_value=3, n_macs=1, fabric="luts"),
)
