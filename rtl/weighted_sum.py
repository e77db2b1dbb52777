"""Weighted sum: `n_macs` multiply-accumulators, one tree of full adders, over the kept keys' values."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from rtl import payload
from rtl.config import Dimensions
from rtl.digits import add_columns, top_digits
from rtl.memory import value_read_port
from rtl.multiply import digit_lines

__all__ = ["WeightedSum"]


class WeightedSum(wiring.Component):
    """Sums `weight * offset_value` of `n_macs` elements, and `weight`, over one pass of kept keys.

    `offset_value = value + 2**(value_bits - 1)` is how values are stored, so everything is unsigned.

    The weight, which all elements share, is recoded to digits -1, 0, 1 and 2 of base four, half as many rows as bits.
    For -1 a row is the value's complement, `2**value_bits - 1` too large: those digits are counted (`negated`), and one
    correction for all elements is left to the division. Rows and sum are added in one tree of full adders, bit-sliced
    across the elements; where a carry would be late it waits in a register for the next key, and after the last one it
    is handed on as it is.

    Memory, values and sums are a pipeline that never stalls: a cycle without a key changes nothing. A pass's last key
    therefore starts only when the divider behind it is free and no other last key is on the way.

    * **Latency**: 3 cycles from the last key's transfer to the slice's offer.
    * **Throughput**: a key a cycle, a slice in no less than the divider's cycles.

    Parameters
    ----------
    dims
        Sizes of the engine.

    Members
    -------
    i : In(stream of payload.weighted_key)
    values : Out(ReadPort)
        Slice `s` of the value vector of key `index` at address `index * fold + s`.
    o : Out(stream of payload.sum_parts)
        Offered for one cycle: `ready` must stay 1 from the cycle in which a last key is let through until the
        transfer, as the normaliser's does.

    Equals `golden.weighted_sum`.
    """

    i: stream.Interface
    o: stream.Interface
    values: wiring.PureInterface

    def __init__(self, dims: Dimensions):
        self.dims = dims
        super().__init__(
            {
                "i": In(stream.Signature(payload.weighted_key(dims))),
                "values": Out(value_read_port(dims)),
                "o": Out(stream.Signature(payload.sum_parts(dims))),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from the last key's transfer to the slice's offer."""
        return 3

    def elaborate(self, platform) -> Module:
        m = Module()
        dims, spec = self.dims, self.dims.spec

        # Issue: the value slice is read while the weight is registered.
        issued = Signal()
        last_on_the_way = Signal()
        ends_query = Signal()
        m.d.comb += [
            ends_query.eq(self.i.p.last & (self.i.p.slice == dims.fold - 1)),
            self.i.ready.eq(~self.i.p.last | (self.o.ready & ~last_on_the_way)),
            issued.eq(self.i.valid & self.i.ready),
            self.values.addr.eq(self.i.p.index * dims.fold + self.i.p.slice),
            self.values.en.eq(issued),
        ]

        # Flags that travel with a key: stage 1 has its value from memory, 2 in a register, 3 its sums.
        flags = {"present": issued, "last": self.i.p.last, "is_empty": self.i.p.is_empty, "ends_query": ends_query}
        travelling = {name: [flag & issued] for name, flag in flags.items()}
        for name, stages in travelling.items():
            for stage in (1, 2, 3):
                register = Signal(name=f"{name}_{stage}")
                m.d.sync += register.eq(stages[-1])
                stages.append(register)
        last, is_empty, present = (travelling[name] for name in ("last", "is_empty", "present"))
        m.d.comb += last_on_the_way.eq(last[1] | last[2] | last[3])

        # From a slice's last key to the next slice's first, sums start anew.
        restart = Signal(init=1)
        with m.If(present[2]):
            m.d.sync += restart.eq(last[2])

        weight = Signal(spec.weight_bits, reset_less=True)
        with m.If(issued):
            m.d.sync += weight.eq(self.i.p.weight)
        digits = []
        values = [Signal(dims.n_macs, name=f"value_{k}", reset_less=True) for k in range(spec.value_bits)]
        elements = payload.offset_values(dims)(self.values.data)
        lines = digit_lines(m, weight)
        with m.If(present[1]):
            for i, line in enumerate(lines):
                digit = [Signal(name=f"digit_{i}_is_{name}", reset_less=True) for name in ("1", "2", "negative")]
                m.d.sync += [register.eq(is_it) for register, is_it in zip(digit, line, strict=True)]
                digits.append(digit)
            for k, word in enumerate(values):
                m.d.sync += word.eq(Cat(Value.cast(elements[n])[k] for n in range(dims.n_macs)))
        self._common_sums(m, weight, lines, digits, present, restart, is_empty[2])
        acc, carries = self._sums(m, self._rows(m, digits, values), restart, present[2])
        for n in range(dims.n_macs):
            m.d.comb += self.o.p.acc[n].eq(Cat(word[n] for word in acc))
            if carries:
                m.d.comb += self.o.p.carry[n].eq(Cat(word[n] for word in carries))
        m.d.comb += [
            self.o.valid.eq(last[3]),
            self.o.p.is_empty.eq(is_empty[3]),
            self.o.p.last.eq(travelling["ends_query"][3]),
        ]
        return m

    def _common_sums(
        self,
        m: Module,
        weight: Signal,
        lines: Sequence[Sequence[Value]],
        digits: Sequence[Sequence[Signal]],
        present: Sequence[Value],
        restart: Signal,
        is_empty: Value,
    ) -> None:
        """Sum what all elements are corrected by: digits of -1, and the weights, of which half rounds."""
        dims, n_low = self.dims, self.dims.spec.out_frac_bits + 1

        def negatives(of: Sequence[Sequence[Value]]) -> Value:
            return Cat(Cat(digit[2], C(0, 1)) for digit in of)[: max(1, 2 * (len(weight) // 2))]

        weight_low = Signal(min(n_low, len(weight)), reset_less=True)
        growth = Signal(dims.offset_bits, reset_less=True)
        with m.If(present[1]):
            m.d.sync += [weight_low.eq(weight), growth.eq(negatives(lines) + (weight >> n_low))]
        negated, low = Signal(dims.negated_bits), Signal(n_low)
        offset, offset_carry = Signal(dims.offset_bits), Signal()
        with m.If(present[2]):
            m.d.sync += [
                negated.eq(Mux(restart, 0, negated) + negatives(digits)),
                Cat(low, offset_carry).eq(Mux(restart, is_empty, low) + weight_low),
                offset.eq(Mux(restart, 0, offset) + growth + (offset_carry & ~restart)),
            ]
        m.d.comb += [
            self.o.p.negated.eq(negated),
            self.o.p.low.eq(low),
            self.o.p.offset.eq(offset),
            self.o.p.offset_carry.eq(offset_carry),
        ]

    def _rows(self, m: Module, digits: list[list[Signal]], values: list[Signal]) -> list[list[Signal]]:
        """Return the bits of `digit * value`, by column; each a word of all elements."""
        n_macs = self.dims.n_macs
        columns: list[list[Signal]] = [[] for _ in range(self.dims.spec.acc_bits)]
        tops = top_digits(self.dims.spec.weight_bits)
        for i, (top, digit) in enumerate(zip(tops, digits, strict=True)):
            is_one, is_two, is_negative = (line.replicate(n_macs) for line in digit)
            for k in range(len(values) + (top > 1)):
                bit = C(0, n_macs)
                if k < len(values):
                    bit = is_one & values[k]
                    if i < len(tops) - 1:
                        bit |= is_negative & ~values[k]
                if k > 0 and top > 1:
                    bit |= is_two & values[k - 1]
                word = Signal(n_macs, name=f"row_{i}_{k}")
                m.d.comb += word.eq(bit)
                columns[2 * i + k].append(word)
        return columns

    def _sums(
        self, m: Module, columns: list[list[Signal]], restart: Signal, enable: Signal
    ) -> tuple[list[Signal], list[Signal]]:
        """Add the rows to the sums: their bits, and the carries that wait."""
        n_macs = self.dims.n_macs
        serial = iter(range(1_000_000))

        def signal(name: str, **kwargs) -> Signal:
            return Signal(n_macs, name=name, **kwargs)

        def kept(register: Signal) -> Signal:
            word = signal(f"{register.name}_kept")
            m.d.comb += word.eq(register & ~restart.replicate(n_macs))
            return word

        def add(column: int, words: list[Signal]) -> tuple[Signal, Signal]:
            number = next(serial)
            total, carry = signal(f"sum{column}_{number}"), signal(f"carry{column}_{number}")
            if len(words) == 3:
                a, b, c = words
                m.d.comb += [total.eq(a ^ b ^ c), carry.eq((a & b) | (c & (a ^ b)))]
            else:
                a, b = words
                m.d.comb += [total.eq(a ^ b), carry.eq(a & b)]
            return total, carry

        carries: list[Signal] = []

        def keep(column: int, carry: Signal) -> Signal:
            register = signal(f"waiting_{column}", reset_less=True)
            with m.If(enable):
                m.d.sync += register.eq(carry)
            carries.append(register)
            return kept(register)

        acc = [signal(f"acc_{column}", reset_less=True) for column in range(len(columns))]
        words = [[*rows, kept(register)] for rows, register in zip(columns, acc, strict=True)]
        sums = add_columns(words, add, keep, self.dims.spec.value_bits + 1)
        with m.If(enable):
            m.d.sync += [register.eq(word) for register, word in zip(acc, sums, strict=True)]
        return acc, carries
