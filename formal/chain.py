"""Engines in a chain: what they take of what all are told, how they agree, and how their results join."""

from __future__ import annotations

import itertools
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.formal.designs import size_of, small
from hamming.formal.harness import Harness
from hamming.formal.order import claim_in_order, claim_within, count_inside
from hamming.formal.proof import Proof
from hamming.rtl import payload
from hamming.rtl.agreement import Agreement
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.kept_keys import KeptKeys, waiting_keys
from hamming.rtl.merge import PartialAdder
from hamming.rtl.share import QueryShare, RowShare

__all__ = ["PROOFS", "Agreements"]


class Agreements(wiring.Component):
    """Agreements of several engines, joined as a chain joins them: `i_N` and `o_N` are those of engine `N`."""

    def __init__(self, dims: Dimensions):
        self.dims = dims
        self.parts = [Agreement(dims) for _ in range(dims.config.n_engines)]
        members: dict[str, Any] = {}
        for n, part in enumerate(self.parts):
            members[f"i_{n}"] = In(stream.Signature((1 + part.room_bits) * (dims.spec.d_head + 1)))
            members[f"o_{n}"] = Out(stream.Signature(payload.cut(dims)))
        super().__init__(members)

    def elaborate(self, platform) -> Module:
        m = Module()
        parts: list[Any] = self.parts
        for n, part in enumerate(parts):
            m.submodules[f"part_{n}"] = part
            wiring.connect(m, wiring.flipped(getattr(self, f"i_{n}")), part.i)
            wiring.connect(m, part.o, wiring.flipped(getattr(self, f"o_{n}")))
        for part, behind in itertools.pairwise(parts):
            wiring.connect(m, behind.o_counts, part.i_counts)
            wiring.connect(m, part.o_totals, behind.i_totals)
        m.d.comb += [
            parts[-1].i_counts.valid.eq(1),
            parts[-1].o_totals.ready.eq(1),
            parts[0].i_totals.valid.eq(parts[0].o_counts.valid),
            parts[0].i_totals.p.total.eq(parts[0].o_counts.p.count),
            parts[0].o_counts.ready.eq(parts[0].i_totals.ready),
        ]
        return m


def cuts(dims: Dimensions) -> Harness:
    """Counts of any queries at any time, stalls; one query, any one, is watched, and what each engine is told of it."""
    part = Agreements(dims)
    h = Harness(part)
    m, spec = h.m, dims.spec
    n_levels, most = spec.d_head + 1, dims.part.spec.top_k
    n_engines = dims.config.n_engines
    watched = h.constant("watched")
    counts: list[list[Signal]] = []
    n_in, n_out, gives = [], [], []
    for e in range(n_engines):
        given = getattr(part, f"i_{e}")
        taken = h.drive(given, f"i_{e}")
        gives.append(h.drain(getattr(part, f"o_{e}"), f"o_{e}"))
        words = [given.payload.word_select(b, n_levels) for b in range(part.parts[e].room_bits + 1)]
        now: list[Value] = []
        for t in range(n_levels):
            room = Cat(word[t] for word in words[:-1])
            now.append(Mux(words[-1][t], most, most - 1 - room))
            h.assume(~given.valid | (room <= most - 1))
        for lower, higher in itertools.pairwise(now):
            h.assume(~given.valid | (higher <= lower))
        held = [Signal(range(most + 1), name=f"count_{e}_{t}") for t in range(n_levels)]
        n_in.append(Signal(3, name=f"in_{e}"))
        n_out.append(Signal(3, name=f"out_{e}"))
        with m.If(taken & ~n_in[e].all()):
            m.d.sync += n_in[e].eq(n_in[e] + 1)
        with m.If(gives[e] & ~n_out[e].all()):
            m.d.sync += n_out[e].eq(n_out[e] + 1)
        with m.If(taken & (n_in[e] == watched)):
            m.d.sync += [word.eq(count) for word, count in zip(held, now, strict=True)]
        counts.append(held)

    # What golden.agree says of the watched counts.
    total = [sum((counts[e][t] for e in range(1, n_engines)), counts[0][t]) for t in range(n_levels)]
    level, max_level = Signal(dims.level_bits), Signal(dims.level_bits)
    for t in range(n_levels):  # the highest comes last
        with m.If((total[t] >= spec.top_k) | (t == 0)):
            m.d.comb += level.eq(t + 1)
        with m.If(total[t] != 0):
            m.d.comb += max_level.eq(t + 1)
    at = [_at(counts[e], level) for e in range(n_engines)]
    above = [_at([*counts[e][1:], 0], level) for e in range(n_engines)]
    left: Value = spec.top_k - sum(above[1:], above[0])
    for e in range(n_engines):
        told = getattr(part, f"o_{e}").p
        own = at[e] - above[e]
        share = Mux(own < left, own, left)
        answers = gives[e] & (n_out[e] == watched)
        cut = Cat(told.level, told.max_level, told.quota, told.n_kept)
        is_right = (told.level == level) & (told.max_level == max_level) & (told.quota == share)
        h.show(f"cut of engine {e}", cut)
        h.claim(f"engine {e} has its query's cut and share", ~answers | (is_right & (told.n_kept == above[e] + share)))
        h.claim(f"engine {e} has no cut of a query that one has not counted", ~gives[e] | _all_above(n_in, n_out[e]))
        left = left - share
        waits = _all_above(n_in, n_out[e]) & getattr(part, f"o_{e}").ready & ~getattr(part, f"o_{e}").valid
        others = [getattr(part, f"o_{n}").ready for n in range(n_engines)]
        claim_within(h, dims.agreement, f"engine {e} has it in time", waits & Cat(others).all())
        h.reach(f"engine {e} is told", answers)
    return h


def _at(counts: list[Any], level: Value) -> Value:
    """Return the count of a level, 1 and up."""
    found: Value = Value.cast(counts[0])
    for t, count in enumerate(counts):
        found = Mux(level == t + 1, count, found)
    return found


def _all_above(numbers: list[Signal], number: Value) -> Value:
    return Cat(one > number for one in numbers).all()


def sums(dims: Dimensions) -> Harness:
    """Partial results of both at any time, stalls."""
    part = PartialAdder(dims, dims.part)
    h = Harness(part, resets=True)
    before, own = part.i_before, part.i
    took = h.drive(before, "i_before")
    took_own = h.drive(own, "i")
    gave = h.drain(part.o, "o")
    h.claim("both are taken together", took == took_own)
    expected = Signal(payload.partial(dims))
    h.m.d.comb += [
        *(expected.acc[n].eq(before.p.acc[n] + own.p.acc[n]) for n in range(dims.n_dividers)),
        expected.weight_sum.eq(before.p.weight_sum + own.p.weight_sum),
        expected.max_level.eq(own.p.max_level),
        expected.is_empty.eq(before.p.is_empty & own.p.is_empty),
        expected.last.eq(own.p.last),
    ]
    claim_in_order(h, comes=took, expected=expected, goes=gave, found=part.o.p, most=2)
    claim_within(h, 1, "what both offer is taken", before.valid & own.valid & part.o.ready & ~took & ~h.reset)
    return h


def kept(dims: Dimensions) -> Harness:
    """Kept keys of both at any time, in queries, stalls."""
    part = KeptKeys(dims)
    h = Harness(part)
    start = dims.part.spec.n_keys
    h.m.d.comb += part.start.eq(start)
    taken = {}
    for name in ("i_before", "i"):
        given = getattr(part, name)
        taken[name] = h.drive(given, name)
        within = Signal(name=f"{name}_within")  # a query that has begun
        with h.m.If(taken[name]):
            h.m.d.sync += within.eq(~given.p.last)
        h.assume(~given.valid | ~given.p.is_empty | (given.p.last & ~within & (given.p.index == 0)))
        h.assume(~given.valid | ~given.p.is_empty | (given.p.deficit == 0))
    h.assume(~part.i_before.valid | (part.i_before.p.index < start))
    h.assume(~part.i.valid | (part.i.p.index < start))
    out = part.o.p
    goes = h.drain(part.o, "o")
    is_own = ~out.is_empty & (out.index >= start)
    index = Signal.like(out.index, name="own_index")
    h.m.d.comb += index.eq(part.i.p.index + start)
    places = waiting_keys(dims.part) + 3
    claim_in_order(
        h,
        comes=taken["i"] & ~part.i.p.is_empty,
        expected=Cat(index, part.i.p.deficit),
        goes=goes & is_own,
        found=Cat(out.index, out.deficit),
        most=places,
    )
    count_inside(
        h,
        comes=taken["i_before"] & ~part.i_before.p.is_empty,
        goes=goes & ~is_own & ~out.is_empty,
        most=2,
        what="others",
    )
    count_inside(h, comes=taken["i"] & part.i.p.last, goes=goes & out.last, most=places, what="queries")
    before = Signal()  # within a query, the engine's own keys have begun
    with h.m.If(goes):
        h.m.d.sync += before.eq(~out.last & (before | is_own))
    h.claim("no key of those before comes behind one of its own", ~goes | ~before | is_own)
    h.reach("both have a key", goes & out.last & is_own)
    return h


def rows(dims: Dimensions) -> Harness:
    """Rows at any time, for any engine."""
    part = RowShare(dims)
    h = Harness(part, resets=True)
    n_own = dims.part.spec.n_keys
    engine = h.constant("engine", 1)
    h.m.d.comb += part.start.eq(engine * n_own)
    taken, given = h.drive(part.i, "i"), h.drain(part.o, "o", claims=False)
    index = part.i.p.index
    is_own = (index >= part.start) & (index < part.start + n_own)
    h.claim("its own rows are offered", part.o.valid == (part.i.valid & is_own))
    h.claim("where it holds them", ~part.o.valid | (part.o.p.index + part.start == index))
    h.claim("as they are", (part.o.p.key == part.i.p.key) & (Value.cast(part.o.p.value) == Value.cast(part.i.p.value)))
    h.claim("others go by at once", h.reset | ~part.i.valid | is_own | taken)
    h.claim("an own one goes when it is taken", ~part.i.valid | ~is_own | (taken == given))
    h.reach("a row is another's", taken & ~is_own)
    return h


def queries(dims: Dimensions) -> Harness:
    """Queries of any bits at any time, for any engine."""
    part = QueryShare(dims)
    h = Harness(part)
    spec, n_own = dims.spec, dims.part.spec.n_keys
    engine = h.constant("engine", 1)
    h.m.d.comb += part.start.eq(engine * n_own)
    taken, given = h.drive(part.i, "i"), h.drain(part.o, "o")
    expected = Signal(payload.query(dims.part))
    h.m.d.comb += expected.query.eq(part.i.p.query)
    for name in ("n_valid", "first"):
        bound = Mux(part.i.p[name] > spec.n_keys, spec.n_keys, part.i.p[name])
        of_second = Mux(bound > n_own, bound - n_own, 0)
        of_first = Mux(bound < n_own, bound, n_own)
        h.m.d.comb += expected[name].eq(Mux(engine, of_second, of_first))
    claim_in_order(h, comes=taken, expected=expected, goes=given, found=part.o.p, most=1)
    wrong = Signal(2)
    with h.m.If(taken):
        h.m.d.sync += wrong.eq(wrong | Cat(part.i.p.n_valid > spec.n_keys, part.i.p.first > spec.n_keys))
    h.claim("errors say what was out of range", part.errors == wrong)
    claim_within(h, 0, "a query is taken if the one before is", part.i.valid & part.o.ready & ~part.i.ready)
    return h


def _two(**sizes) -> Dimensions:
    return small(n_engines=2, chain=True, **sizes)


_KEYS = ("d_head", "n_keys", "top_k", "n_engines")

PROOFS = (
    Proof(
        name="chain.cuts",
        component="Agreement",
        what="engines that agree are told the cut of all counts and their own share of it, query by query, in time",
        size=size_of(_two(d_head=1), *_KEYS),
        build=lambda: cuts(_two(d_head=1)),
        engine="bmc",
        depth=17,
    ),
    Proof(
        name="chain.sums",
        component="PartialAdder",
        what="sums of both, in order, none lost; offers hold",
        size=size_of(_two(), "n_engines", "value_bits", "weight_bits", "top_k"),
        build=lambda: sums(_two()),
        is_small=True,
    ),
    Proof(
        name="chain.kept",
        component="KeptKeys",
        what="own keys in order behind those of the engines before, query by query; none is lost; offers hold",
        size=size_of(_two(d_head=1, top_k=1), *_KEYS),
        build=lambda: kept(_two(d_head=1, top_k=1)),
        engine="bmc",
        depth=9,
    ),
    Proof(
        name="chain.rows",
        component="RowShare",
        what="an engine's own rows, where it holds them; all others go by at once",
        size=size_of(_two(n_keys=6), *_KEYS),
        build=lambda: rows(_two(n_keys=6)),
        is_small=True,
    ),
    Proof(
        name="chain.queries",
        component="QueryShare",
        what="what each engine sees of a query, in order; errors are told; offers hold",
        size=size_of(_two(n_keys=6, range=True), *_KEYS),
        build=lambda: queries(_two(n_keys=6, range=True)),
        is_small=True,
    ),
)
