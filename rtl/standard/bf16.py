"""bfloat16 arithmetic: one operation a module, rounded to nearest, even; subnormals are 0, and results saturate."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Bf16Adder", "Bf16Multiplier", "pack", "significand"]

_LARGEST = 0x7F7F


def significand(number: Value) -> Value:
    """Return the 8 bits of a number's significand, the highest of which is 1; 0 for zero."""
    has_one = number[7:15].any()
    return Cat(number[:7] & has_one.replicate(7), has_one)


def pack(m: Module, out: Value, sign: Value, exponent: Value, digits: Value, rest: Value) -> None:
    """Round and pack.

    Parameters
    ----------
    m
        Module that the gates are added to.
    out
        Gets the number.
    sign
        Its sign.
    exponent
        Signed, biased: of the significand's highest bit.
    digits
        9 bits: a significand that begins with 1, and the bit below it. All zeros for zero.
    rest
        Whether anything lies below that.
    """
    total = Signal(9, name="rounded")
    grown = Signal(signed(12), name="rounded_exponent")
    m.d.comb += [
        total.eq(digits[1:] + (digits[0] & (rest | digits[1]))),
        grown.eq(exponent + total[8]),
    ]
    with m.If((digits[-1] == 0) | (grown <= 0)):
        m.d.comb += out.eq(0)
    with m.Elif(grown >= 255):
        m.d.comb += out.eq(Cat(Const(_LARGEST, 15), sign))
    with m.Else():
        m.d.comb += out.eq(Cat(Mux(total[8], 0, total[:7]), grown[:8], sign))


class _Operation(wiring.Component):
    a: Signal
    b: Signal
    enable: Signal
    o: Signal

    def __init__(self):
        super().__init__({"a": In(16), "b": In(16), "enable": In(1), "o": Out(16)})

    def elaborate(self, platform) -> Module:
        m = Module()
        result = Signal(16)
        self._compute(m, result)
        register = Signal(16, reset_less=True)
        with m.If(self.enable):
            m.d.sync += register.eq(result)
        m.d.comb += self.o.eq(register)
        return m

    def _compute(self, m: Module, result: Signal) -> None:
        raise NotImplementedError


class Bf16Multiplier(_Operation):
    """`o = a * b`, a cycle later.

    Members
    -------
    a, b : In(16)
    enable : In(1)
        Of the register.
    o : Out(16)

    Equals `golden.standard.bf16_arithmetic.rounded` of the product.
    """

    def _compute(self, m: Module, result: Signal) -> None:
        product = Signal(16)
        shifted = Signal(16)
        exponent = Signal(signed(12))
        m.d.comb += [
            product.eq(significand(self.a) * significand(self.b)),
            shifted.eq(Mux(product[15], product, product << 1)),
            exponent.eq(self.a[7:15] + self.b[7:15] - 127 + product[15]),
        ]
        pack(m, result, self.a[15] ^ self.b[15], exponent, shifted[7:], shifted[:7].any())


class Bf16Adder(_Operation):
    """`o = a + b`, a cycle later.

    Members
    -------
    a, b : In(16)
    enable : In(1)
        Of the register.
    o : Out(16)

    Equals `golden.standard.bf16_arithmetic.rounded` of the sum.
    """

    def _compute(self, m: Module, result: Signal) -> None:
        large = Signal(16)
        small = Signal(16)
        with m.If(self.a[:15] < self.b[:15]):
            m.d.comb += [large.eq(self.b), small.eq(self.a)]
        with m.Else():
            m.d.comb += [large.eq(self.a), small.eq(self.b)]

        # Three bits more than a significand, the lowest of which says whether anything lies below.
        distance = Signal(8)
        shift = Signal(4)
        wide = Signal(22)
        aligned = Signal(11)
        total = Signal(12)
        m.d.comb += [
            distance.eq(large[7:15] - small[7:15]),
            shift.eq(Mux(distance > 15, 15, distance)),
            wide.eq(Cat(Const(0, 14), significand(small)) >> shift),
            aligned.eq(Cat(wide[11] | wide[:11].any(), wide[12:])),
        ]
        operand = Cat(Const(0, 3), significand(large))
        with m.If(large[15] ^ small[15]):
            m.d.comb += total.eq(operand - aligned)
        with m.Else():
            m.d.comb += total.eq(operand + aligned)

        # Left until the highest bit is 1, four steps of halves.
        exponent: Value = large[7:15] + 1
        normal: Value = total
        for step in (8, 4, 2, 1):
            is_low = ~normal[12 - step :].any()
            following = Signal(12, name=f"normal_{step}")
            moved = Signal(signed(12), name=f"exponent_{step}")
            m.d.comb += [following.eq(Mux(is_low, normal << step, normal)), moved.eq(exponent - Mux(is_low, step, 0))]
            normal, exponent = following, moved
        pack(m, result, large[15], exponent, normal[3:], normal[:3].any())
