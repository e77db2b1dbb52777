"""The first half of the histogram selector: counts of keys by level, and the cut that follows from them."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from hamming.rtl.bit_sliced import numbers, select, select_in_parts
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.popcount import count_ones, thermometer
from hamming.rtl.sizes import MOST_COUNTED_LEVELS
from hamming.rtl.tree import tree_depth

__all__ = ["count_levels", "find_cut", "take_from_room"]

#: As long as how many levels of full adders a level's word takes; the first part of a tree of full parts has fewer.
_THERMOMETER = 2


def count_levels(m: Module, dims: Dimensions, row: Value, enables: Sequence[Signal]) -> list[Signal]:
    """Count a row's keys at or above each level, in as many cycles as there are `enables`.

    Everything is bit-sliced across the levels: bit `t - 1` of each word belongs to level `t`.
    """
    n_levels = dims.spec.d_head + 1
    reached = []
    for lane in range(dims.n_lanes):
        word = Signal(n_levels, name=f"reached_{lane}")
        m.d.comb += word.eq(thermometer(m, row.level[lane], f"thermometer_{lane}"))
        reached.append(word)
    has_room = tree_depth(dims.n_lanes) <= (MOST_COUNTED_LEVELS - 1) * len(enables)
    before = 0 if has_room else _THERMOMETER
    counts = []
    for b, ones in enumerate(count_ones(m, reached, n_levels, enables=enables[:-1], before=before, name="reached")):
        count = Signal(n_levels, name=f"count_{b}", reset_less=True)
        with m.If(enables[-1]):
            m.d.sync += count.eq(ones)
        counts.append(count)
    return counts


def take_from_room(
    m: Module, dims: Dimensions, counts: Sequence[Signal], enable: Signal, is_last: Signal
) -> tuple[list[Signal], Signal]:
    """Take the counts from each level's room; return it, bit by bit, and which levels are full."""
    if dims.has_chains:
        return _take_and_start_anew(m, dims, counts, enable, is_last)
    n_levels, top_k = dims.spec.d_head + 1, dims.spec.top_k
    room_bits = (top_k - 1).bit_length()
    room = [Signal(n_levels, name=f"room_{b}", reset_less=True) for b in range(room_bits)]
    is_full = Signal(n_levels, reset_less=True)
    is_first = Signal(init=1)
    borrow: Value = Const(0, n_levels)
    for b in range(max(room_bits, len(counts))):
        start = Const(2**n_levels - 1 if (top_k - 1) >> b & 1 else 0, n_levels)
        left = Signal(n_levels, name=f"left_{b}")
        used = Signal(n_levels, name=f"used_{b}")
        m.d.comb += left.eq(Mux(is_first, start, room[b]) if b < room_bits else 0)
        m.d.comb += used.eq(counts[b] if b < len(counts) else 0)
        if b < room_bits:
            with m.If(enable):
                m.d.sync += room[b].eq(left ^ used ^ borrow)
        next_borrow = Signal(n_levels, name=f"borrow_{b}")
        m.d.comb += next_borrow.eq((~left & used) | (~(left ^ used) & borrow))
        borrow = next_borrow
    with m.If(enable):
        m.d.sync += [is_full.eq(Mux(is_first, 0, is_full) | borrow), is_first.eq(is_last)]
    return room, is_full


def _take_and_start_anew(
    m: Module, dims: Dimensions, counts: Sequence[Signal], enable: Signal, is_last: Signal
) -> tuple[list[Signal], Signal]:
    """Do the same with registers of its own for a complete query, so that those that count start anew by their reset.

    A level's room is a chain of carries, and whether it is full its highest bit, which stays.
    """
    n_levels, top_k = dims.spec.d_head + 1, dims.spec.top_k
    room_bits = (top_k - 1).bit_length()
    left, full = [], []
    for t in range(n_levels):
        room = Signal(room_bits, name=f"counted_room_{t}", init=top_k - 1)
        is_full = Signal(name=f"counts_full_{t}")
        after = Signal(max(room_bits, len(counts)) + 1, name=f"room_after_{t}")
        final = Signal(room_bits, name=f"room_{t}", reset_less=True)
        final_full = Signal(name=f"is_full_{t}", reset_less=True)
        m.d.comb += after.eq(room - Cat(word[t] for word in counts))
        with m.If(enable):
            m.d.sync += [
                room.eq(Mux(is_last, top_k - 1, after[:room_bits])),
                is_full.eq(Mux(is_last, 0, is_full | after[-1])),
                final.eq(after[:room_bits]),
                final_full.eq(is_full | after[-1]),
            ]
        left.append(final)
        full.append(final_full)
    words = [Signal(n_levels, name=f"room_bits_{b}") for b in range(room_bits)]
    all_full = Signal(n_levels, name="is_full")
    m.d.comb += all_full.eq(Cat(full))
    for b, word in enumerate(words):
        m.d.comb += word.eq(Cat(room[b] for room in left))
    return words, all_full


def find_cut(m: Module, dims: Dimensions, room: Sequence[Signal], is_full: Signal) -> dict[str, Signal]:
    """Return the cut that follows from the room that is left, each value once a query is complete.

    With a `cut_stages` of 1 each is that of the cycle before.
    """
    n_levels, top_k = dims.spec.d_head + 1, dims.spec.top_k
    room_bits = len(room)

    # Both are thermometer codes, since a key at or above a level is at or above every lower one.
    has_key = Signal(n_levels)
    untouched = Const(2**n_levels - 1, n_levels)
    for b in range(room_bits):
        untouched = untouched & (room[b] if (top_k - 1) >> b & 1 else ~room[b])
    m.d.comb += has_key.eq(is_full | ~untouched)
    at_cut = Signal(n_levels)
    at_max = Signal(n_levels)
    m.d.comb += [
        at_cut.eq((is_full | 1) & ~(is_full >> 1)),
        at_max.eq(has_key & ~(has_key >> 1)),
    ]
    levels = numbers(range(1, n_levels + 1))
    room_above = [Cat(word[1:], (top_k - 1) >> b & 1) for b, word in enumerate(room)]
    kept_bits = top_k.bit_length()
    cut = {
        "level": Signal(dims.level_bits, name="cut_level"),
        "quota": Signal(kept_bits, name="cut_quota"),
        "max_level": Signal(dims.level_bits, name="cut_max_level"),
        "n_kept": Signal(kept_bits, name="cut_n_kept"),
    }
    n_kept = Mux(is_full[0], top_k, top_k - 1 - Cat(word[0] for word in room))
    if dims.cut_stages:
        kept = Signal(kept_bits, name="found_n_kept", reset_less=True)
        m.d.sync += kept.eq(n_kept)
        n_kept = kept

    def found(name: str, one_hot: Value, words: Sequence[Value]) -> Value:
        return select_in_parts(m, name, one_hot, words) if dims.cut_stages else select(one_hot, words)

    m.d.comb += [
        cut["level"].eq(found("level", at_cut, levels)),
        cut["quota"].eq(found("quota", at_cut, room_above) + 1),
        cut["max_level"].eq(found("max_level", at_max, levels)),
        cut["n_kept"].eq(n_kept),
    ]
    return cut
