"""Restoring division as a pipeline: a quotient bit a stage, a dividend a cycle."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from amaranth.hdl import Cat, Module, Mux, Signal, Value

from hamming.golden.spec import AttentionSpec
from hamming.golden.standard import StandardSpec

__all__ = ["carry_select_difference", "quotient_stages"]

#: Returns `a - b` of two words, a bit wider than these; the first argument names the signals.
Subtract = Callable[[str, Value, Value], Value]


def carry_select_difference(m: Module, name: str, a: Value, b: Value) -> Value:
    """Return `a - b`, a bit wider than `a`: the upper half for both borrows of the lower one.

    `a` has a bit more than `b`.
    """
    low = (len(a) + 1) // 2
    lower = Signal(low + 1, name=f"lower_{name}")
    upper = [Signal(len(a) - low + 1, name=f"upper_{name}_{borrow}") for borrow in (0, 1)]
    m.d.comb += [
        lower.eq(a[:low] - b[:low]),
        upper[0].eq(a[low:] - b[low:]),
        upper[1].eq(a[low:] - b[low:] - 1),
    ]
    return Cat(lower[:-1], Mux(lower[-1], upper[1], upper[0]))


def quotient_stages(
    m: Module,
    spec: AttentionSpec | StandardSpec,
    numerator: Value,
    *,
    divisors: Sequence[Value],
    enables: Sequence[Value],
    subtract: Subtract,
    name: str = "",
) -> Value:
    """Return `floor((2**out_frac_bits * numerator + (divisor >> 1) % 2**out_frac_bits) / divisor)`, `out_bits` wide.

    A stage shifts the next bit of the dividend into the remainder, and takes the divisor off where it fits: that is a
    bit of the quotient. Behind the numerator's bits come those of half the divisor, which rounds. The remainder never
    reaches the divisor: `numerator >> value_bits` must be below it.

    Parameters
    ----------
    m
        Module that the stages are added to.
    spec
        Gives `value_bits`, `out_frac_bits` and `out_bits`, the number of stages.
    numerator
        A register's word of the first stage.
    divisors
        The divisor as each stage sees it.
    enables
        Whether each stage's registers take what it finds.
    subtract
        Subtracts the divisor.
    name
        Tells the signals of one division from those of another.
    """
    remainder: Value = numerator[spec.value_bits :]
    rest: Value = numerator[: spec.value_bits]
    quotient: Sequence[Value] = []
    for step, (divisor, enable) in enumerate(zip(divisors, enables, strict=True)):
        width = len(divisor)
        half_place = spec.out_frac_bits - (step - spec.value_bits)
        incoming = rest[-1] if step < spec.value_bits else divisor[half_place] if half_place < width else 0
        dividend = Signal(width + 1, name=f"dividend{name}_{step}")
        m.d.comb += dividend.eq(Cat(incoming, remainder))
        difference = subtract(f"{name}_{step}".lstrip("_"), dividend, divisor)
        fits = ~difference[-1]
        remainder = Signal(width, name=f"remainder{name}_{step}", reset_less=True)
        found = Signal(step + 1, name=f"quotient{name}_{step}", reset_less=True)
        with m.If(enable):
            m.d.sync += [
                remainder.eq(Mux(fits, difference[:width], dividend[:width])),
                found.eq(Cat(fits, *quotient)),
            ]
        quotient = list(found)
        if step < spec.value_bits - 1:
            left = Signal(spec.value_bits - 1 - step, name=f"rest{name}_{step}", reset_less=True)
            with m.If(enable):
                m.d.sync += left.eq(rest[:-1])
            rest = left
    return Cat(quotient)
