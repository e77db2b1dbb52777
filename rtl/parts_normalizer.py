"""Normalisation of sums in parts: the parts become one number in the divider that needs it."""

from __future__ import annotations

from typing import NamedTuple

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from rtl import payload
from rtl.config import Dimensions

__all__ = ["PartsNormalizer"]


class _Step(NamedTuple):
    """What one step of a cycle is for all elements: which of the special ones, and what it adds."""

    adds_carries: Value
    corrects: Value
    is_idle: Value
    is_tail: Value
    tail: Value
    addend: Signal


class PartsNormalizer(wiring.Component):
    """Divides: `out[i] = floor(2**out_frac_bits * sum(w*v[i]) / sum(w) + 1/2)`, `n_macs` elements side by side.

    Restoring division, in place, of the offset sums. Half a divisor is added before it, so that the quotient comes out
    rounded (halves towards plus infinity), and it has `out_bits` bits. The values' offset comes out as
    `2**(out_bits - 1)`, so that flipping the top bit makes the result signed.

    The parts of a sum (`payload.sum_parts`) become one number on the way. With `J = offset + offset_carry`, which is
    `negated` and that half, the dividend is `acc + carries + J - 2**value_bits * negated`. The low
    `value_bits` bits of `J` are added as a slice is taken. The first two steps, before any quotient bit, use the
    divider's own subtractor: one adds the carries, the other the rest of `J - 2**value_bits * negated` and the carry
    from the low bits. Behind the dividend follow the low bits of the half, the same for all elements.

    * **Latency**: `ceil(quotient_steps / quotient_bits) + 1` cycles; `quotient_steps = out_bits + 2`.
    * **Throughput**: a slice in one cycle more than that.
    * A stall holds the slice and takes in no other.

    Parameters
    ----------
    dims
        Sizes of the engine; `quotient_bits` steps are unrolled in a cycle.

    Members
    -------
    i : In(stream of payload.sum_parts)
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
                "i": In(stream.Signature(payload.sum_parts(dims))),
                "o": Out(stream.Signature(payload.out_slice(dims))),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from a slice's transfer to its quotients being offered."""
        return self.dims.division_cycles() + 1

    def elaborate(self, platform) -> Module:
        m = Module()
        dims = self.dims
        n_cycles = dims.division_cycles()

        cycles_left = Signal(range(n_cycles + 1))
        is_busy, is_stepping = Signal(), Signal()
        is_empty, ends_query = Signal(reset_less=True), Signal(reset_less=True)
        loaded = Signal()
        m.d.comb += [
            self.i.ready.eq(~is_busy),
            loaded.eq(self.i.valid & self.i.ready),
            self.o.valid.eq(is_busy & ~is_stepping),
            self.o.p.is_empty.eq(is_empty),
            self.o.p.last.eq(ends_query),
        ]
        with m.If(loaded):
            m.d.sync += [
                is_busy.eq(1),
                is_stepping.eq(1),
                cycles_left.eq(n_cycles),
                is_empty.eq(self.i.p.is_empty),
                ends_query.eq(self.i.p.last),
            ]
        with m.Elif(is_stepping):
            m.d.sync += [cycles_left.eq(cycles_left - 1), is_stepping.eq(cycles_left != 1)]
        with m.Elif(self.o.ready):
            m.d.sync += is_busy.eq(0)

        steps = self._steps(m, loaded, cycles_left)
        low, carry = self._low_bits(m)
        for n in range(dims.n_macs):
            work = Signal(self._remainder_bits + self._below, name=f"work_{n}", reset_less=True)
            carries = self.i.p.carry[n] if dims.kept_carries else C(0, 0)
            sum_above = self.i.p.acc[n][dims.spec.value_bits :]
            kept = Cat(carries, carry[n])
            with m.If(is_stepping):
                m.d.sync += work.eq(self._divide(m, n, work, steps))
            with m.Elif(loaded):
                m.d.sync += work.eq(Cat(C(0, self._first_kept), kept, Cat(word[n] for word in low), sum_above))
            top = work[dims.spec.out_bits - 1]
            m.d.comb += self.o.p.value[n].eq(Cat(work[: dims.spec.out_bits - 1], ~(top | is_empty)))
        return m

    # A divider's bits, from the top: remainder, what is left of the dividend, carries. All move up a place a step, the
    # dividend into the remainder, and quotient bits come in below.

    @property
    def _remainder_bits(self) -> int:
        return self.dims.spec.weight_sum_bits

    @property
    def _idle_steps(self) -> int:
        """Steps before the first that adds, where the steps do not fill whole cycles."""
        return self.dims.division_cycles() * self.dims.quotient_bits - self.dims.quotient_steps

    @property
    def _dividend_steps(self) -> int:
        """Steps in which a bit of the sum comes into the remainder."""
        return self._idle_steps + 2 + self.dims.spec.value_bits

    @property
    def _below(self) -> int:
        """Bits below the remainder."""
        return max(self.dims.spec.out_bits, self._dividend_steps + 1 + len(self.dims.kept_carries))

    @property
    def _first_kept(self) -> int:
        """Where the lowest carry is when a slice is taken; that of the low bits is the highest."""
        return self._below - self._dividend_steps - 1 - len(self.dims.kept_carries)

    def _low_bits(self, m: Module) -> tuple[list[Signal], Value]:
        """Add the low bits of `J` to those of the sums: bits, and the carry, each a word of all elements."""
        n_macs, spec = self.dims.n_macs, self.dims.spec
        addend = self.i.p.offset
        low: list[Signal] = []
        carry: Value = self.i.p.offset_carry.replicate(n_macs)
        for k in range(spec.value_bits):
            a = Signal(n_macs, name=f"acc_{k}")
            total, carry_out = Signal(n_macs, name=f"low_{k}"), Signal(n_macs, name=f"carry_{k}")
            b = addend[k].replicate(n_macs) if k < len(addend) else C(0, n_macs)
            m.d.comb += [
                a.eq(Cat(self.i.p.acc[n][k] for n in range(n_macs))),
                total.eq(a ^ b ^ carry),
                carry_out.eq((a & b) | (carry & (a ^ b))),
            ]
            low.append(total)
            carry = carry_out
        return low, carry

    def _steps(self, m: Module, loaded: Value, cycles_left: Signal) -> list[_Step]:
        """What the steps of a cycle have in common for all elements."""
        dims, spec = self.dims, self.dims.spec
        n_cycles, bits, n_bits = dims.division_cycles(), dims.quotient_bits, self._remainder_bits
        weight_sum, correction = Signal(n_bits), Signal(n_bits)
        halves = self.i.p.offset + self.i.p.offset_carry - self.i.p.negated
        m.d.comb += [
            weight_sum.eq(Cat(self.i.p.low, halves)),
            correction.eq((self.i.p.offset >> spec.value_bits) - self.i.p.negated),
        ]
        # Flags and addends are registers, so that no step waits for them.
        divisor, correction_later = Signal(n_bits, reset_less=True), Signal(n_bits, reset_less=True)
        is_cycle = [Signal(name=f"is_cycle_{cycle}") for cycle in (0, 1)]
        first_tail = self._dividend_steps
        tail = Signal(spec.out_frac_bits + first_tail % bits, reset_less=True)
        m.d.sync += [is_cycle[0].eq(loaded), is_cycle[1].eq(is_cycle[0])]
        with m.If(loaded):
            m.d.sync += [
                divisor.eq(weight_sum),
                correction_later.eq(correction),
                tail.eq(weight_sum[1 : spec.out_frac_bits + 1]),
            ]
        with m.Elif(cycles_left <= n_cycles - first_tail // bits):
            m.d.sync += tail.eq(tail << bits)

        def in_step(number: int, place: int) -> Value:
            cycle, its_place = divmod(number, bits)
            return is_cycle[cycle] if place == its_place else C(0)

        steps = []
        for place in range(bits):
            addend, is_tail = Signal(n_bits, name=f"addend_{place}", reset_less=True), Signal(name=f"is_tail_{place}")
            adds_carries, corrects = (self._idle_steps + n for n in (0, 1))
            with m.If(loaded):
                m.d.sync += is_tail.eq(place >= first_tail)
                if place == adds_carries:
                    m.d.sync += addend.eq(0)
                elif place == corrects:
                    m.d.sync += addend.eq(correction)
                else:
                    m.d.sync += addend.eq(~weight_sum)
            with m.Else():
                m.d.sync += is_tail.eq(cycles_left <= n_cycles + 1 - (first_tail - place + bits - 1) // bits)
                if place + bits == corrects:
                    with m.If(is_cycle[0]):
                        m.d.sync += addend.eq(correction_later)
                    with m.Elif(is_cycle[1]):
                        m.d.sync += addend.eq(~divisor)
                elif place in (adds_carries, corrects):
                    with m.If(is_cycle[0]):
                        m.d.sync += addend.eq(~divisor)
            step = _Step(
                adds_carries=in_step(adds_carries, place),
                corrects=in_step(corrects, place),
                is_idle=is_cycle[0] if place < self._idle_steps else C(0),
                is_tail=is_tail,
                tail=tail[len(tail) - 1 - place] if place < len(tail) else C(0),
                addend=addend,
            )
            steps.append(step)
        return steps

    def _divide(self, m: Module, n: int, work: Value, steps: list[_Step]) -> Value:
        """Return `work` after the steps of a cycle."""
        dims, n_bits, below = self.dims, self._remainder_bits, self._below
        carries = dims.kept_carries
        for place, step in enumerate(steps):
            lower, remainder = work[:below], work[below:]
            shifted = Signal(n_bits, name=f"shifted_{n}_{place}")
            addend, is_one_more = Signal(n_bits, name=f"addend_{n}_{place}"), Signal(name=f"is_one_more_{n}_{place}")
            difference = Signal(n_bits + 2, name=f"difference_{n}_{place}")
            takes = Signal(name=f"takes_{n}_{place}")
            stepped = Signal(len(work), name=f"stepped_{n}_{place}")

            # Carries are added when the dividend is in the remainder down to column value_bits + 1.
            first = self._first_kept + self._idle_steps
            own: list[Value] = [C(0, 1)] * n_bits
            for i, column in enumerate(carries):
                own[column - dims.spec.value_bits - 1] = lower[first + i] & step.adds_carries
            low_carry = lower[first + len(carries) + 1]
            m.d.comb += [
                shifted.eq(Cat((lower[-1] & ~step.is_tail) | (step.tail & step.is_tail), remainder[:-1])),
                addend.eq(step.addend | Cat(own)),
                is_one_more.eq(Mux(step.corrects, low_carry, ~step.adds_carries)),
                difference.eq(Cat(C(1, 1), shifted) + Cat(is_one_more, addend)),
                takes.eq(((remainder[-1] | difference[-1]) & ~step.is_idle) | step.adds_carries | step.corrects),
                stepped.eq(Cat(takes, lower[:-1], Mux(takes, difference[1:-1], shifted))),
            ]
            work = stepped
        return work
