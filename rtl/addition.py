"""The way from a slice's sums in parts to whole ones: held, selected, added up, in stages that move on together."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import stream

from hamming.rtl import payload
from hamming.rtl.dimensions import Dimensions

__all__ = ["Stages", "add_parts", "corrections", "hold_slice", "select_in_two", "select_word", "sum_word"]


class Stages:
    """Registers of a pipeline that move on with `go`.

    Parameters
    ----------
    m
        Module that they are added to.
    go
        Whether all stages move on.
    """

    def __init__(self, m: Module, go: Value):
        self.m = m
        self.go = go

    def travel(self, name: str, flag: Value, n: int, **kwargs) -> list[Value]:
        """Return a flag as it is, and in each of `n` stages."""
        stages: list[Value] = [flag]
        for stage in range(1, n + 1):
            register = Signal(name=f"{name}_{stage}", **kwargs)
            with self.m.If(self.go):
                self.m.d.sync += register.eq(stages[-1])
            stages.append(register)
        return stages

    def follow(self, name: str, word: Value, width: int, is_first: Sequence[Value]) -> list[Value]:
        """Return what all elements of a slice share in a stage for each of `is_first`, with which it moves on."""
        words: list[Value] = []
        for stage, first in enumerate(is_first):
            register = Signal(width, name=f"{name}_{stage}", reset_less=True)
            with self.m.If(self.go & first):
                self.m.d.sync += register.eq(words[-1] if words else word)
            words.append(register)
        return words


def hold_slice(m: Module, dims: Dimensions, i: stream.Interface, go: Value) -> tuple[Signal, Signal, Signal, Signal]:
    """Hold a slice (`payload.sum_parts`) until its last elements are selected, `n_dividers` with each `go`.

    Returned are whether there is one, the number of the elements' beat, whether it is the last, and the slice.
    """
    n_beats = dims.n_macs // dims.n_dividers
    ends = Signal(init=dims.has_chains and n_beats == 1)
    is_busy = Signal()
    beat = Signal(range(n_beats))
    held = Signal(payload.sum_parts(dims), reset_less=True)
    if not dims.has_chains:
        m.d.comb += ends.eq(beat == n_beats - 1)
    m.d.comb += i.ready.eq(~is_busy | (go & ends))
    with m.If(is_busy & go):
        m.d.sync += [beat.eq(Mux(ends, 0, beat + 1)), is_busy.eq(~ends)]
        if dims.has_chains:
            m.d.sync += ends.eq(Mux(ends, n_beats == 1, beat == n_beats - 2))
    with m.If(i.valid & i.ready):
        m.d.sync += [is_busy.eq(1), held.eq(i.payload)]
    return is_busy, beat, ends, held


def _places(dims: Dimensions) -> list[tuple[int, slice]]:
    """Return the bits that each stage of the addition adds."""
    places = [*dims.addition_places, dims.spec.acc_bits]
    return [(low, slice(low, high)) for low, high in itertools.pairwise(places)]


def corrections(
    dims: Dimensions, stages: Stages, correction: Value, is_first: Sequence[Value], n_before: int = 0
) -> list[Value]:
    """Return the part of a slice's correction that each stage of the addition adds, as that stage sees it.

    There are `n_before` stages before that of `selected`.
    """
    return [
        stages.follow(f"correction_{place}", correction[part], part.stop - part.start, is_first[: stage + 1])[-1]
        for stage, (place, part) in enumerate(_places(dims), n_before)
    ]


def sum_word(dims: Dimensions, held: Signal, element: int) -> Value:
    """Return an element's sum, and above it its carries."""
    return Cat(held.acc[element], held.carry[element]) if dims.kept_carries else held.acc[element]


def select_word(words: Sequence[Value], number: Value) -> Value:
    """Return `words[number]`.

    The number's highest bit, which changes least often, selects first, so that of the many words at the leaves of the
    tree few ever move.
    """
    if len(words) == 1:
        return words[0]
    half = 1 << ((len(words) - 1).bit_length() - 1)
    bit = number[half.bit_length() - 1]
    pairs = [Mux(bit, words[i + half], words[i]) if i + half < len(words) else words[i] for i in range(half)]
    return select_word(pairs, number)


def select_in_two(m: Module, n: int, words: Sequence[Value], number: Value, stages: Stages) -> Value:
    """Return `words[number]` of the cycle before: of those that the number's high bits name, the low ones choose."""
    low_bits = len(number) // 2
    high, low = number[low_bits:], number[:low_bits]
    found = []
    for place in range(1 << low_bits):
        register = Signal(len(words[0]), name=f"choice_{n}_{place}", reset_less=True)
        with m.If(stages.go):
            m.d.sync += register.eq(select_word(words[place :: 1 << low_bits], high))
        found.append(register)
    return select_word(found, stages.travel(f"chosen_{n}", low, 1, shape=low.shape(), reset_less=True)[1])


def add_parts(
    m: Module, dims: Dimensions, n: int, selected: Signal, corrections: Sequence[Value], enables: Sequence[Value]
) -> Value:
    """Add sum, carries and correction, a part of the bits in each stage; `n` tells the signals from another's."""
    acc_bits = dims.spec.acc_bits
    places = {column: acc_bits + i for i, column in enumerate(dims.kept_carries)}
    acc = selected[:acc_bits]
    carries = Cat(selected[places[column]] if column in places else C(0, 1) for column in range(acc_bits))
    done: Value = C(0, 0)
    carry: Value = C(0, 1)
    for (place, part), correction, enable in zip(_places(dims), corrections, enables, strict=False):
        width = part.stop - part.start
        total = Signal(width + 2, name=f"total_{n}_{place}", reset_less=True)
        below = Signal(place, name=f"below_{n}_{place}", reset_less=True)
        above = Signal(2 * (acc_bits - part.stop), name=f"above_{n}_{place}", reset_less=True)
        with m.If(enable):
            m.d.sync += [
                total.eq(acc[:width] + carries[:width] + correction + carry),
                below.eq(done),
                above.eq(Cat(acc[width:], carries[width:])),
            ]
        done, carry = Cat(below, total[:width]), total[width:]
        acc, carries = above[: acc_bits - part.stop], above[acc_bits - part.stop :]
    return done
