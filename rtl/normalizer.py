"""Normalisation: the exactly rounded quotient of each sum and the sum of weights."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from rtl import payload
from rtl.config import Dimensions

__all__ = ["Normalizer"]


class Normalizer(wiring.Component):
    """Divides: `out[i] = floor(2**out_frac_bits * sum(w*v[i]) / sum(w) + 1/2)`, `n_macs` elements side by side.

    Restoring division, in place, of the offset sums: `quotient_steps = value_bits + out_frac_bits + 1` quotient
    bits, one more than the output has, which rounds it (halves towards plus infinity). The values' offset comes out
    as `2**(out_bits - 1)`, so that flipping the top bit makes the result signed.

    * **Latency**: `ceil(quotient_steps / quotient_bits) + 1` cycles.
    * **Throughput**: a slice in one cycle more than that.
    * A stall holds the slice and takes in no other.

    Parameters
    ----------
    dims
        Sizes of the engine; `quotient_bits` steps are unrolled in a cycle.

    Members
    -------
    i : In(stream of payload.weighted_slice)
        `ready` stays 1 until a transfer.
    o : Out(stream of payload.out_slice)

    Equals `golden.weighted_sum`.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, dims: Dimensions):
        self.dims = dims
        super().__init__(
            {
                "i": In(stream.Signature(payload.weighted_slice(dims))),
                "o": Out(stream.Signature(payload.out_slice(dims))),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from a slice's transfer to its quotients being offered."""
        return self.dims.division_cycles() + 1

    def elaborate(self, platform) -> Module:
        m = Module()
        dims, spec = self.dims, self.dims.spec
        n_cycles = dims.division_cycles()
        n_steps = n_cycles * dims.quotient_bits  # steps beyond quotient_steps yield leading zeros

        cycles_left = Signal(range(n_cycles + 1))
        is_busy = Signal()
        divisor = Signal(spec.weight_sum_bits, reset_less=True)
        is_empty, ends_query = Signal(reset_less=True), Signal(reset_less=True)
        loaded = Signal()
        m.d.comb += [
            self.i.ready.eq(~is_busy),
            loaded.eq(self.i.valid & self.i.ready),
            self.o.valid.eq(is_busy & (cycles_left == 0)),
            self.o.p.is_empty.eq(is_empty),
            self.o.p.last.eq(ends_query),
        ]
        with m.If(loaded):
            m.d.sync += [
                is_busy.eq(1),
                cycles_left.eq(n_cycles),
                divisor.eq(self.i.p.weight_sum),
                is_empty.eq(self.i.p.is_empty),
                ends_query.eq(self.i.p.last),
            ]
        with m.Elif(cycles_left != 0):
            m.d.sync += cycles_left.eq(cycles_left - 1)
        with m.Elif(self.o.ready):
            m.d.sync += is_busy.eq(0)

        for n in range(dims.n_macs):
            # The remainder in the upper bits, the dividend below it; quotient bits come in as dividend bits go.
            work = Signal(spec.weight_sum_bits + n_steps, name=f"work_{n}", reset_less=True)
            with m.If(loaded):
                m.d.sync += work.eq(self.i.p.acc[n] << (spec.out_frac_bits + 1))
            with m.Elif(cycles_left != 0):
                m.d.sync += work.eq(self._divide(m, n, work, divisor, n_steps))
            rounded = ((work[: dims.quotient_steps] + 1) >> 1)[: spec.out_bits]
            m.d.comb += self.o.p.value[n].eq(Cat(rounded[:-1], ~rounded[-1]))
        return m

    def _divide(self, m: Module, n: int, work: Value, divisor: Signal, n_steps: int) -> Value:
        """Return `work` after `quotient_bits` steps of restoring division by `divisor`."""
        for step in range(self.dims.quotient_bits):
            remainder = work[n_steps - 1 :]  # shifted left by one
            difference = Signal(len(remainder) + 1, name=f"difference_{n}_{step}")
            stepped = Signal(len(work), name=f"stepped_{n}_{step}")
            fits = ~difference[-1]
            m.d.comb += [
                difference.eq(remainder - divisor),
                stepped.eq(Cat(fits, work[: n_steps - 1], Mux(fits, difference, remainder)[: len(divisor)])),
            ]
            work = stepped
        return work
