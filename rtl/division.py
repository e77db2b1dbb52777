"""Division of sums that are whole: what is left of the normalisation where several engines' results are merged."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, ResetSignal, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl import payload
from hamming.rtl.addition import Stages
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.quotient import carry_select_difference, quotient_stages

__all__ = ["Division"]


class Division(wiring.Component):
    """Divides: `out[i] = floor(2**out_frac_bits * sum(w*v[i]) / sum(w) + 1/2)`, `n_dividers` elements a cycle.

    The high bits of half the divisor, which rounds, are added; then each stage finds a bit of the quotient
    (`rtl.quotient`). Flipping the top bit takes the values' offset off.

    * **Latency**: `out_bits + 1` cycles.
    * **Throughput**: a beat a cycle.
    * A stall holds all stages. Nothing is offered in reset.

    Parameters
    ----------
    dims
        Sizes of the engine, or of all engines together.

    Members
    -------
    i : In(stream of payload.partial)
    o : Out(stream of payload.out_beat)

    Equals `golden.parts.merge` of one.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, dims: Dimensions):
        self.dims = dims
        super().__init__(
            {
                "i": In(stream.Signature(payload.partial(dims))),
                "o": Out(stream.Signature(payload.out_beat(dims))),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from a beat's transfer to its quotients' offer."""
        return self.dims.spec.out_bits + 1

    def elaborate(self, platform) -> Module:
        m = Module()
        spec, n_stages = self.dims.spec, self.latency
        go = Signal()
        m.d.comb += [go.eq(~self.o.valid | self.o.ready), self.i.ready.eq(go & ~ResetSignal())]
        stages = Stages(m, go)
        valid = stages.travel("valid", self.i.valid & ~ResetSignal(), n_stages)
        last = stages.travel("last", self.i.p.last, n_stages, reset_less=True)
        is_empty = stages.travel("is_empty", self.i.p.is_empty, n_stages, reset_less=True)
        divisor = self.i.p.weight_sum | self.i.p.is_empty  # 0 / 1 where there is no key
        divisors = stages.follow("divisor", divisor, spec.weight_sum_bits, valid[: n_stages - 1])
        for n in range(self.dims.n_dividers):
            numerator = Signal(spec.acc_bits, name=f"numerator_{n}", reset_less=True)
            with m.If(go & valid[0]):
                m.d.sync += numerator.eq(self.i.p.acc[n] + (self.i.p.weight_sum >> (spec.out_frac_bits + 1)))
            quotient = quotient_stages(
                m,
                spec,
                numerator,
                divisors=divisors,
                enables=[go & flag for flag in valid[1:-1]],
                subtract=lambda name, a, b: carry_select_difference(m, name, a, b),
                name=f"_{n}",
            )
            m.d.comb += self.o.p.value[n].eq(Cat(quotient[:-1], ~(quotient[-1] | is_empty[-1])))
        m.d.comb += [
            self.o.valid.eq(valid[-1] & ~ResetSignal()),
            self.o.p.last.eq(last[-1]),
            self.o.p.is_empty.eq(is_empty[-1]),
        ]
        return m
