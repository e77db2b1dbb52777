"""Softmax: a kept key's weight, from the table."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from rtl import payload
from rtl.config import Dimensions

__all__ = ["SoftmaxTable"]


class SoftmaxTable(wiring.Component):
    """Looks up `weight = weights[deficit]`, with `deficit = max_matches - matches`.

    Scores are integers and the row's own maximum is the reference, so the table holds every value that the softmax's
    exponential can take: `exp(-2 * deficit * sigma_q * sigma_k / sqrt(d_head))` (HAD, arXiv 2502.01770), rounded
    to `weight_bits`. An empty query's weight is 0.

    `i.ready` is a register: what stalls the sums is not felt before it in the same cycle, and the key that comes
    meanwhile waits in a spare place.

    * **Latency**: 1 cycle.
    * **Throughput**: a key a cycle.

    Parameters
    ----------
    dims
        Sizes of the engine; `config.table` says whether the table is a ROM or loadable.

    Members
    -------
    i : In(stream of payload.replayed_key)
    i_weight : In(stream of payload.weight_entry), if the table is loadable
        Entries, in any order, all of them before the first query. Always ready. Deficits above `d_head` are not
        allowed.
    o : Out(stream of payload.weighted_key)

    Equals `golden.softmax`.
    """

    i: stream.Interface
    i_weight: stream.Interface
    o: stream.Interface

    def __init__(self, dims: Dimensions):
        self.dims = dims
        members = {
            "i": In(stream.Signature(payload.replayed_key(dims))),
            "o": Out(stream.Signature(payload.weighted_key(dims))),
        }
        if dims.config.table == "loadable":
            members["i_weight"] = In(stream.Signature(payload.weight_entry(dims)))
        super().__init__(members)

    def elaborate(self, platform) -> Module:
        m = Module()
        weight = Signal(self.dims.spec.weight_bits)
        if self.dims.config.table == "loadable":
            self._memory(m, weight)
        else:
            self._rom(m, weight)

        layout = payload.weighted_key(self.dims)
        found = Signal(layout)
        weighted = Signal(layout, reset_less=True)
        spare = Signal(layout, reset_less=True)
        has_spare = Signal()
        moves = Signal()
        m.d.comb += [
            found.weight.eq(Mux(self.i.p.is_empty, 0, weight)),
            found.index.eq(self.i.p.index),
            found.slice.eq(self.i.p.slice),
            found.is_empty.eq(self.i.p.is_empty),
            found.last.eq(self.i.p.last),
            self.o.p.eq(weighted),
            self.i.ready.eq(~has_spare),
            moves.eq(~self.o.valid | self.o.ready),
        ]
        with m.If(moves):
            m.d.sync += [
                self.o.valid.eq(self.i.valid | has_spare),
                weighted.eq(Mux(has_spare, spare, found)),
                has_spare.eq(0),
            ]
        with m.Elif(self.i.valid & ~has_spare):
            m.d.sync += [has_spare.eq(1), spare.eq(found)]
        return m

    def _rom(self, m: Module, weight: Signal) -> None:
        with m.Switch(self.i.p.deficit):
            for deficit, entry in enumerate(self.dims.spec.weights):
                with m.Case(deficit):
                    m.d.comb += weight.eq(entry)

    def _memory(self, m: Module, weight: Signal) -> None:
        m.submodules.table = table = Memory(shape=weight.shape(), depth=self.dims.spec.d_head + 1, init=[])
        write, read = table.write_port(), table.read_port(domain="comb")
        m.d.comb += [
            write.addr.eq(self.i_weight.p.index),
            write.data.eq(self.i_weight.p.weight),
            self.i_weight.ready.eq(1),
            write.en.eq(self.i_weight.valid),
            read.addr.eq(self.i.p.deficit),
            weight.eq(read.data),
        ]
