"""Normalisation: a slice's sums, one after the other, through pipelined dividers."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, ResetSignal, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl import payload
from hamming.rtl.addition import Stages, add_parts, corrections, hold_slice, select_in_two, select_word, sum_word
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.quotient import carry_select_difference, quotient_stages
from hamming.rtl.spare import Spare

__all__ = ["Normalizer"]


class Normalizer(wiring.Component):
    """Divides: `out[i] = floor(2**out_frac_bits * sum(w*v[i]) / sum(w) + 1/2)`, `n_dividers` elements a cycle.

    A slice's sums are held while its elements are selected, `n_dividers` in a cycle. The next stages add what the parts
    of a sum (`payload.sum_parts`) leave to be added, and the high bits of half the divisor, which rounds (halves
    towards plus infinity); a few bits in each, lowest first. Then each stage finds a bit of the quotient, of which
    there are `out_bits` (`rtl.quotient`). The values' offset comes out as `2**(out_bits - 1)`, so that flipping the top
    bit makes the result signed.

    * **Latency**: `dims.division_latency` cycles from a slice's transfer to its first elements' offer.
    * **Throughput**: `n_dividers` elements a cycle, also from one slice to the next.
    * A stall holds all stages; on an FPGA a cycle later, and what comes meanwhile waits in a spare place. Nothing is
      offered in reset.

    Parameters
    ----------
    dims
        Sizes of the engine.

    Members
    -------
    i : In(stream of payload.sum_parts)
    o : Out(stream of payload.out_beat)

    Equals `golden.weighted_sum`.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, dims: Dimensions):
        self.dims = dims
        super().__init__(
            {
                "i": In(stream.Signature(payload.sum_parts(dims))),
                "o": Out(stream.Signature(payload.out_beat(dims))),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        dims, spec = self.dims, self.dims.spec
        n_adds, first_add = len(dims.addition_places), 1 + dims.select_stages

        go = Signal()
        if dims.has_chains:  # a stall is felt a cycle later, and goes on from a register
            m.submodules.spare = spare = Spare(self.o.payload.shape(), takes_all=True)
            given = spare.i
            m.d.comb += [go.eq(given.ready), spare.o.ready.eq(self.o.ready), self.o.p.eq(spare.o.p)]
            m.d.comb += self.o.valid.eq(spare.o.valid & ~ResetSignal())
        else:
            given = self.o
            m.d.comb += go.eq(~given.valid | given.ready)
        is_busy, beat, ends, held = hold_slice(m, dims, self.i, go)

        # Flags that travel: whether a stage's registers hold something, and are the first to hold this slice's.
        stages = Stages(m, go)
        n_stages = dims.division_latency - 1
        valid = stages.travel("valid", is_busy, n_stages)
        is_first = stages.travel("is_first", is_busy & (beat == 0), n_stages - 2, reset_less=True)
        last = stages.travel("last", held.last & ends, n_stages, reset_less=True)
        is_empty = stages.travel("is_empty", held.is_empty, n_stages, reset_less=True)
        enables = [go if dims.has_chains else go & flag for flag in valid]

        # What all elements of a slice share moves on with its first.
        halves = held.offset + held.offset_carry - held.negated
        divisors = stages.follow("divisor", Cat(held.low, halves), spec.weight_sum_bits, is_first[: n_stages - 1])
        correction = Signal(spec.acc_bits)
        m.d.comb += correction.eq(held.offset + held.offset_carry - (held.negated << spec.value_bits))
        added = corrections(dims, stages, correction, is_first, dims.select_stages)

        def subtract(name: str, a: Value, b: Value) -> Value:
            return a - b if dims.has_chains else carry_select_difference(m, name, a, b)

        for n in range(dims.n_dividers):
            elements = range(n, dims.n_macs, dims.n_dividers)
            words = [sum_word(dims, held, element) for element in elements]
            selected = Signal(len(words[0]), name=f"selected_{n}", reset_less=True)
            word = select_in_two(m, n, words, beat, stages) if dims.select_stages else select_word(words, beat)
            with m.If(enables[dims.select_stages]):
                m.d.sync += selected.eq(word)
            numerator = add_parts(m, dims, n, selected, added, enables[first_add:])
            quotient = quotient_stages(
                m,
                spec,
                numerator,
                divisors=divisors[first_add + n_adds - 1 :],
                enables=enables[first_add + n_adds : -1],
                subtract=subtract,
                name=f"_{n}",
            )
            m.d.comb += given.p.value[n].eq(Cat(quotient[:-1], ~(quotient[-1] | is_empty[-1])))
        m.d.comb += [
            given.valid.eq(valid[-1] if dims.has_chains else valid[-1] & ~ResetSignal()),
            given.p.last.eq(last[-1]),
            given.p.is_empty.eq(is_empty[-1]),
        ]
        return m
