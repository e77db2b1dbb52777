"""Recoding of a weight that many values are multiplied by, to the digits of `rtl.digits`."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, Value

from rtl.digits import top_digits

__all__ = ["digit_lines"]


def digit_lines(m: Module, weight: Value) -> list[tuple[Value, Value, Value]]:
    """Recode a weight: for each digit of `top_digits` whether it is 1, 2 and -1."""
    lines = []
    carry: Value | int = 0
    for i in range(len(top_digits(len(weight)))):
        pair = Cat(weight[2 * i : 2 * i + 2])
        digit = Signal(3, name=f"digit_{i}")
        m.d.comb += digit.eq(pair + carry)
        lines.append((digit == 1, digit == 2, digit == 3))
        carry = digit >= 3
    return lines
