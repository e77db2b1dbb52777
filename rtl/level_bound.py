"""A level that enough keys of a query reach, from its rows alone."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl import payload
from hamming.rtl.dimensions import Dimensions

__all__ = ["LevelBound"]


class LevelBound(wiring.Component):
    """The lowest of `top_k` maxima, each of other lanes: as many keys as are kept reach it, so no later one at it is.

        bound = min(max(levels of lanes g and g + top_k, in all rows so far) for g < top_k)

    Lanes from `2 * top_k` on are not looked at. A list says of its tail what is exact, once it has taken the rows in;
    this is known of rows that still wait.

    * **Latency**: 2 cycles. 0 after the last row of a query.

    Parameters
    ----------
    dims
        Sizes of the engine, of `top_k` lanes at least.

    Members
    -------
    row : In(payload.levels)
    taken : In(1)
        Whether the row counts.
    bound : Out(level_bits)
        Keys of this level or below are not kept, of the rows that follow.
    """

    row: Value
    taken: Signal
    bound: Signal

    def __init__(self, dims: Dimensions):
        self.dims = dims
        super().__init__(
            {"row": In(payload.levels(dims)), "taken": In(1), "bound": Out(dims.level_bits)},
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        n_groups, level_bits = self.dims.spec.top_k, self.dims.level_bits
        ends = Signal()
        m.d.comb += ends.eq(self.taken & self.row.last)
        found: list[Value] = []
        for group in range(n_groups):
            levels = [self.row.level[lane] for lane in (group, group + n_groups) if lane < self.dims.n_lanes]
            best = Signal(level_bits, name=f"best_{group}")
            most = Signal(level_bits, name=f"most_{group}")
            m.d.comb += best.eq(levels[0] if len(levels) == 1 else Mux(levels[1] > levels[0], levels[1], levels[0]))
            with m.If(ends | (self.taken & (best > most))):
                m.d.sync += most.eq(Mux(ends, 0, best))
            found.append(most)
        while len(found) > 1:
            pairs = zip(found[::2], found[1::2], strict=False)
            found = [Mux(one < other, one, other) for one, other in pairs] + found[len(found) // 2 * 2 :]
        m.d.sync += self.bound.eq(Mux(ends, 0, found[0]))
        return m
