"""Division: the columns' sums, one after the other, through a pipeline of single quotient bits."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Const, Instance, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl.standard import payload
from hamming.rtl.standard.column import carry_places
from hamming.rtl.standard.design import StandardDesign
from hamming.rtl.standard.heap import addends, compress
from hamming.rtl.standard.weigher import held_bits

__all__ = ["StandardDivider", "subtractor_widths"]


def subtractor_widths(design: StandardDesign) -> tuple[int, int]:
    """Return the bits of the lower and of the upper subtractor of a division's step."""
    bits = design.spec.weight_sum_bits + 1
    high = bits // 2
    return bits - high, high


class StandardDivider(wiring.Component):
    """Divides: `out[i] = floor(2**out_frac_bits * sum(w*v[i]) / sum(w) + 1/2)`, `n_outputs` elements a cycle.

    `offset - held` is the sum of weight times offset value. Half a divisor is added to it before the division, which
    rounds it. Then each stage finds a quotient bit (`rtl.quotient`). The values' offset comes out as a flip of the
    quotient's top bit.

    * **Latency**: `out_bits + 3` cycles from the transfer of the sums to the first beat.
    * **Throughput**: a beat a cycle, also from one query to the next.
    * A stall holds all stages.

    Parameters
    ----------
    design
        Sizes.
    subtractor
        Name of the Verilog modules of `rtl.standard.subtractor`, without `_lower` and `_upper`.

    Members
    -------
    i_valid : In(1)
    i_ready : Out(1)
    is_empty : In(1)
        With `i_valid`.
    weight_sum, offset : In
        As of `Weigher`, in the cycle after the transfer.
    held : In
        The columns' sums, from the cycle after the transfer to the next transfer.
    o : Out(stream of payload.out_slice)

    Equals `golden.weighted_sum`.
    """

    i_valid: Signal
    i_ready: Signal
    weight_sum: Signal
    offset: Signal
    is_empty: Signal
    held: Signal
    o: stream.Interface

    def __init__(self, design: StandardDesign, *, subtractor: str):
        self.design = design
        self.subtractor = subtractor
        spec = design.spec
        super().__init__(
            {
                "i_valid": In(1),
                "i_ready": Out(1),
                "weight_sum": In(spec.weight_sum_bits),
                "offset": In(spec.acc_bits),
                "is_empty": In(1),
                "held": In(spec.d_value * held_bits(self.design)),
                "o": Out(stream.Signature(payload.out_slice(design))),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        design, spec = self.design, self.design.spec
        fold, n_outputs = design.fold, design.n_outputs
        n_stages = spec.out_bits + 3  # selection, subtraction in two stages, and a stage a quotient bit

        # A query's sums are held while its elements are selected, one beat after the other.
        go = Signal()
        loaded = Signal()
        is_busy = Signal()
        ends = Signal()
        beat = Signal(range(fold))
        is_empty = Signal(reset_less=True)
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

        # Weights' sum and offset come a cycle later, and are passed by what holds them.
        is_fresh = Signal()
        m.d.sync += is_fresh.eq(loaded)
        current = []
        for name, fresh in (("divisor", self.weight_sum), ("offset", self.offset)):
            held = Signal(len(fresh), name=f"{name}_held", reset_less=True)
            with m.If(is_fresh):
                m.d.sync += held.eq(fresh)
            current.append(Mux(is_fresh, fresh, held))
        divisors, offset = current[:1], current[1]

        flags = {"valid": is_busy, "last": ends, "is_empty": is_empty}
        for stage in range(1, n_stages + 1):
            for name, flag in flags.items():
                register = Signal(name=f"{name}_{stage}", reset_less=name != "valid")
                with m.If(go):
                    m.d.sync += register.eq(flag)
                flags[name] = register
            if stage < n_stages:
                following = Signal(spec.weight_sum_bits, name=f"divisor_{stage}", reset_less=True)
                with m.If(go):
                    m.d.sync += following.eq(divisors[-1])
                divisors.append(following)
        following_offset = Signal(spec.acc_bits, name="offset_1", reset_less=True)
        with m.If(go):
            m.d.sync += following_offset.eq(offset)

        for n in range(n_outputs):
            sums = Array(self.held.word_select(b * n_outputs + n, held_bits(self.design)) for b in range(fold))
            quotient = self._divide(m, n, go, sums[beat], following_offset, divisors)
            value = Cat(quotient[:-1], ~quotient[-1])
            m.d.comb += self.o.p.value[n].eq(value & ~flags["is_empty"].replicate(len(value)))
        m.d.comb += [
            self.o.valid.eq(flags["valid"]),
            self.o.p.last.eq(flags["last"]),
            self.o.p.is_empty.eq(flags["is_empty"]),
        ]
        return m

    def _divide(self, m: Module, n: int, go: Signal, selected: Value, offset: Signal, divisors: list[Signal]) -> Value:
        """Return the quotient of one element a cycle."""
        spec = self.design.spec
        acc_bits, frac_bits, value_bits = spec.acc_bits, spec.out_frac_bits, spec.value_bits

        def register(name: str, value: Value, width: int) -> Signal:
            signal = Signal(width, name=f"{name}_{n}", reset_less=True)
            with m.If(go):
                m.d.sync += signal.eq(value)
            return signal

        held = register("selected", selected, held_bits(self.design))
        places = carry_places(acc_bits)
        carries = Cat(held[acc_bits + places.index(p)] if p in places else 0 for p in range(acc_bits))
        # The sum of four words, a carry of 2 besides: `-x` is `~x + 1`.
        half = divisors[1] >> (frac_bits + 1)
        words = (offset, ~held[:acc_bits], ~carries[:acc_bits], half)
        columns = [[word[p] for word in words if p < len(word)] for p in range(acc_bits)]
        columns[1].append(Const(1, 1))
        a, b = addends(compress(m, columns, name=f"numerator_{n}"))
        middle = acc_bits // 2
        low = register("low", a[:middle] + b[:middle], middle + 1)
        high = [register(f"high_{name}", word[middle:], acc_bits - middle) for name, word in (("a", a), ("b", b))]
        sums = register("sum", Cat(low[:middle], high[0] + high[1] + low[middle]), acc_bits)

        remainder: Value = sums[value_bits:]
        # Bits below it: those of the sum, then the low bits of half the divisor, which every stage has.
        rest: Value = sums[:value_bits]
        quotient: list[Value] = []
        for step in range(spec.out_bits):
            divisor = divisors[step + 3]
            half_place = frac_bits - (step - value_bits)
            incoming = rest[-1] if step < value_bits else divisor[half_place] if half_place < len(divisor) else 0
            dividend = Signal(len(divisor) + 1, name=f"dividend_{n}_{step}")
            m.d.comb += dividend.eq(Cat(incoming, remainder))
            difference = self._subtract(m, f"{n}_{step}", dividend, divisor)
            fits = ~difference[-1]
            remainder = register(
                f"remainder_{step}", Mux(fits, difference[: len(divisor)], dividend[: len(divisor)]), len(divisor)
            )
            quotient = [*register(f"quotient_{step}", Cat(fits, *quotient), step + 1)]
            if step < value_bits - 1:
                rest = register(f"rest_{step}", rest[:-1], value_bits - 1 - step)
        return Cat(quotient)

    def _subtract(self, m: Module, name: str, a: Value, b: Value) -> Value:
        """Return `a - b`, a bit wider than `a`: the upper part for both borrows of the lower one (carry select)."""
        low, high = subtractor_widths(self.design)
        lower = Signal(low + 1, name=f"lower_{name}")
        upper = Signal(high + 1, name=f"upper_{name}")
        upper_less_one = Signal(high + 1, name=f"upper_less_one_{name}")
        m.submodules[f"lower_{name}"] = Instance(
            f"{self.subtractor}_lower", i_a=a[:low], i_b=b[:low], o_difference=lower
        )
        m.submodules[f"upper_{name}"] = Instance(
            f"{self.subtractor}_upper",
            i_a=a[low:],
            i_b=Cat(b[low:], Const(0, 1)),
            o_difference=upper,
            o_less_one=upper_less_one,
        )
        return Cat(lower[:-1], Mux(lower[-1], upper_less_one, upper))
