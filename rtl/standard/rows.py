"""Partial products: an unsigned element times digits of radix 4 that many elements, or many lanes, share."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Signal, Value

__all__ = ["add_rows", "digit_lines"]


def digit_lines(m: Module, numbers: Sequence[Value], name: str, n_digits: int) -> dict[str, list[Signal]]:
    """Recode signed numbers of `2 * n_digits` bits, side by side: which digits are 1, which 2, and which are negative.

    Of the highest digit, which alone is ever -2, `one` and `two` say the magnitude. Equals `golden.standard.digits`.

    Parameters
    ----------
    m
        Module that the gates are added to.
    numbers
        The numbers.
    name
        Prefix of the signals' names.
    n_digits
        Digits of a number.

    Returns
    -------
    dict
        Of `one`, `two` and `negative` a word a digit, with a bit a number.
    """
    lines: dict[str, list[Signal]] = {"one": [], "two": [], "negative": []}
    carry: Value = Const(0, len(numbers))
    for n in range(n_digits):

        def word(kind: str, n: int = n) -> Signal:
            return Signal(len(numbers), name=f"{name}_{kind}_{n}")

        low, high, is_odd, both, following = word("low"), word("high"), word("odd"), word("both"), word("carry")
        one, two, negative = (word(kind) for kind in lines)
        is_highest = n == n_digits - 1
        # The digit is `low + 2 * high + carry`, less 4 where that is 3 or 4; the highest bit of all counts -2.
        m.d.comb += [
            low.eq(Cat(number[2 * n] for number in numbers)),
            high.eq(Cat(number[2 * n + 1] for number in numbers)),
            is_odd.eq(low ^ carry),
            both.eq(low & carry),
            following.eq(high & (low | carry)),
            one.eq(is_odd if is_highest else is_odd & ~high),
            two.eq((high ^ both) & ~is_odd),
            negative.eq(high & ~both if is_highest else high & is_odd),
        ]
        for kind, signal in (("one", one), ("two", two), ("negative", negative)):
            lines[kind].append(signal)
        carry = following
    return lines


def add_rows(
    m: Module,
    columns: list[list[Value]],
    elements: Sequence[Value],
    one: Sequence[Value],
    two: Sequence[Value],
    negative: Sequence[Value] | None,
    *,
    digit: int,
    positive: Sequence[Value] | None = None,
) -> None:
    """Add the complements of rows to `columns`: of `digit * element` for each element, at the digit's weight.

    A row, a bit longer than the elements, holds the element, twice the element, or for a negative digit the element's
    complement: `255 - u` stands for `-u`. Three terms a bit are one complex gate, and complements cost no inverter.

    Parameters
    ----------
    m
        Module that the gates are added to.
    columns
        Bits by weight.
    elements
        Unsigned, all of one width.
    one, two, negative
        Of each element's digit: whether it is of magnitude 1, of magnitude 2, and negative (None: none is).
    digit
        Its number, 0 the lowest.
    positive
        Where the digit can be -2: which are not negative. Then elements are complemented before they are selected.
    """
    bits = len(elements[0])
    row_bits = bits + 1

    def spread(lines: Sequence[Value]) -> Value:
        return Cat(line.replicate(row_bits) for line in lines)

    def word(name: str, value: Value) -> Signal:
        signal = Signal(row_bits * len(elements), name=f"{name}_{digit}")
        m.d.comb += signal.eq(value)
        return signal

    if positive is not None:
        assert negative is not None
        inverted = zip(elements, negative, positive, strict=True)
        elements = [~((e & n.replicate(bits)) | (~e & p.replicate(bits))) for e, n, p in inverted]
        negative = None
    single = word("single", Cat(Cat(element, Const(0, 1)) for element in elements))
    double = word("double", Cat(Cat(Const(0, 1), element) for element in elements))
    # Not `~(a & b | c & d)`: an inverter in front of a compressor would be drawn into it, and come out as two.
    product = (~single | ~spread(one)) & (~double | ~spread(two))
    if negative is not None:
        complement = word("complement", Cat(Cat(~element, Const(0, 1)) for element in elements))
        product &= ~complement | ~spread(negative)
    row = word("row", product)
    for n in range(len(elements)):
        for p in range(row_bits):
            columns[2 * digit + p].append(row[n * row_bits + p])
