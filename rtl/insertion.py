"""Selection by a sorted list of `top_k` cells: one pass, no stored scores, for small `top_k`."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl import payload
from hamming.rtl.choice import Choice
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.waiting_rows import WaitingRows

__all__ = ["InsertionSelector"]


class InsertionSelector(wiring.Component):
    """Keeps the `top_k` keys of most matches, the lower index first among equals, in a sorted shift register.

    A key goes in behind every kept key of the same level or a higher one, and what falls out at the tail is dropped.
    When a query ends, its cells turn *old*: they leave through the tail, one a cycle, while the next query's keys go
    in before them. Area grows with `top_k`.

    With `waiting_rows` the rows that bring a key wait in a queue (`WaitingRows`), so that others go on meanwhile, and a
    key is chosen a cycle before it goes in (`Choice`). Whether a key ranks is then said of the list of some cycles ago:
    more go in, of which what does not rank falls out at the tail.

    * **Order**: lowest rank first.
    * **Latency**: from a query's end to its first kept key, 1 cycle and one more for each cell that stayed empty. After
      a reset, `top_k` cycles pass until the first query's keys can have reached the tail. With `waiting_rows` 3 more.
    * **Throughput**: a row a cycle if one lane at most brings a key that ranks among the kept; each further
      one holds the row for a cycle, or, with `waiting_rows`, takes one more of the queue's cycles, which takes a row
      in each while it has room. A query takes `top_k` cycles at least.
    * A stall at the output holds rows that bring a key, and the end of the query; others go on. With `waiting_rows` it
      is felt as soon as no more may wait.

    Parameters
    ----------
    dims
        Sizes of the engine.

    Members
    -------
    i : In(stream of payload.levels)
    o : Out(stream of payload.kept_key)

    Equals `golden.topk`.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, dims: Dimensions):
        self.dims = dims
        super().__init__(
            {
                "i": In(stream.Signature(payload.levels(dims))),
                "o": Out(stream.Signature(payload.kept_key(dims))),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        n_cells = self.dims.spec.top_k
        level = [Signal(self.dims.level_bits, name=f"level_{c}", reset_less=True) for c in range(n_cells)]
        index = [Signal(self.dims.spec.index_bits, name=f"index_{c}", reset_less=True) for c in range(n_cells)]
        is_old = [Signal(name=f"is_old_{c}", init=1) for c in range(n_cells)]
        max_level = Signal(self.dims.level_bits, reset_less=True)

        # The tail leaves. What the cells hold after a reset leaves unseen, while the first query comes in.
        is_first_query = Signal(init=1)
        is_last_old = ~is_old[-2] if n_cells > 1 else 1
        must_give = Signal()
        may_shift = Signal()
        m.d.comb += [
            must_give.eq(is_old[-1] & ~is_first_query & ((level[-1] != 0) | is_last_old)),
            may_shift.eq(~must_give | self.o.ready),
            self.o.valid.eq(must_give),
            self.o.p.index.eq(index[-1]),
            self.o.p.deficit.eq(max_level - level[-1]),
            self.o.p.last.eq(is_last_old),
            self.o.p.is_empty.eq(level[-1] == 0),
        ]

        # A key comes in, or an empty cell, behind which old cells leave.
        may_end = Signal()
        ends_query = Signal()
        if self.dims.waiting_rows:
            source = self._chosen(m, is_old[-1], level[-1], ends_query)
            has_key, ends_row = source.valid & source.p.has_key, 1
            new_level, new_index = source.p.level, source.p.index
        else:
            source = self.i
            has_key, ends_row, new_level, new_index = self._candidate(m, is_old[-1], level[-1], may_shift)
        inserts = Signal()
        shifts = Signal()
        m.d.comb += [
            may_end.eq(~is_old[-1] | (is_last_old & may_shift)),
            inserts.eq(has_key & ~(ends_row & source.p.last & ~may_end)),
            shifts.eq(may_shift & (is_old[-1] | inserts)),
            source.ready.eq(ends_row & (~has_key | may_shift) & (~source.p.last | may_end)),
            ends_query.eq(source.valid & source.ready & source.p.last),
        ]
        inserted_level = Signal(self.dims.level_bits)
        inserted_index = Signal(self.dims.spec.index_bits)
        m.d.comb += [inserted_level.eq(Mux(inserts, new_level, 0)), inserted_index.eq(Mux(inserts, new_index, 0))]

        stays = [Signal(name=f"stays_{c}") for c in range(n_cells)]
        for c in range(n_cells):
            m.d.comb += stays[c].eq(~shifts | (~is_old[c] & (level[c] >= inserted_level)))
            previous_stays = stays[c - 1] if c else 1
            with m.If(~stays[c]):
                with m.If(previous_stays):
                    m.d.sync += [level[c].eq(inserted_level), index[c].eq(inserted_index), is_old[c].eq(0)]
                with m.Else():
                    m.d.sync += [level[c].eq(level[c - 1]), index[c].eq(index[c - 1]), is_old[c].eq(is_old[c - 1])]
            with m.If(ends_query):
                m.d.sync += is_old[c].eq(1)
        with m.If(ends_query):
            m.d.sync += is_first_query.eq(0)
            m.d.sync += max_level.eq(Mux(stays[0], level[0], inserted_level))
        return m

    def _chosen(self, m: Module, tail_is_old, tail_level: Signal, ends_query: Signal) -> stream.Interface:
        """Let rows wait, and choose of their keys; return the stream of keys."""
        floor = Signal(self.dims.level_bits)
        m.submodules.waiting = waiting = WaitingRows(self.dims)
        m.submodules.choice = choice = Choice(self.dims)
        wiring.connect(m, wiring.flipped(self.i), waiting.i)
        wiring.connect(m, waiting.o, choice.i)
        m.d.comb += [
            floor.eq(Mux(tail_is_old, 0, tail_level)),
            waiting.floor.eq(floor),
            choice.floor.eq(floor),
            waiting.ends_query.eq(ends_query),
        ]
        return choice.o

    def _candidate(self, m: Module, tail_is_old, tail_level: Signal, may_shift: Signal):
        """Pick the row's first key that ranks among the kept and is not in yet.

        Returns whether there is one, whether it is the row's last, its level and its index.
        """
        n_lanes, lane_bits = self.dims.n_lanes, self.dims.lane_bits
        row = Signal(self.dims.spec.index_bits - lane_bits)
        taken = Signal(n_lanes)  # lanes of this row that are in already
        ranks = Signal(n_lanes)
        pick = Signal(n_lanes)
        rest = Signal(n_lanes)
        for lane in range(n_lanes):
            level = self.i.p.level[lane]
            m.d.comb += ranks[lane].eq((level != 0) & (tail_is_old | (level > tail_level)) & ~taken[lane])
        m.d.comb += [pick.eq(ranks & (~ranks + 1)), rest.eq(ranks & ~pick)]

        new_level = Signal(self.dims.level_bits)
        lane_number = Signal(lane_bits)
        has_key = Signal()
        ends_row = Signal()
        m.d.comb += [has_key.eq(self.i.valid & ranks.any()), ends_row.eq(rest == 0)]
        for lane in range(n_lanes):
            with m.If(pick[lane]):
                m.d.comb += [new_level.eq(self.i.p.level[lane]), lane_number.eq(lane)]

        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [taken.eq(0), row.eq(Mux(self.i.p.last, 0, row + 1))]
        with m.Elif(has_key & ~ends_row & may_shift):
            m.d.sync += taken.eq(taken | pick)
        return has_key, ends_row, new_level, Cat(lane_number, row)
