"""Arithmetic on bit-sliced numbers: bit `p` of word `b` is bit `b` of the number at position `p`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

__all__ = [
    "FirstInParts",
    "at_least_two",
    "compare",
    "first",
    "lowest",
    "numbers",
    "of_first",
    "select",
    "select_in_parts",
]

#: Positions that `select_in_parts` looks at in a cycle: three levels of four inputs, and as many parts of 64.
PART = 8

#: Positions among which the first is found at once where a word is long.
SHORT = 16


def numbers(values: Sequence[int]) -> list[Value]:
    """Return constants, bit-sliced: position `p` of word `b` is bit `b` of `values[p]`."""
    return [
        Const(sum((number >> b & 1) << p for p, number in enumerate(values)), len(values))
        for b in range(max(values).bit_length())
    ]


def select(one_hot: Value, words: Sequence[Value]) -> Value:
    """Return the bit-sliced number at the position whose bit of `one_hot` is 1 (0 if there is none)."""
    return Cat((word & one_hot).any() for word in words)


def select_in_parts(m: Module, name: str, one_hot: Value, words: Sequence[Value]) -> Value:
    """Return `select(one_hot, words)` of the cycle before: of `PART` positions each, held, and ORed."""
    parts = []
    for place in range(0, len(one_hot), PART):
        part = Signal(len(words), name=f"found_{name}_{place}", reset_less=True)
        here = slice(place, place + PART)
        m.d.sync += part.eq(select(one_hot[here], [word[here] for word in words]))
        parts.append(part)
    return reduce(or_, parts)


def first(word: Value) -> Value:
    """Return the word with the lowest 1 of `word` alone."""
    if len(word) == 1:
        return word
    half = len(word) // 2
    low, high = word[:half], word[half:]
    return Cat(first(low), Mux(low.any(), 0, first(high)))


def lowest(word: Value) -> Value:
    """Return the same by gates alone, which no tool makes the reset of a register of."""
    if len(word) == 1:
        return word
    half = len(word) // 2
    low, high = word[:half], word[half:]
    return Cat(lowest(low), lowest(high) & (~low.any()).replicate(len(high)))


class FirstInParts:
    """The lowest 1 of a long word, by parts of `SHORT` positions, each of which finds its own first beside the others.

    Nothing depends on a line from all of the word to each position: where that would be too slow.
    """

    def __init__(self, m: Module, word: Value):
        self._parts = [word[n : n + SHORT] for n in range(0, len(word), SHORT)]
        self._firsts = [Signal(len(part), name=f"first_of_{n}") for n, part in enumerate(self._parts)]
        self._has = Signal(len(self._parts), name="part_has_one")
        self._leads = Signal(len(self._parts), name="first_part")
        m.d.comb += [
            *(one.eq(first(part)) for one, part in zip(self._firsts, self._parts, strict=True)),
            self._has.eq(Cat(part.any() for part in self._parts)),
            self._leads.eq(first(self._has)),
        ]

    def one_hot(self) -> Value:
        """Return `first(word)`."""
        return Cat(one & leads.replicate(len(one)) for one, leads in zip(self._firsts, self._leads, strict=True))

    def select(self, words: Sequence[Value]) -> Value:
        """Return the bit-sliced number there (0 if there is none)."""
        found = [
            select(one, [word[n * SHORT : n * SHORT + len(one)] for word in words])
            for n, one in enumerate(self._firsts)
        ]
        return select(self._leads, [Cat(part[b] for part in found) for b in range(len(words))])

    def has_two(self) -> Value:
        """Return `at_least_two(word)`."""
        return at_least_two(self._has) | Cat(at_least_two(part) for part in self._parts).any()


def of_first(word: Value, other: Value) -> Value:
    """Return the bit of `other` where `word` has its lowest 1 (0 if it has none)."""
    if len(word) == 1:
        return word & other
    half = len(word) // 2
    return Mux(word[:half].any(), of_first(word[:half], other[:half]), of_first(word[half:], other[half:]))


def at_least_two(word: Value) -> Value:
    """Say whether `word` has more than one 1."""
    if len(word) == 1:
        return Const(0)
    half = len(word) // 2
    low, high = word[:half], word[half:]
    return at_least_two(low) | at_least_two(high) | (low.any() & high.any())


def compare(m: Module, words: Sequence[Value], other: Value) -> tuple[Value, Value]:
    """Return in which positions the bit-sliced numbers are above, and in which they equal, `other`."""
    width = len(words[0])
    above, equal = Const(0, width), Const(2**width - 1, width)
    for b in reversed(range(len(words))):
        next_above = Signal(width, name=f"above_{b}")
        next_equal = Signal(width, name=f"equal_{b}")
        m.d.comb += [
            next_above.eq(Mux(other[b], above, above | (equal & words[b]))),
            next_equal.eq(equal & Mux(other[b], words[b], ~words[b])),
        ]
        above, equal = next_above, next_equal
    return above, equal
