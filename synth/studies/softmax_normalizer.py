"""A block that the engine does not have, made of the engine's parts, to be set beside published softmax units."""

# Amaranth describes hardware with attributes and operators that exist at run time alone.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportGeneralTypeIssues=false, reportOperatorIssue=false

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.wiring import In, Out

from hamming.rtl import payload
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.normalizer import Normalizer
from hamming.rtl.softmax import SoftmaxTable

__all__ = ["SoftmaxNormalizer"]


class SoftmaxNormalizer(wiring.Component):
    """Softmax and normalisation, four keys a cycle: four tables, the sum of weights, an exactly rounded divider.

    The parts are the engine's. The numerators come from outside, as the weighted sum would bring them; the divider
    takes them one after the other.

    Members
    -------
    i : In(stream)
        `deficit` of four keys, `last` with a query's last four.
    acc : In
        Four numerators, of offset values as in `payload.sum_parts`, whole, there when a query's sum of weights is.
    o : Out(stream of payload.out_beat)
    """

    LANES = 4

    i: stream.Interface
    o: stream.Interface

    def __init__(self, dims: Dimensions):
        self.dims = dims
        deficits = ArrayLayout(unsigned(dims.spec.matches_bits), self.LANES)
        super().__init__(
            {
                "i": In(stream.Signature(StructLayout({"deficit": deficits, "last": unsigned(1)}))),
                "acc": In(ArrayLayout(unsigned(dims.spec.acc_bits), dims.n_macs)),
                "o": Out(stream.Signature(payload.out_beat(dims))),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.normalizer = normalizer = Normalizer(self.dims)
        wiring.connect(m, normalizer.o, wiring.flipped(self.o))
        tables = [SoftmaxTable(self.dims) for _ in range(self.LANES)]
        for lane, table in enumerate(tables):
            m.submodules[f"table_{lane}"] = table
            m.d.comb += [
                table.i.valid.eq(self.i.valid),
                table.i.p.deficit.eq(self.i.p.deficit[lane]),
                table.i.p.last.eq(self.i.p.last),
            ]

        weighted = tables[0].o
        weight_sum = Signal(self.dims.spec.weight_sum_bits)
        is_complete, taken = Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(tables[0].i.ready),
            taken.eq(weighted.valid & (~is_complete | normalizer.i.ready)),
            *(table.o.ready.eq(taken) for table in tables),
            normalizer.i.valid.eq(is_complete),
            Cat(normalizer.i.p.low, normalizer.i.p.offset).eq(weight_sum),
            normalizer.i.p.acc.eq(self.acc),
            normalizer.i.p.last.eq(1),
        ]
        restart = Signal(init=1)
        with m.If(normalizer.i.ready):
            m.d.sync += is_complete.eq(0)
        with m.If(taken):
            m.d.sync += [
                weight_sum.eq(Mux(restart, 0, weight_sum) + sum(table.o.p.weight for table in tables)),
                restart.eq(weighted.p.last),
                is_complete.eq(weighted.p.last),
            ]
        return m
