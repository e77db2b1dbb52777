"""Normalisation: a slice's sums, one after the other, through pipelined dividers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from amaranth.hdl import C, Cat, Module, Mux, ResetSignal, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl import payload
from hamming.rtl.config import Dimensions
from hamming.rtl.quotient import carry_select_difference, quotient_stages

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
    * A stall holds all stages. Nothing is offered in reset.

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
        n_beats = dims.n_macs // dims.n_dividers
        n_adds = len(dims.addition_places)

        # A slice is held until its last elements are selected.
        go = Signal()
        ends = Signal()
        is_busy = Signal()
        beat = Signal(range(n_beats))
        held = Signal(payload.sum_parts(dims), reset_less=True)
        m.d.comb += [
            go.eq(~self.o.valid | self.o.ready),
            ends.eq(beat == n_beats - 1),
            self.i.ready.eq(~is_busy | (go & ends)),
        ]
        with m.If(is_busy & go):
            m.d.sync += [beat.eq(Mux(ends, 0, beat + 1)), is_busy.eq(~ends)]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [is_busy.eq(1), held.eq(self.i.payload)]

        # Flags that travel: whether a stage's registers hold something, and are the first to hold this slice's.
        def travel(name: str, flag: Value, n: int, **kwargs) -> list[Value]:
            stages: list[Value] = [flag]
            for stage in range(1, n + 1):
                register = Signal(name=f"{name}_{stage}", **kwargs)
                with m.If(go):
                    m.d.sync += register.eq(stages[-1])
                stages.append(register)
            return stages

        n_stages = dims.division_latency - 1
        valid = travel("valid", is_busy, n_stages)
        is_first = travel("is_first", is_busy & (beat == 0), n_stages - 2, reset_less=True)
        last = travel("last", held.last & ends, n_stages, reset_less=True)
        is_empty = travel("is_empty", held.is_empty, n_stages, reset_less=True)
        enables = [go & flag for flag in valid]

        # What all elements of a slice share moves on with its first.
        def follow(name: str, word: Value, width: int, stages: range) -> list[Value]:
            words: list[Value] = []
            for stage in stages:
                register = Signal(width, name=f"{name}_{stage}", reset_less=True)
                with m.If(go & is_first[stage]):
                    m.d.sync += register.eq(words[-1] if words else word)
                words.append(register)
            return words

        halves = held.offset + held.offset_carry - held.negated
        divisors = follow("divisor", Cat(held.low, halves), spec.weight_sum_bits, range(n_stages - 1))
        correction = Signal(spec.acc_bits)
        m.d.comb += correction.eq(held.offset + held.offset_carry - (held.negated << spec.value_bits))
        corrections = [
            follow(f"correction_{place}", correction[part], part.stop - part.start, range(stage + 1))[-1]
            for stage, (place, part) in enumerate(self._parts())
        ]

        for n in range(dims.n_dividers):
            elements = range(n, dims.n_macs, dims.n_dividers)
            words = [self._word(held, element) for element in elements]
            selected = Signal(len(words[0]), name=f"selected_{n}", reset_less=True)
            with m.If(enables[0]):
                m.d.sync += selected.eq(_select(words, beat))
            numerator = self._numerator(m, n, selected, corrections, enables[1:])
            quotient = quotient_stages(
                m,
                spec,
                numerator,
                divisors=divisors[n_adds:],
                enables=enables[n_adds + 1 : -1],
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

    def _parts(self) -> list[tuple[int, slice]]:
        """Return the bits that each stage of the addition adds."""
        places = [*self.dims.addition_places, self.dims.spec.acc_bits]
        return [(low, slice(low, high)) for low, high in itertools.pairwise(places)]

    def _word(self, held, element: int) -> Value:
        """Return an element's sum, and above it its carries."""
        return Cat(held.acc[element], held.carry[element]) if self.dims.kept_carries else held.acc[element]

    def _numerator(
        self, m: Module, n: int, selected: Signal, corrections: Sequence[Value], enables: Sequence[Value]
    ) -> Value:
        """Add sum, carries and correction, a part of the bits in each stage."""
        acc_bits = self.dims.spec.acc_bits
        places = {column: acc_bits + i for i, column in enumerate(self.dims.kept_carries)}
        acc = selected[:acc_bits]
        carries = Cat(selected[places[column]] if column in places else C(0, 1) for column in range(acc_bits))
        done: Value = C(0, 0)
        carry: Value = C(0, 1)
        for (place, part), correction, enable in zip(self._parts(), corrections, enables, strict=False):
            width = part.stop - part.start
            total = Signal(width + 2, name=f"total_{n}_{place}", reset_less=True)
            below = Signal(place, name=f"below_{n}_{place}", reset_less=True)
            above = Signal(2 * (acc_bits - part.stop), name=f"above_{n}_{place}", reset_less=True)
            with m.If(enable):
                m.d.sync += [
                    total.eq(acc[:width] + carries[:width] + correction + carry),
                    below.eq(done),
                    above.eq(Cat(acc[width:], carries[width:])),
                ]
            done, carry = Cat(below, total[:width]), total[width:]
            acc, carries = above[: acc_bits - part.stop], above[acc_bits - part.stop :]
        return done


def _select(words: Sequence[Value], number: Value) -> Value:
    """Return `words[number]`.

    The number's highest bit, which changes least often, selects first, so that of the many words at the leaves of the
    tree few ever move.
    """
    if len(words) == 1:
        return words[0]
    half = 1 << ((len(words) - 1).bit_length() - 1)
    bit = number[half.bit_length() - 1]
    pairs = [Mux(bit, words[i + half], words[i]) if i + half < len(words) else words[i] for i in range(half)]
    return _select(pairs, number)
