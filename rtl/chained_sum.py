"""Sums as an FPGA has them: numbers are added in pairs by chains of carries, with a register behind each."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Signal, Value

__all__ = ["add_pairs"]

#: The place of a number's lowest bit, and the number.
Placed = tuple[int, Value]


def add_pairs(m: Module, rows: Sequence[Placed], name: str, enables: Sequence[Value]) -> Value:
    """Return the sum of numbers, neighbours added first, in as many cycles as there are `enables`.

    Bits of a number below the lowest of the one that is added to it are handed on.

    Parameters
    ----------
    m
        Module that the registers are added to.
    rows
        Numbers and their places, the lowest first, which has place 0; at most `2**len(enables)`.
    name
        Prefix of the registers' names.
    enables
        Of the registers of each cycle.
    """
    for step, enable in enumerate(enables):
        sums: list[Placed] = []
        for n in range(0, len(rows), 2):
            place, total = rows[n]
            for upper_place, upper in rows[n + 1 : n + 2]:
                n_low = upper_place - place
                total = Cat(total[:n_low], total[n_low:] + upper)
            held = Signal(len(total), name=f"{name}_{step}_{n // 2}", reset_less=True)
            with m.If(enable):
                m.d.sync += held.eq(total)
            sums.append((place, held))
        rows = sums
    ((_, total),) = rows
    return total
