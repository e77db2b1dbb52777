"""The second half of the histogram selector: the stored levels once more, and out come those that the cut keeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream

from hamming.rtl.bit_sliced import FirstInParts, at_least_two, compare, first, lowest, numbers, of_first, select
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.group_reader import AheadReader, GroupReader
from hamming.rtl.memory import DualPortMemory
from hamming.rtl.sizes import MOST_AT_ONCE

__all__ = ["scan_levels"]


def scan_levels(
    m: Module,
    dims: Dimensions,
    o: stream.Interface,
    scores: DualPortMemory,
    cut: Mapping[str, Value],
    is_complete: Signal,
    handed_over: Signal,
    scan_bank: Signal,
    next_group: Signal,
) -> Value:
    """Read a query's groups one after the other, and give out the keys that the cut keeps.

    Returned is whether the bank that is scanned has been read.
    """
    n_scores = dims.scan_rows * dims.n_lanes
    reader = (AheadReader if dims.reads_ahead else GroupReader)(dims, cut, next_group)
    read_cut, is_new, moves = reader.cut, reader.is_new, reader.moves
    has_group, ends_group, ends_scan = reader.has_group, reader.ends_group, reader.ends_scan
    pick = Signal(n_scores)
    reader.read(m, scores, is_complete, handed_over, scan_bank)

    # Compare, and hold: bit-sliced across the positions, word b holds bit b of every level.
    stored = [Signal(dims.level_bits, name=f"stored_{p}") for p in range(n_scores)]
    for p, level in enumerate(stored):
        m.d.comb += level.eq(scores.read.data.word_select(p, dims.level_bits))
    words = [Signal(n_scores, name=f"stored_level_{b}") for b in range(dims.level_bits)]
    levels = [Signal(n_scores, name=f"level_{b}", reset_less=True) for b in range(dims.level_bits)]
    for b, word in enumerate(words):
        m.d.comb += word.eq(Cat(level[b] for level in stored))
    is_above, is_equal = compare(m, words, read_cut["level"])
    todo = Signal(n_scores, reset_less=True)  # kept, and not out yet; of the equal ones, while there is quota
    equal = Signal(n_scores, reset_less=True)
    group = Signal.like(reader.group, name="group", reset_less=True)
    quota, n_left, max_level = (
        Signal.like(cut[name], name=name, reset_less=True) for name in ("quota", "n_kept", "max_level")
    )
    has_quota = Signal()
    gives = Signal()
    given = Signal()
    takes_equal = Signal()
    left = {"none": n_left == 0, "one": n_left <= 1, "one_equal": quota == 1, "two_equal": quota > 1}
    if dims.has_chains:  # what is left is compared a cycle before
        left = {name: Signal(name=f"leaves_{name}", reset_less=True) for name in left}
    # One engine keeps some key at the cut; of several, others may have them all.
    may_equal = is_new | has_quota if dims.config.n_engines == 1 else Mux(is_new, read_cut["quota"] != 0, has_quota)
    with m.If(moves):
        m.d.sync += [group.eq(reader.group), *(level.eq(word) for level, word in zip(levels, words, strict=True))]
        if not dims.has_chains:
            m.d.sync += todo.eq(is_above | Mux(may_equal, is_equal, 0))
        m.d.sync += equal.eq(is_equal)
    if not dims.has_chains:
        with m.Elif(given):
            m.d.sync += todo.eq(todo & ~pick & Mux(has_quota, ~Const(0, n_scores), ~equal))
    else:  # the same, not by resets of registers, to which the way is long
        keeps_equal = left["two_equal"] | (left["one_equal"] & ~takes_equal)
        gone = given.replicate(n_scores) & (pick | (equal & (~keeps_equal).replicate(n_scores)))
        new = is_above | (is_equal & may_equal.replicate(n_scores))
        new |= is_new & (read_cut["n_kept"] == 0)  # one that says that there is none
        m.d.sync += todo.eq(Mux(moves, new, todo & ~gone))
    with m.If(moves | ends_group):
        m.d.sync += has_group.eq(moves)
    with m.If(moves & is_new):
        m.d.sync += [
            quota.eq(read_cut["quota"]),
            n_left.eq(read_cut["n_kept"]),
            max_level.eq(read_cut["max_level"]),
        ]
        if dims.has_chains:
            m.d.sync += [left["none"].eq(read_cut["n_kept"] == 0), left["one"].eq(read_cut["n_kept"] <= 1)]
            m.d.sync += [left["one_equal"].eq(read_cut["quota"] == 1), left["two_equal"].eq(read_cut["quota"] > 1)]
    with m.Elif(given):
        m.d.sync += [quota.eq(Mux(takes_equal, quota - 1, quota)), n_left.eq(n_left - 1)]
        if dims.has_chains:
            m.d.sync += [left["none"].eq(n_left == 1), left["one"].eq(n_left <= 2)]
            with m.If(takes_equal):
                m.d.sync += [left["one_equal"].eq(quota == 2), left["two_equal"].eq(quota > 2)]

    # Pick the first. A group ends with its only key, or with the equal one that takes the last of the quota, if
    # there is none above the cut beside it. To know the latter takes long among many, and on an FPGA; there the group
    # ends a cycle later, when nothing is left of it.
    is_empty = Signal()
    is_last = Signal()
    has_above = Signal()
    has_two = Signal()
    knows_quota = n_scores <= MOST_AT_ONCE and not dims.has_chains
    ends_quota = takes_equal & left["one_equal"] if knows_quota else 0
    picked: Callable[[Sequence[Value]], Value] = partial(select, pick)
    if dims.has_chains or n_scores <= MOST_AT_ONCE:
        lowest_one = lowest(todo) if dims.has_chains else first(todo)
        are_two, is_first_equal = at_least_two(todo), of_first(todo, equal)
    else:
        parts = FirstInParts(m, todo)
        picked = parts.select
        lowest_one, are_two, is_first_equal = parts.one_hot(), parts.has_two(), parts.select([equal])
    m.d.comb += [
        pick.eq(lowest_one),
        has_above.eq((todo & ~equal).any()),
        has_two.eq(are_two),
        takes_equal.eq(is_first_equal),
        has_quota.eq(left["two_equal"] | (left["one_equal"] & ~(given & takes_equal))),  # after this cycle
        is_empty.eq(left["none"]),
        is_last.eq(left["one"]),
        gives.eq(has_group & (todo.any() if dims.has_chains else todo.any() | is_empty)),
        given.eq(gives & (~o.valid | o.ready)),
        ends_group.eq(has_group & (~gives | (given & (is_last | Mux(ends_quota, ~has_above, ~has_two))))),
        ends_scan.eq(given & is_last),
    ]
    if dims.has_chains:  # of few levels: what follows if there is one key to give, or more, each from registers alone
        ends = Signal()
        if_one = Signal()
        if_more = Signal()
        m.d.comb += [
            ends.eq(has_group & is_last & (~o.valid | o.ready) & ~is_new),
            if_one.eq((~has_group | ~o.valid | o.ready) & ~ends),
            if_more.eq((~has_group | (is_last & (~o.valid | o.ready))) & ~ends),
            reader.lets_next.eq(~todo.any() | Mux(has_two, if_more, if_one)),
        ]

    # Put it out. An empty query has no key: what the memory holds beyond its rows is not looked at.
    picked_level = Signal.like(max_level, reset_less=True)
    best_level = Signal.like(max_level, reset_less=True)
    index = Signal(n_scores.bit_length() - 1 + len(group), reset_less=True)
    gave_empty = Signal(reset_less=True)
    gave_last = Signal(reset_less=True)
    place = Signal(n_scores.bit_length() - 1)
    m.d.comb += place.eq(Mux(is_empty, 0, picked(numbers(range(n_scores)))))
    with m.If(~o.valid | o.ready):
        m.d.sync += o.valid.eq(gives)
    with m.If((~o.valid | o.ready) if dims.has_chains else given):
        m.d.sync += [
            index.eq(Cat(place, group)),
            picked_level.eq(Mux(is_empty, 0, picked(levels))),
            best_level.eq(max_level),
            gave_empty.eq(is_empty),
            gave_last.eq(is_last),
        ]
    m.d.comb += [
        o.p.index.eq(index),
        o.p.deficit.eq(best_level - picked_level),
        o.p.is_empty.eq(gave_empty),
        o.p.last.eq(gave_last),
    ]
    return reader.is_over
