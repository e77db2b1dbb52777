"""Division of the baseline in bfloat16: the columns' sums, a few a cycle, through a pipeline."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl.standard import payload
from hamming.rtl.standard.bf16 import Bf16Adder, pack, round_digits, significand
from hamming.rtl.standard.bf16_tree import tree
from hamming.rtl.standard.design import StandardDesign, tree_depth

__all__ = ["Bf16Divider"]

#: Quotient bits: a significand of 8, one less where the dividend's is smaller, and one to round by.
QUOTIENT_BITS = 10


class Bf16Divider(wiring.Component):
    """Adds partial sums, and divides: `out[i] = acc[i] / weight_sum`, `n_outputs` elements a cycle.

    * **Latency**: `design.divide_stages` cycles from the transfer of the sums to the first beat.
    * **Throughput**: a beat a cycle; sums may change from the cycle on in which `i_ready` is 1.
    * A stall holds all stages.

    Parameters
    ----------
    design
        Sizes.
    adder
        Name of the Verilog module of `Bf16Adder`.

    Members
    -------
    i_valid : In(1)
    i_ready : Out(1)
    is_empty : In(1)
        With `i_valid`.
    weight_sum, held : In
        Partial sums, from the cycle after the transfer until `i_ready`.
    present : In(n_sums)
        Which of them are not 0.
    o : Out(stream of payload.out_slice)

    Equals `golden.standard.bf16_arithmetic.rounded` of the quotients of each `tree_sum`.
    """

    i_valid: Signal
    i_ready: Signal
    is_empty: Signal
    weight_sum: Signal
    held: Signal
    present: Signal
    o: stream.Interface

    def __init__(self, design: StandardDesign, *, adder: str):
        self.design = design
        self.adder = adder
        bits = 16 * design.n_sums
        super().__init__(
            {
                "i_valid": In(1),
                "i_ready": Out(1),
                "is_empty": In(1),
                "weight_sum": In(bits),
                "held": In(bits * design.spec.d_value),
                "present": In(design.n_sums),
                "o": Out(stream.Signature(payload.out_slice(design))),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        fold, n_outputs, n_sums = self.design.fold, self.design.n_outputs, self.design.n_sums

        go = Signal()
        loaded = Signal()
        is_busy = Signal()
        ends = Signal()
        is_empty = Signal(reset_less=True)
        beat = Signal(range(fold))
        m.d.comb += [
            go.eq(~self.o.valid | self.o.ready),
            ends.eq(beat == fold - 1),
            self.i_ready.eq(~is_busy | (go & ends)),
            loaded.eq(self.i_valid & self.i_ready),
        ]
        with m.If(is_busy & go):
            m.d.sync += [beat.eq(Mux(ends, 0, beat + 1)), is_busy.eq(~ends)]
        with m.If(loaded):
            m.d.sync += [is_busy.eq(1), is_empty.eq(self.is_empty)]

        def register(name: str, value: Value, width: int, **options) -> Signal:
            signal = Signal(width, name=name, **{"reset_less": True, **options})
            with m.If(go):
                m.d.sync += signal.eq(value)
            return signal

        flags: list[Value] = [is_busy, ends, is_empty]
        for stage in range(self.design.divide_stages - 1):
            names = ("valid", "last", "is_empty")
            flags = [
                register(f"{name}_{stage}", flag, 1, reset_less=name != "valid")
                for name, flag in zip(names, flags, strict=True)
            ]
        m.d.comb += [self.o.valid.eq(flags[0]), self.o.p.last.eq(flags[1]), self.o.p.is_empty.eq(flags[2])]

        def total(sums: Value, name: str) -> Value:
            enable = go.replicate(Bf16Adder.latency * tree_depth(n_sums))
            return tree(m, [sums.word_select(p, 16) for p in range(n_sums)], enable, adder=self.adder, name=name)

        present = Cat(bit.replicate(16) for bit in self.present)
        divisor = register("divisor", total(self.weight_sum & present, "divisor"), 16)
        divisors = [significand(divisor)]
        for step in range(1, QUOTIENT_BITS):
            divisors.append(register(f"divisor_{step}", divisors[-1], 8))
        for n in range(n_outputs):
            sums = Array(self.held.word_select(b * n_outputs + n, 16 * n_sums) for b in range(fold))
            selected = total(register(f"selected_{n}", sums[beat] & present, 16 * n_sums), f"dividend_{n}")
            exponent: Value = Signal(signed(12), name=f"exponent_{n}")
            m.d.comb += exponent.eq(selected[7:15] - divisor[7:15] + 127)
            remainder: Value = significand(selected)
            sign: Value = selected[15]
            quotient: list[Value] = []
            for step in range(QUOTIENT_BITS):
                difference = Signal(10, name=f"difference_{n}_{step}")
                m.d.comb += difference.eq(remainder - divisors[step])
                fits = ~difference[-1]
                left = Mux(fits, difference[:8], remainder[:8])
                remainder = Cat(0, register(f"remainder_{n}_{step}", left, 8))
                quotient = [*register(f"quotient_{n}_{step}", Cat(fits, *quotient), step + 1)]
                moved = Signal(signed(12), name=f"exponent_{n}_{step}", reset_less=True)
                with m.If(go):
                    m.d.sync += moved.eq(exponent)
                exponent = moved
                sign = register(f"sign_{n}_{step}", sign, 1)

            # The quotient is 1 or more if its first bit is 1, and else 1/2 or more.
            bits = Cat(quotient)
            is_one = bits[-1]
            digits = Mux(is_one, bits[1:], bits[:-1])
            rest = remainder.any() | (is_one & bits[0])
            result = Signal(16, name=f"result_{n}")
            rounded = round_digits(m, digits, rest)
            pack(m, result, sign, exponent - ~is_one + rounded[8], rounded[:7], ~digits[-1])
            value = register(f"value_{n}", result, 16)
            m.d.comb += self.o.p.value[n].eq(value & ~flags[2].replicate(16))
        return m
