"""Sums of many bits of many weights: a carry-save tree over columns, a level of full adders at a time."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Signal, Value

__all__ = ["addends", "compress", "register"]


class _Level:
    """Adders that work side by side: columns before them, and which bits of each column go into an adder."""

    def __init__(self, heights: Sequence[int], target: int):
        self.full: list[int] = []
        self.half: list[int] = []
        carries = 0
        self.heights: list[int] = []
        for height in heights:
            full = height // 3
            left = height - 2 * full + carries
            # A half adder only where the column would stay too high; it does not lower the sum of all heights.
            half = 1 if left > target and height - 3 * full == 2 else 0
            self.full.append(full)
            self.half.append(half)
            self.heights.append(left - half)
            carries = full + half


def _targets(height: int) -> list[int]:
    """Return the heights that levels aim at, from the first: 2, 3, 4, 6, 9, ... backwards (Dadda)."""
    found = [2]
    while found[-1] * 3 // 2 < height:
        found.append(found[-1] * 3 // 2)
    return found[::-1]


def _levels(heights: Sequence[int], final: int) -> list[_Level]:
    levels = []
    while max(heights) > final:
        target = next((t for t in _targets(max(heights)) if t < max(heights)), 2)
        levels.append(_Level(heights, max(target, final)))
        heights = levels[-1].heights
    return levels


def compress(
    m: Module, columns: Sequence[Sequence[Value]], *, final: int = 2, n_levels: int | None = None, name: str = "heap"
) -> list[list[Value]]:
    """Add bits: `sum(2**c * bit for bit in columns[c])` stays the same modulo `2**len(columns)`.

    All adders of a level are two statements on words, so that the source stays short.

    Parameters
    ----------
    m
        Module that the adders are added to.
    columns
        Bits of each weight, lowest weight first. Carries out of the last column are dropped.
    final
        Bits that may be left in a column (2 or more).
    n_levels
        Stop after so many levels of adders, whatever is left.
    name
        Prefix of the signals' names.

    Returns
    -------
    list
        The bits left in each column.
    """
    heap: list[list[Value]] = [list(column) for column in columns]
    levels = _levels([len(column) for column in columns], final)
    for number, level in enumerate(levels[:n_levels]):
        operands: tuple[list[Value], list[Value], list[Value]] = ([], [], [])
        halves: tuple[list[Value], list[Value]] = ([], [])
        following: list[list[Value]] = []
        for column, full, half in zip(heap, level.full, level.half, strict=True):
            for operand, start in zip(operands, range(3), strict=True):
                operand += column[start : 3 * full : 3]
            if half:
                halves[0].append(column[3 * full])
                halves[1].append(column[3 * full + 1])
            following.append(column[3 * full + 2 * half :])
        sums, carries = _add(m, f"{name}_{number}", operands, halves)
        done_full, done_half = 0, len(operands[0])
        for c, (full, half) in enumerate(zip(level.full, level.half, strict=True)):
            places = [*range(done_full, done_full + full), *range(done_half, done_half + half)]
            done_full, done_half = done_full + full, done_half + half
            following[c] += [sums[p] for p in places]
            if c + 1 < len(heap):
                following[c + 1] += [carries[p] for p in places]
        heap = following
    return heap


def register(m: Module, columns: Sequence[Sequence[Value]], enable: Value, name: str) -> list[list[Value]]:
    """Return the bits of all columns a cycle later, held while `enable` is 0."""
    bits = [bit for column in columns for bit in column]
    word = Signal(len(bits), name=name, reset_less=True)
    with m.If(enable):
        m.d.sync += word.eq(Cat(bits))
    registered = iter(word)
    return [[next(registered) for _ in column] for column in columns]


def addends(columns: Sequence[Sequence[Value]]) -> tuple[Value, Value]:
    """Return the two words whose sum is that of columns of at most two bits."""
    return tuple(Cat(column[n] if n < len(column) else Const(0, 1) for column in columns) for n in range(2))


def _add(
    m: Module, name: str, operands: Sequence[list[Value]], halves: Sequence[list[Value]]
) -> tuple[list[Value], list[Value]]:
    """Return sums and carries of full adders, then of half adders."""
    sums: list[Value] = []
    carries: list[Value] = []
    if operands[0]:
        a, b, c = (Signal(len(operands[0]), name=f"{name}_{x}") for x in "abc")
        total, carry = (Signal(len(a), name=f"{name}_{x}") for x in ("sum", "carry"))
        m.d.comb += [word.eq(Cat(bits)) for word, bits in zip((a, b, c), operands, strict=True)]
        m.d.comb += [total.eq(a ^ b ^ c), carry.eq((a & b) | (c & (a ^ b)))]
        sums += list(total)
        carries += list(carry)
    if halves[0]:
        a, b = (Signal(len(halves[0]), name=f"{name}_half_{x}") for x in "ab")
        total, carry = (Signal(len(a), name=f"{name}_half_{x}") for x in ("sum", "carry"))
        m.d.comb += [word.eq(Cat(bits)) for word, bits in zip((a, b), halves, strict=True)]
        m.d.comb += [total.eq(a ^ b), carry.eq(a & b)]
        sums += list(total)
        carries += list(carry)
    return sums, carries
