"""Merging partial results of engines that agreed on the cut: their sums add, and are divided once."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl import payload
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.division import Division
from hamming.rtl.short_queue import ShortQueue

__all__ = ["Merge", "PartialAdder"]


class PartialAdder(wiring.Component):
    """Adds an engine's partial results to those of the engines before it.

    * **Latency**: 1 cycle.
    * **Throughput**: a beat a cycle.
    * Each waits for the other; a stall holds both. Neither feels the stall in the same cycle (`ShortQueue`).

    Parameters
    ----------
    dims
        Sizes of all engines together.
    own
        Of the engine. None: as of all.

    Members
    -------
    i_before : In(stream of payload.partial)
        Of the engines before; of none, an empty one in every cycle.
    i : In(stream of payload.partial of one engine)
        The engine's own. Both have the maximum of all.
    o : Out(stream of payload.partial)
    """

    i_before: stream.Interface
    i: stream.Interface
    o: stream.Interface

    def __init__(self, dims: Dimensions, own: Dimensions | None = None):
        self.dims = dims
        super().__init__(
            {
                "i_before": In(stream.Signature(payload.partial(dims))),
                "i": In(stream.Signature(payload.partial(own or dims))),
                "o": Out(stream.Signature(payload.partial(dims))),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        layout = payload.partial(self.dims)
        m.submodules.sums = sums = ShortQueue(layout, depth=2)
        before, own, total = self.i_before, self.i, layout(sums.i.payload)
        m.d.comb += [
            sums.i.valid.eq(before.valid & own.valid),
            before.ready.eq(sums.i.ready & own.valid),
            own.ready.eq(sums.i.ready & before.valid),
            *(total.acc[n].eq(before.p.acc[n] + own.p.acc[n]) for n in range(self.dims.n_dividers)),
            total.weight_sum.eq(before.p.weight_sum + own.p.weight_sum),
            total.max_level.eq(own.p.max_level),
            total.is_empty.eq(before.p.is_empty & own.p.is_empty),
            total.last.eq(own.p.last),
        ]
        wiring.connect(m, sums.o, wiring.flipped(self.o))
        return m


class Merge(wiring.Component):
    """Joins the partial results of any number of engines that agreed, and divides once.

    The result is what one engine over all keys gives, to the bit, if each scanned against its share of the common cut,
    and weighed against the common maximum (`golden.parts.agree`).

    * **Latency**: `n_parts` cycles more than the division's.
    * **Throughput**: a beat a cycle.
    * Each part waits for the others.

    Parameters
    ----------
    dims
        Sizes of all engines together.
    n_parts
        Engines, 2 or more.

    Members
    -------
    i_0, i_1, ... : In(stream of payload.partial)
    o : Out(stream of payload.out_beat)

    Equals `golden.parts.merge`.
    """

    o: stream.Interface

    def __init__(self, dims: Dimensions, n_parts: int):
        if n_parts < 2:
            raise ValueError(f"n_parts must be 2 or more, not {n_parts}")
        self.dims = dims
        self.n_parts = n_parts
        parts = {f"i_{n}": In(stream.Signature(payload.partial(dims))) for n in range(n_parts)}
        super().__init__(parts | {"o": Out(stream.Signature(payload.out_beat(dims)))})

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.division = division = Division(self.dims)
        before = wiring.flipped(self.i_0)  # type: ignore[attr-defined]
        for n in range(1, self.n_parts):
            m.submodules[f"adder_{n}"] = adder = PartialAdder(self.dims)
            wiring.connect(m, before, adder.i_before)
            wiring.connect(m, wiring.flipped(getattr(self, f"i_{n}")), adder.i)
            before = adder.o
        wiring.connect(m, before, division.i)
        wiring.connect(m, division.o, wiring.flipped(self.o))
        return m
