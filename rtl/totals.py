"""Totals: a slice's sums, put together from their parts: what an engine hands on that does not divide."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, ResetSignal, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl import payload
from hamming.rtl.addition import Stages, add_parts, corrections, hold_slice, select_word, sum_word
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.short_queue import queue_of

__all__ = ["Totals"]


class Totals(wiring.Component):
    """Adds up what the parts of sums (`payload.sum_parts`) leave to be added, `n_dividers` elements a cycle.

    A slice's sums are held while its elements are selected; then a few bits are added in each stage, lowest first.

    * **Latency**: `2 + len(dims.addition_places)` cycles from a slice's transfer to its first elements' offer.
    * **Throughput**: `n_dividers` elements a cycle, also from one slice to the next.
    * A stall holds all stages. Nothing is offered in reset.

    Parameters
    ----------
    dims
        Sizes of the engine.

    Members
    -------
    i : In(stream of payload.sum_parts)
    i_max_level : In(stream of level_bits)
        Of each query, before its sums. Up to `Dimensions.queries_in_flight` are held here.
    o : Out(stream of payload.partial)

    Equals `golden.parts.partial`.
    """

    i: stream.Interface
    i_max_level: stream.Interface
    o: stream.Interface

    def __init__(self, dims: Dimensions):
        self.dims = dims
        super().__init__(
            {
                "i": In(stream.Signature(payload.sum_parts(dims))),
                "i_max_level": In(stream.Signature(dims.level_bits)),
                "o": Out(stream.Signature(payload.partial(dims))),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        dims, spec = self.dims, self.dims.spec
        m.submodules.max_levels = max_levels = queue_of(dims.level_bits, depth=dims.queries_in_flight)
        wiring.connect(m, wiring.flipped(self.i_max_level), max_levels.i)

        go = Signal()
        m.d.comb += go.eq(~self.o.valid | self.o.ready)
        is_busy, beat, ends, held = hold_slice(m, dims, self.i, go)
        stages = Stages(m, go)
        n_stages = 1 + len(dims.addition_places)
        valid = stages.travel("valid", is_busy, n_stages)
        is_first = stages.travel("is_first", is_busy & (beat == 0), n_stages - 1, reset_less=True)
        last = stages.travel("last", held.last & ends, n_stages, reset_less=True)
        is_empty = stages.travel("is_empty", held.is_empty, n_stages, reset_less=True)
        enables = [go & flag for flag in valid]

        weight_sum = Cat(held.low, held.offset + held.offset_carry - held.negated)
        correction = Signal(spec.acc_bits)
        m.d.comb += correction.eq(held.negated - (held.negated << spec.value_bits))
        weight_sums = stages.follow("weight_sum", weight_sum, spec.weight_sum_bits, is_first)
        added = corrections(dims, stages, correction, is_first)
        for n in range(dims.n_dividers):
            words = [sum_word(dims, held, element) for element in range(n, dims.n_macs, dims.n_dividers)]
            selected = Signal(len(words[0]), name=f"selected_{n}", reset_less=True)
            with m.If(enables[0]):
                m.d.sync += selected.eq(select_word(words, beat))
            m.d.comb += self.o.p.acc[n].eq(add_parts(m, dims, n, selected, added, enables[1:]))
        m.d.comb += [
            self.o.valid.eq(valid[-1] & ~ResetSignal()),
            self.o.p.weight_sum.eq(Mux(is_empty[-1], 0, weight_sums[-1])),
            self.o.p.max_level.eq(max_levels.o.payload),
            self.o.p.is_empty.eq(is_empty[-1]),
            self.o.p.last.eq(last[-1]),
            max_levels.o.ready.eq(self.o.valid & self.o.ready & self.o.p.last),
        ]
        return m
