"""Sums as an FPGA has them: numbers are added in pairs by chains of carries, with a register behind each."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Mux, Signal, Value

from hamming.rtl.dimensions import Dimensions

__all__ = ["add_pairs", "chained_sums"]

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


def chained_sums(
    m: Module,
    dims: Dimensions,
    terms: Sequence[tuple[int, Sequence[Value]]],
    go: Value,
    enable: Value,
    is_last: Value,
) -> list[Signal]:
    """Return for each of many values its sum with what is added to it in this cycle; with the last it starts anew.

    Its product's terms are added in pairs before, in `Dimensions.sum_stages` cycles.

    Parameters
    ----------
    m
        Module that the registers are added to.
    dims
        Sizes of the engine.
    terms
        A term of each value's product, and its place.
    go
        Whether products move on, whatever they are.
    enable, is_last
        Whether one is added to the sum, and is the last one.
    """
    sums = []
    for n in range(dims.n_macs):
        acc = Signal(dims.spec.acc_bits, name=f"acc_{n}")
        after = Signal.like(acc, name=f"after_{n}")
        product = add_pairs(m, [(place, of[n]) for place, of in terms], f"pair_{n}", [go] * dims.sum_stages)
        m.d.comb += after.eq(acc + product)
        with m.If(enable):
            m.d.sync += acc.eq(Mux(is_last, 0, after))
        sums.append(after)
    return sums
