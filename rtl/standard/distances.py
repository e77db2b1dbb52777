"""Where keys are selected: stored levels become what a selector takes, by their distance from the row's maximum."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl import payload
from hamming.rtl.memory import ReadPort
from hamming.rtl.standard.design import StandardDesign
from hamming.rtl.standard.scorer import score_port, scored_query

__all__ = ["Distances"]


class Distances(wiring.Component):
    """Reads a query's rows of levels once more, and hands on how near each key is to the query's maximum.

    A key that takes part has `len(weights) - distance`, 1 to `len(weights)`, others 0. A score takes thousands of
    values, its distance only as many as the table has entries, so that a selector by counting has few counters.

    * **Latency**: 2 cycles from the read of a row to its offer.
    * **Throughput**: a row a cycle, also from one query to the next.
    * A stall holds the row that is offered, and the one behind it.

    Parameters
    ----------
    design
        Sizes; its spec has a `top_k`.

    Members
    -------
    i : In(stream of scored_query)
        Taken with the read of its first row.
    scores : Out(ReadPort)
    o : Out(stream of rtl.payload.levels)
    """

    i: stream.Interface
    o: stream.Interface
    scores: wiring.PureInterface

    def __init__(self, design: StandardDesign):
        self.design = design
        port = score_port(design)
        super().__init__(
            {
                "i": In(stream.Signature(scored_query(design))),
                "scores": Out(ReadPort(depth=port.depth, width=port.width)),
                "o": Out(stream.Signature(payload.levels(design.kept))),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        design, spec = self.design, self.design.spec
        n_lanes, n_entries = design.n_lanes, len(spec.weights)

        # Read: the memory holds a row out until the next one is read.
        is_read = Signal()
        moves = Signal()
        reads = Signal()
        is_first = Signal()
        is_last = Signal()
        rows_left = Signal.like(self.i.p.last_row)
        address = Signal(range(design.score_rows))
        floor = Signal(signed(spec.level_bits + 1), reset_less=True)  # the level that is too far by one
        read_is_last = Signal(reset_less=True)
        can_read = ~is_read | moves
        m.d.comb += [
            moves.eq(is_read & (~self.o.valid | self.o.ready)),
            is_first.eq(rows_left == 0),
            is_last.eq(Mux(is_first, self.i.p.last_row == 0, rows_left == 1)),
            reads.eq(can_read & (~is_first | self.i.valid)),
            self.i.ready.eq(can_read & is_first),
            self.scores.addr.eq(address),
            self.scores.en.eq(reads),
        ]
        with m.If(can_read):
            m.d.sync += is_read.eq(reads)
        with m.If(reads):
            m.d.sync += [
                rows_left.eq(Mux(is_first, self.i.p.last_row, rows_left - 1)),
                address.eq(Mux(address == design.score_rows - 1, 0, address + 1)),
                read_is_last.eq(is_last),
            ]
            with m.If(is_first):
                m.d.sync += floor.eq(self.i.p.maximum - n_entries)

        # Subtract, and hold.
        levels, takes_part = self.scores.data[:-n_lanes], self.scores.data[-n_lanes:]
        row = Signal(self.o.p.shape(), reset_less=True)
        with m.If(~self.o.valid | self.o.ready):
            m.d.sync += self.o.valid.eq(is_read)
        with m.If(moves):
            m.d.sync += row.last.eq(read_is_last)
        for lane in range(n_lanes):
            above = Signal(signed(spec.level_bits + 2), name=f"above_{lane}")
            nearness = Signal(len(row.level[lane]), name=f"nearness_{lane}")
            m.d.comb += [
                above.eq(levels.word_select(lane, spec.level_bits) - floor),
                nearness.eq(Mux(above > 0, above, 1)),
            ]
            with m.If(moves):
                m.d.sync += row.level[lane].eq(Mux(takes_part[lane], nearness, 0))
        m.d.comb += self.o.p.eq(row)
        return m
