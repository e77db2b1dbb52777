"""Weighted sum by shifts: for weights that are powers of two, `n_macs` shifters and accumulators."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import C, Cat, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from rtl import payload
from rtl.config import Dimensions
from rtl.memory import value_read_port

__all__ = ["ShiftSum"]

#: Columns that a carry passes in a cycle. Where it would go on it waits in a register for the next key.
MAX_RIPPLE = 5

#: Places that the first of the two steps of a shift has: 0 to 3.
FINE_PLACES = 4


class ShiftSum(wiring.Component):
    """`rtl.weighted_sum.WeightedSum` for tables whose entries are all powers of two or zero.

    Bit `e` of such a weight says that a value is to be shifted by `e` places, which takes two steps: by `e % 4`
    places and by `e - e % 4`. Both are bits of the weight, ORed: nothing is decoded.

    The shifted values are accumulated bit-sliced across the elements, by ripples of `MAX_RIPPLE` columns; the carry
    out of one waits for the next key. After a pass's last key all carries are added on the way out. The sum of
    weights is the sum of one more element, whose value is always 1.

    A weight of 0 changes no sum: memory and values are not even read for it. Otherwise as `WeightedSum`, whose sums
    these are, in the same cycles.

    * **Latency**: 3 cycles from the last key's transfer to the slice's offer.
    * **Throughput**: a key a cycle, a slice in no less than the divider's cycles.

    Parameters
    ----------
    dims
        Sizes of the engine. A loadable table must be loaded with powers of two and zeros alone: other weights
        give sums that mean nothing.

    Members
    -------
    i : In(stream of payload.weighted_key)
    values : Out(ReadPort)
        Slice `s` of the value vector of key `index` at address `index * fold + s`.
    o : Out(stream of payload.weighted_slice)
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
                "o": Out(stream.Signature(payload.weighted_slice(dims))),
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
        issued, adds, ends_query, last_on_the_way = (Signal(name=n) for n in ("issued", "adds", "ends_query", "on_way"))
        m.d.comb += [
            ends_query.eq(self.i.p.last & (self.i.p.slice == dims.fold - 1)),
            self.i.ready.eq(~self.i.p.last | (self.o.ready & ~last_on_the_way)),
            issued.eq(self.i.valid & self.i.ready),
            adds.eq(issued & (self.i.p.weight != 0)),
            self.values.addr.eq(self.i.p.index * dims.fold + self.i.p.slice),
            self.values.en.eq(adds),
        ]

        # Flags that travel with a key: stage 1 has its value from memory, 2 in a register, 3 its sums.
        flags = {
            "last": issued & self.i.p.last,
            "is_empty": issued & self.i.p.is_empty,
            "ends_query": issued & ends_query,
        }
        at: dict[str, list[Value]] = {name: [flag] for name, flag in flags.items()}
        for name, stages in at.items():
            for stage in (1, 2, 3):
                register = Signal(name=f"{name}_{stage}")
                m.d.sync += register.eq(stages[-1])
                stages.append(register)
        present, adds_1 = Signal(), Signal()
        m.d.sync += [present.eq(issued), adds_1.eq(adds)]
        # A register of its own: it lies on the way back to the selector.
        m.d.sync += last_on_the_way.eq(at["last"][0] | at["last"][1] | at["last"][2])

        # A slice's first key starts the sums anew. Three registers say so, since one would have too many loads; they
        # differ in cycles without a key, when nothing is added.
        is_first = Signal(init=1)
        restart = [Signal(name=f"restart_{n}", reset_less=True) for n in range(3)]
        adds_2 = Signal()
        with m.If(present):
            m.d.sync += [is_first.eq(at["last"][1]), restart[0].eq(is_first)]
        m.d.sync += [
            restart[1].eq(is_first & present),
            restart[2].eq(is_first | ~present),
            adds_2.eq(adds_1 | (is_first & present)),
        ]

        weight = Signal(spec.weight_bits, reset_less=True)
        with m.If(adds):
            m.d.sync += weight.eq(self.i.p.weight)
        fine, coarse, values = self._operands(m, weight, adds_1, present)
        rows = self._shifted(m, fine, coarse, values)
        sums = self._accumulate(m, rows, restart, adds_2, at["last"][3])

        m.d.comb += [
            self.o.valid.eq(at["last"][3]),
            self.o.p.weight_sum.eq(Cat(word[-1] for word in sums) | at["is_empty"][3]),
            self.o.p.is_empty.eq(at["is_empty"][3]),
            self.o.p.last.eq(at["ends_query"][3]),
        ]
        for n in range(dims.n_macs):
            m.d.comb += self.o.p.acc[n].eq(Cat(word[n] for word in sums) | at["is_empty"][3] << (spec.value_bits - 1))
        return m

    def _operands(
        self, m: Module, weight: Signal, adds: Value, present: Value
    ) -> tuple[list[Signal], list[Signal], list[Value]]:
        """Register the shift's two steps, one line a number of places, and the values, one word a bit."""
        dims, spec = self.dims, self.dims.spec
        n_fine = min(FINE_PLACES, spec.weight_bits)
        n_coarse = -(-spec.weight_bits // FINE_PLACES)
        fine = [Signal(name=f"fine_{p}", reset_less=True) for p in range(n_fine)]
        coarse = [Signal(name=f"coarse_{p}", reset_less=True) for p in range(n_coarse)]
        values = [Signal(dims.n_macs, name=f"value_{k}", reset_less=True) for k in range(spec.value_bits)]
        elements = payload.offset_values(dims)(self.values.data)
        with m.If(present):
            for p, line in enumerate(coarse):
                m.d.sync += line.eq(weight[FINE_PLACES * p :][:FINE_PLACES].any() & adds)
        with m.If(adds):
            for p, line in enumerate(fine):
                m.d.sync += line.eq(weight[p::FINE_PLACES].any())
            for k, word in enumerate(values):
                m.d.sync += word.eq(Cat(elements[n][k] for n in range(dims.n_macs)))
        # One more element, whose value is 1: its sum is that of the weights.
        return fine, coarse, [Cat(word, C(k == 0, 1)) for k, word in enumerate(values)]

    def _shifted(
        self, m: Module, fine: Sequence[Signal], coarse: Sequence[Signal], values: Sequence[Value]
    ) -> list[Signal]:
        """Shift the values in two steps; one word of all elements a column."""
        n = self.dims.n_macs + 1
        words = values
        for name, lines, places in (("fine", fine, 1), ("coarse", coarse, FINE_PLACES)):
            shifted = []
            for column in range(len(words) + places * (len(lines) - 1)):
                word = Signal(n, name=f"{name}_shifted_{column}")
                bit = C(0, n)
                for p, line in enumerate(lines):
                    if 0 <= column - places * p < len(words):
                        bit |= line.replicate(n) & words[column - places * p]
                m.d.comb += word.eq(bit)
                shifted.append(word)
            words = shifted
        return words[: self.dims.spec.value_bits + self.dims.spec.weight_bits - 1]

    def _accumulate(
        self, m: Module, rows: Sequence[Signal], restart: Sequence[Signal], enable: Value, is_done: Value
    ) -> list[Value]:
        """Add the rows to the sums, and return these with the carries that wait added where `is_done`."""
        dims = self.dims
        n = dims.n_macs + 1
        n_columns = (((1 << dims.spec.value_bits) - 1) * (dims.spec.top_k << (dims.spec.weight_bits - 1))).bit_length()
        words: list[Value] = []
        carry: Value | None = None
        rest: Value | None = None
        for column in range(n_columns):
            is_new = restart[column // MAX_RIPPLE % len(restart)].replicate(n)
            register = Signal(n, name=f"acc_{column}", reset_less=True)
            kept = Signal(n, name=f"acc_{column}_kept")
            m.d.comb += kept.eq(register & ~is_new)
            operands: list[Value] = [kept]
            if column < len(rows):
                operands.append(rows[column])
            result: list[Value] = [register]
            if column and column % MAX_RIPPLE == 0:
                waiting = Signal(n, name=f"waiting_{column}", reset_less=True)
                kept_carry, late = Signal(n, name=f"waiting_{column}_kept"), Signal(n, name=f"late_{column}")
                with m.If(enable):
                    m.d.sync += waiting.eq(carry)
                m.d.comb += [
                    kept_carry.eq(waiting & ~is_new),
                    late.eq(waiting & is_done.replicate(n)),
                ]
                operands.append(kept_carry)
                result.append(late)
            elif carry is not None:
                operands.append(carry)
            if rest is not None:
                result.append(rest)
            total, carry = _add(m, f"sum_{column}", operands)
            with m.If(enable):
                m.d.sync += register.eq(total)
            word, rest = _add(m, f"result_{column}", result) if len(result) > 1 else (register, None)
            words.append(word)
        return words


def _add(m: Module, name: str, operands: Sequence[Value]) -> tuple[Value, Value | None]:
    """Add one to three words bit by bit: sum and carry."""
    if len(operands) == 1:
        return operands[0], None
    n = len(operands[0])
    total, carry = Signal(n, name=name), Signal(n, name=f"{name}_carry")
    a, b, *more = operands
    if more:
        m.d.comb += [total.eq(a ^ b ^ more[0]), carry.eq((a & b) | (more[0] & (a ^ b)))]
    else:
        m.d.comb += [total.eq(a ^ b), carry.eq(a & b)]
    return total, carry
