"""Weighted sum: `n_macs` products and accumulators, one tree of full adders, over the kept keys' values."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl import payload
from hamming.rtl.chained_sum import chained_sums
from hamming.rtl.digits import add_columns, waiting
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.memory import value_read_port
from hamming.rtl.product import product as product_of

__all__ = ["WeightedSum"]


class WeightedSum(wiring.Component):
    """Sums `weight * offset_value` of `n_macs` elements, and `weight`, over one pass of kept keys.

    `offset_value = value + 2**(value_bits - 1)` is how values are stored, so everything is unsigned.

    The weight, which all elements share, becomes lines that say which rows of bits the products are made of
    (`rtl.product`). Rows and sum are added in one tree of full adders, bit-sliced across the elements; where a carry
    would be late it waits in a register for the next key, and after the last one it is handed on as it is.

    A weight of 0 changes no sum: memory, values and sums stand still for it, but that the memory of an engine for an
    FPGA is read in each cycle without a stall. Otherwise a key takes a cycle in each of three stages: its value is
    read, then it is a register's, then in the sums.

    * **Latency**: `2 + read_latency + sum_stages` cycles from the last key's transfer to the slice's offer.
    * **Throughput**: a key a cycle, also from one slice to the next; where sums are chains a slice in two.
    * A slice that is not taken holds all stages; where sums are chains, once the next one ends.

    Parameters
    ----------
    dims
        Sizes of the engine. Where products are shifts, weights are powers of two and zeros (`SoftmaxTable` sees to it).

    Members
    -------
    i : In(stream of payload.weighted_key)
    values : Out(ReadPort)
        Slice `s` of the value vector of key `index` at address `index * fold + s`.
    o : Out(stream of payload.sum_parts)

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
        return 2 + self.dims.value_read_latency + self.dims.sum_stages

    def elaborate(self, platform) -> Module:
        m = Module()
        dims, spec = self.dims, self.dims.spec
        # Of sums in chains a slice that is not taken holds nothing until the next one ends: `go` is a register.
        go = Signal(init=dims.has_chains)
        is_held = Signal()
        ends = Signal()
        if not dims.has_chains:
            m.d.comb += go.eq(~self.o.valid | self.o.ready)
        m.d.comb += [
            self.i.ready.eq(go),
            self.values.addr.eq(self.i.p.index * dims.fold + self.i.p.slice),
        ]

        # A key waits as long as the memory reads: with each cycle but the last, the word and the key move on.
        key, is_here = self.i.p, self.i.valid
        reads = [is_here & go & (key.weight != 0)]
        for stage in range(1, dims.value_read_latency):
            waits = Signal(payload.weighted_key(dims), name=f"key_{stage}", reset_less=True)
            waits_here = Signal(name=f"key_is_here_{stage}")
            with m.If(go):
                m.d.sync += waits_here.eq(is_here)
            with m.If(go & is_here):
                m.d.sync += waits.eq(key)
            key, is_here = waits, waits_here
            reads.append(is_here & go & (key.weight != 0))
        issued = Signal()
        adds = Signal()
        m.d.comb += [issued.eq(is_here & go), adds.eq(key.weight != 0)]
        # Of an FPGA a word that none adds is read, too, but where it would be taken from those that were asked for.
        reads_always = dims.has_chains and dims.config.memories[1] != "request"
        m.d.comb += self.values.en.eq(go.replicate(len(reads)) if reads_always else Cat(reads))

        # Flags that travel with a key: stage 1 has its value from memory, 2 in a register, 3 its sums.
        flags = {
            "last": key.last,
            "is_empty": key.is_empty,
            "ends_query": key.last & (key.slice == dims.fold - 1),
        }
        at = {name: [flag & is_here] for name, flag in flags.items()}
        for name, stages in at.items():
            for stage in range(1, 3 + dims.sum_stages if dims.has_chains else 4):
                register = Signal(name=f"{name}_{stage}")
                with m.If(go):
                    m.d.sync += register.eq(stages[-1])
                stages.append(register)

        # The first key of a slice starts the sums anew, whatever its weight. Three registers say so, since one would
        # have too many loads; they differ where there is no key, and so no sum moves.
        present = Signal()
        adds_1 = Signal()
        is_first = Signal(init=1)
        moves_1 = Signal()
        moves_2 = Signal()
        restarts = [Signal(name=f"restart_{n}", reset_less=True) for n in range(3)]
        m.d.comb += moves_1.eq(adds_1 | (present & (is_first | at["last"][1] if dims.has_chains else is_first)))
        with m.If(go):
            m.d.sync += [
                present.eq(is_here),
                adds_1.eq(is_here & adds),
                moves_2.eq(moves_1),
                restarts[0].eq(is_first),
                restarts[1].eq(is_first & present),
                restarts[2].eq(is_first | ~present),
            ]
            with m.If(present):
                m.d.sync += is_first.eq(at["last"][1])

        weight = Signal(spec.weight_bits, reset_less=True)
        with m.If(issued):
            m.d.sync += weight.eq(key.weight)
        product = product_of(dims)
        lines = product.lines(m, weight)
        held_lines = [Signal(name=f"line_{i}", reset_less=True) for i in range(len(lines))]
        values = [Signal(dims.n_macs, name=f"value_{k}", reset_less=True) for k in range(spec.value_bits)]
        elements = payload.offset_values(dims)(self.values.data)
        with m.If(go if dims.has_chains else moves_1 & go):
            m.d.sync += [held.eq(line) for held, line in zip(held_lines, lines, strict=True)]
            for k, word in enumerate(values):
                m.d.sync += word.eq(Cat(Value.cast(elements[n])[k] for n in range(dims.n_macs)))

        enables = [moves_1 & go, moves_2 & go]
        restart: Value = restarts[0]
        for stage in range(dims.sum_stages):
            moves, later = Signal(name=f"moves_{3 + stage}"), Signal(name=f"restart_0_{stage}", reset_less=True)
            with m.If(go):
                m.d.sync += [moves.eq(moves_2), later.eq(restart)]
            moves_2, restart = moves, later
            enables.append(moves & go)
        negated = (product.negated(lines), product.negated(held_lines))
        if dims.has_chains:
            self._common_sums(m, weight, negated, enables, restart, at["is_empty"][-1], is_held)
            sums = chained_sums(m, dims, product.terms(m, held_lines, values), go, moves_2 & go, ends)
            m.d.comb += [ends.eq(at["last"][-1]), self.o.valid.eq(is_held)]
            holds = Signal()  # in the next cycle, as is what follows
            last_ends = Signal()
            m.d.comb += [
                holds.eq(Mux(is_held, ~self.o.ready, ends)),
                last_ends.eq(Mux(go, at["last"][-2], ends)),
            ]
            m.d.sync += [is_held.eq(holds), go.eq(~(holds & last_ends))]
            with m.If(~is_held):
                m.d.sync += [self.o.p.is_empty.eq(at["is_empty"][-1]), self.o.p.last.eq(at["ends_query"][-1])]
                m.d.sync += [self.o.p.acc[n].eq(total) for n, total in enumerate(sums)]
            return m
        self._common_sums(m, weight, negated, enables, restart, at["is_empty"][2])
        self._sums(m, product.rows(m, held_lines, values), restarts, enables[1])
        m.d.comb += [
            self.o.valid.eq(at["last"][3]),
            self.o.p.is_empty.eq(at["is_empty"][3]),
            self.o.p.last.eq(at["ends_query"][3]),
        ]
        return m

    def _common_sums(
        self,
        m: Module,
        weight: Signal,
        negated: tuple[Value, Value],
        enables: Sequence[Value],
        restart: Value,
        is_empty: Value,
        is_held: Value | None = None,
    ) -> None:
        """Sum what all elements share: the weights, of which half rounds, and what the products are too large by.

        `negated` is that of the stage that has the weight, and of the one behind it; `enables` are of all from there to
        the sums. Where a slice `is_held` in registers of its own these take the sums while none is.
        """
        dims, n_low = self.dims, self.dims.spec.out_frac_bits + 1
        weight_low = Signal(min(n_low, len(weight)), reset_less=True)
        growth = Signal(dims.offset_bits, reset_less=True)
        with m.If(enables[0]):
            m.d.sync += [weight_low.eq(weight), growth.eq(negated[0] + (weight >> n_low))]
        shared: list[Value] = [weight_low, growth, negated[1]]
        for stage, enable in enumerate(enables[1:-1]):
            held = [Signal(len(word), name=f"shared_{n}_{stage}", reset_less=True) for n, word in enumerate(shared)]
            with m.If(enable):
                m.d.sync += [register.eq(word) for register, word in zip(held, shared, strict=True)]
            shared = [*held]
        added_weight, added_growth, added_negated = shared
        sums = self.o.p
        total = Signal(dims.negated_bits, name="negated")
        low = Signal(n_low)
        offset = Signal(dims.offset_bits)
        offset_carry = Signal()
        added = [
            (total, sums.negated, Mux(restart, 0, total) + added_negated),
            (Cat(low, offset_carry), Cat(sums.low, sums.offset_carry), Mux(restart, is_empty, low) + added_weight),
            (offset, sums.offset, Mux(restart, 0, offset) + added_growth + (offset_carry & ~restart)),
        ]
        with m.If(enables[-1]):
            m.d.sync += [register.eq(after) for register, _, after in added]
        if is_held is None:
            m.d.comb += [
                sums.negated.eq(total),
                sums.low.eq(low),
                sums.offset.eq(offset),
                sums.offset_carry.eq(offset_carry),
            ]
        else:
            with m.If(~is_held):
                m.d.sync += [held.eq(after) for _, held, after in added]

    def _sums(self, m: Module, columns: Sequence[Sequence[Value]], restarts: Sequence[Value], enable: Value) -> None:
        """Add the rows to the sums: their bits, and the carries that wait."""
        dims = self.dims
        n_macs = dims.n_macs
        n_adders = 0

        def kept(column: int, register: Signal) -> Signal:
            word = Signal(n_macs, name=f"{register.name}_kept")
            m.d.comb += word.eq(register & ~restarts[column % len(restarts)].replicate(n_macs))
            return word

        def add(column: int, words: list[Value]) -> tuple[Signal, Signal]:
            nonlocal n_adders
            total, carry = (Signal(n_macs, name=f"{name}{column}_{n_adders}") for name in ("sum", "carry"))
            n_adders += 1
            a, b, *more = words
            c = more[0] if more else 0
            m.d.comb += [total.eq(a ^ b ^ c), carry.eq((a & b) | (c & (a ^ b)))]
            return total, carry

        carries: list[Signal] = []

        def keep(column: int, carry: Value) -> Signal:
            register = Signal(n_macs, name=f"waiting_{column}", reset_less=True)
            with m.If(enable):
                m.d.sync += register.eq(carry)
            carries.append(register)
            return kept(column, register)

        acc = [Signal(n_macs, name=f"acc_{column}", reset_less=True) for column in range(len(columns))]
        words = [[*rows, kept(n, register)] for n, (rows, register) in enumerate(zip(columns, acc, strict=True))]
        sums = add_columns(
            words,
            add,
            keep,
            **waiting(dims.config.product, dims.spec.value_bits, dims.config.adder_depth),
        )
        with m.If(enable):
            m.d.sync += [register.eq(word) for register, word in zip(acc, sums, strict=True)]
        for n in range(n_macs):
            m.d.comb += self.o.p.acc[n].eq(Cat(word[n] for word in acc))
            if carries:
                m.d.comb += self.o.p.carry[n].eq(Cat(word[n] for word in carries))
