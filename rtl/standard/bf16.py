"""bfloat16 arithmetic: one operation a module, rounded to nearest, even; subnormals are 0, and results saturate.

A register ends each stage, and holds while its bit of `enable` is 0.
"""

from __future__ import annotations

from typing import ClassVar

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl.standard.heap import addends, compress

__all__ = ["Bf16Adder", "Bf16Multiplier", "pack", "round_digits", "significand"]

_LARGEST = 0x7F7F
_BIAS = 127
#: Bits of a product that the first stage finishes: with all of them it is longer than the second, and larger.
_LOW_BITS = 11


def significand(number: Value) -> Value:
    """Return the 8 bits of a number's significand, the highest of which is 1; 0 for zero. No number is subnormal."""
    return Cat(number[:7], number[7:15].any())


def round_digits(m: Module, digits: Value, rest: Value) -> Signal:
    """Round to nearest, even.

    Parameters
    ----------
    m
        Module that the gates are added to.
    digits
        9 bits: a significand, and the bit below it.
    rest
        Whether anything lies below that.

    Returns
    -------
    Signal
        9 bits: the significand, or 2**8 where it grew.
    """
    rounded = Signal(9, name="rounded")
    m.d.comb += rounded.eq(digits[1:] + (digits[0] & (rest | digits[1])))
    return rounded


def pack(m: Module, out: Value, sign: Value, exponent: Value, fraction: Value, is_zero: Value) -> None:
    """Put a number together.

    Parameters
    ----------
    m
        Module that the gates are added to.
    out
        Gets the number: 0 where it is too small, and the largest where it is too large.
    sign
        Its sign.
    exponent
        Signed, biased.
    fraction
        7 bits.
    is_zero
        Whether it is 0, whatever the others say.
    """
    with m.If(is_zero | (exponent <= 0)):
        m.d.comb += out.eq(0)
    with m.Elif(exponent >= 255):
        m.d.comb += out.eq(Cat(Const(_LARGEST, 15), sign))
    with m.Else():
        m.d.comb += out.eq(Cat(fraction, exponent[:8], sign))


class _Operation(wiring.Component):
    latency: ClassVar[int]

    a: Signal
    b: Signal
    enable: Signal
    o: Signal

    def __init__(self):
        super().__init__({"a": In(16), "b": In(16), "enable": In(self.latency), "o": Out(16)})

    def _stage(self, m: Module, number: int, **words: Value) -> list[Value]:
        """Return words a cycle later, in their order."""
        word = Cat(*words.values())
        register = Signal(len(word), name=f"stage_{number}", reset_less=True)
        with m.If(self.enable[number]):
            m.d.sync += register.eq(word)
        found, start = [], 0
        for name, value in words.items():
            part = Signal.like(value, name=f"{name}_{number}")
            m.d.comb += part.eq(register[start : start + len(part)])
            found.append(part)
            start += len(part)
        return found


class Bf16Multiplier(_Operation):
    """`o = a * b`: multiplied, then rounded.

    * **Latency**: 2 cycles.
    * **Throughput**: a product a cycle.

    Members
    -------
    a, b : In(16)
    enable : In(2)
        Of each stage.
    o : Out(16)

    Equals `golden.standard.bf16_arithmetic.rounded` of the product.
    """

    latency = 2

    def elaborate(self, platform) -> Module:
        m = Module()
        a, b = self.a, self.b
        # Partial products of the significands 1 + a and 1 + b, added up but for the carries into the highest bits.
        columns: list[list[Value]] = [[] for _ in range(16)]
        for i in range(7):
            for j in range(7):
                columns[i + j].append(a[i] & b[j])
            columns[7 + i].extend((a[i], b[i]))
        columns[14].append(Const(1, 1))
        words = addends(compress(m, columns, name="product"))
        low = Signal(_LOW_BITS + 1)
        exponent = Signal(signed(10))
        m.d.comb += [
            low.eq(words[0][:_LOW_BITS] + words[1][:_LOW_BITS]),
            exponent.eq(a[7:15] + b[7:15] - _BIAS),
        ]
        low, one, other, exponent, is_zero, sign = self._stage(
            m,
            0,
            low=low,
            one=words[0][_LOW_BITS:],
            other=words[1][_LOW_BITS:],
            exponent=exponent,
            is_zero=~a[7:15].any() | ~b[7:15].any(),
            sign=a[15] ^ b[15],
        )
        high = Signal(16 - _LOW_BITS)
        m.d.comb += high.eq(one + other + low[-1])
        product = Cat(low[:-1], high)

        # Of 1 to 4. A product of 2 or more has no significand that rounding makes grow.
        is_two = product[15]
        digits = Mux(is_two, product[7:], product[6:15])
        rounded = round_digits(m, digits, product[:6].any() | (is_two & product[6]))
        grown = Signal(signed(11))
        result = Signal(16)
        m.d.comb += grown.eq(exponent + (is_two | rounded[8]))
        pack(m, result, sign, grown, rounded[:7], is_zero)
        m.d.comb += self.o.eq(*self._stage(m, 1, result=result))
        return m


class Bf16Adder(_Operation):
    """`o = a + b`: compared, then aligned and added, then normalised and rounded.

    * **Latency**: 3 cycles.
    * **Throughput**: a sum a cycle.

    Members
    -------
    a, b : In(16)
        Neither is subnormal.
    enable : In(3)
        Of each stage.
    o : Out(16)

    Equals `golden.standard.bf16_arithmetic.rounded` of the sum.
    """

    latency = 3

    def elaborate(self, platform) -> Module:
        m = Module()
        a, b = self.a, self.b

        # The distance of exponents is `apart`, or one more than its complement: then the smaller one, `a`, is moved by
        # one place already.
        apart = Signal(signed(9))
        is_below = Signal()
        is_less = Signal()
        shift = Signal(4)
        large = Signal(16)
        small = Signal(9)
        distance = apart[:8] ^ is_below.replicate(8)
        m.d.comb += [
            apart.eq(a[7:15] - b[7:15]),
            is_below.eq(apart[8]),
            is_less.eq(is_below | ((apart == 0) & (a[:7] < b[:7]))),
            shift.eq(distance[:4] | distance[4:].any().replicate(4)),
            large.eq(Mux(is_less, b, a)),
        ]
        with m.If(is_below):
            m.d.comb += small.eq(significand(a))
        with m.Elif(is_less):
            m.d.comb += small[1:].eq(significand(a))
        with m.Else():
            m.d.comb += small[1:].eq(significand(b))
        large, small, shift, is_difference = self._stage(
            m, 0, large=large, small=small, shift=shift, is_difference=a[15] ^ b[15]
        )

        # Three bits more than a significand, the lowest of which says whether anything lies below.
        aligned: Value = Cat(Const(0, 2), small)
        for n in reversed(range(4)):
            moved = Signal(11, name=f"aligned_{n}")
            low = aligned[: 2**n + 1].any()
            m.d.comb += moved.eq(Mux(shift[n], Cat(low, aligned[2**n + 1 :]), aligned))
            aligned = moved
        total = Signal(12)
        addend = aligned ^ is_difference.replicate(11)
        m.d.comb += total.eq(Cat(Const(0, 3), significand(large)) + addend + is_difference)
        total, exponent, sign = self._stage(
            m, 1, total=Cat(total[:11], total[11] & ~is_difference), exponent=large[7:15], sign=large[15]
        )

        # One of the three highest bits is 1: rounded. Else no more than one place was lost in alignment, and the sum,
        # moved to the left, is exact.
        digits = Signal(9)
        rest = Signal()
        with m.If(total[11]):
            m.d.comb += [digits.eq(total[3:]), rest.eq(total[:3].any())]
        with m.Elif(total[10]):
            m.d.comb += [digits.eq(total[2:11]), rest.eq(total[:2].any())]
        with m.Else():
            m.d.comb += [digits.eq(total[1:10]), rest.eq(total[0])]
        rounded = round_digits(m, digits, rest)

        is_exact = ~total[9:].any()
        exact: Value = total[2:9]
        is_zero = is_exact & ~exact.any()
        places: list[Value] = []
        for step in (4, 2, 1):
            is_low = ~exact[7 - step :].any()
            moved = Signal(7, name=f"exact_{step}")
            m.d.comb += moved.eq(Mux(is_low, exact << step, exact))
            exact, places = moved, [is_low, *places]

        rise = Signal(signed(5))
        with m.If(total[11]):
            m.d.comb += rise.eq(1)
        with m.Elif(total[10]):
            m.d.comb += rise.eq(0)
        with m.Elif(total[9]):
            m.d.comb += rise.eq(-1)
        with m.Else():
            m.d.comb += rise.eq(Cat(~Cat(places), Const(0b11, 2)).as_signed() - 1)
        risen = Signal(signed(10))
        grown = Signal(signed(10))
        result = Signal(16)
        m.d.comb += [risen.eq(exponent + rise), grown.eq(risen + (rounded[8] & ~is_exact))]
        pack(m, result, sign, grown, Mux(is_exact, Cat(Const(0, 1), exact[:6]), rounded[:7]), is_zero)
        m.d.comb += self.o.eq(*self._stage(m, 2, result=result))
        return m
