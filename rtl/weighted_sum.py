"""Weighted sum: `n_macs` multiply-accumulators over the kept keys' values."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from rtl import payload
from rtl.config import Dimensions
from rtl.memory import value_read_port

__all__ = ["WeightedSum"]


class WeightedSum(wiring.Component):
    """Sums `acc[i] = sum(weight * offset_value[i])` and `weight_sum = sum(weight)` over one pass of kept keys.

    `offset_value = value + 2**(value_bits - 1)` is how values are stored, so everything is unsigned and as wide as
    the spec says: `acc < 2**value_bits * weight_sum`. An empty query yields `weight_sum = 1` and
    `acc = 2**(value_bits - 1)`, which is an output of zero.

    Memory, multiplier and accumulator are a pipeline that never stalls: a cycle without a key adds a weight of 0.
    A pass's last key therefore starts only when the divider behind it is free and no other last key is on the way.

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

        # Flags that travel with a key: stage 1 has its value, 2 its products, 3 its sums.
        flags = {"present": issued, "last": self.i.p.last, "is_empty": self.i.p.is_empty, "ends_query": ends_query}
        travelling = {name: [flag & issued] for name, flag in flags.items()}
        for name, stages in travelling.items():
            for stage in (1, 2, 3):
                register = Signal(name=f"{name}_{stage}")
                m.d.sync += register.eq(stages[-1])
                stages.append(register)
        last, is_empty = travelling["last"], travelling["is_empty"]
        m.d.comb += last_on_the_way.eq(last[1] | last[2] | last[3])

        weight_1 = Signal(spec.weight_bits)
        weight_2 = Signal(spec.weight_bits)
        m.d.sync += [weight_1.eq(Mux(issued, self.i.p.weight, 0)), weight_2.eq(weight_1)]

        # From a slice's last key to the next slice's first, sums start anew.
        restart = Signal(init=1)
        with m.If(travelling["present"][2]):
            m.d.sync += restart.eq(last[2])

        def accumulate(total: Signal, term, empty_total: int) -> None:
            start = Mux(is_empty[2], empty_total, 0)
            m.d.sync += total.eq(Mux(restart, start, total) + term)

        weight_sum = Signal(spec.weight_sum_bits, reset_less=True)
        accumulate(weight_sum, weight_2, 1)
        values = payload.offset_values(dims)(self.values.data)
        for n in range(dims.n_macs):
            product = Signal(spec.weight_bits + spec.value_bits, name=f"product_{n}", reset_less=True)
            acc = Signal(spec.acc_bits, name=f"acc_{n}", reset_less=True)
            m.d.sync += product.eq(weight_1 * values[n])
            accumulate(acc, product, 1 << (spec.value_bits - 1))
            m.d.comb += self.o.p.acc[n].eq(acc)
        m.d.comb += [
            self.o.valid.eq(last[3]),
            self.o.p.weight_sum.eq(weight_sum),
            self.o.p.is_empty.eq(is_empty[3]),
            self.o.p.last.eq(travelling["ends_query"][3]),
        ]
        return m
