"""Selection by counting: a cumulative histogram finds the cut, a second look at the scores applies it."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl import payload
from hamming.rtl.config import Dimensions
from hamming.rtl.cut import count_levels, find_cut
from hamming.rtl.memory import DualPortMemory, WritePort
from hamming.rtl.scan import scan_levels

__all__ = ["HistogramSelector"]


class HistogramSelector(wiring.Component):
    """Keeps the `top_k` keys of most matches, the lower index first among equals, whatever `top_k` is.

    A level takes only `d_head + 2` values, so nothing needs sorting. While rows come in and are stored, a counter for
    each level `t` counts keys at or above it: `count[t]`, as the room that it leaves, `top_k - 1 - count[t]`, until
    that is used up and the level is *full*. At the query's end

    * the cut is the highest full level (1 if none is): keys above it are kept;
    * of the keys at the cut the first `quota = top_k - count[cut + 1]` are kept.

    Then the stored levels are scanned in the order of their index, `scan_rows` rows at a time, and kept keys come
    out one a cycle, while the next query is counted. Exact, as the counts are.

    Both halves are pipelines. A row is registered, its keys are counted level by level, in several steps if the lanes
    are many, and it is stored with the last; the counts are taken from the room. A group of rows is read, compared with
    the cut, and then gives its kept keys.

    * **Order**: rising index.
    * **Latency**: `6 + count_stages` cycles from a query's last row to the first kept key, if the first group of rows
      has one; each group without one adds a cycle.
    * **Throughput**: a row a cycle; a query takes at most `groups + kept` cycles of scan, overlapped with the next
      query's rows.
    * A stall at the output holds the scan; rows are held when the next query is counted and the scan of the one before
      is not over.

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
        self.n_groups = dims.scan_groups(dims.spec.n_keys)
        super().__init__(
            {
                "i": In(stream.Signature(payload.levels(dims))),
                "o": Out(stream.Signature(payload.kept_key(dims))),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        dims = self.dims
        row_width = dims.n_lanes * dims.level_bits
        # Two banks of stored levels: one is filled, the other scanned.
        m.submodules.scores = scores = DualPortMemory(
            WritePort(depth=2 * self.n_groups, width=dims.scan_rows * row_width, granularity=row_width)
        )
        is_complete = Signal()  # a counted query waits for the scan
        handed_over = Signal()
        scan_bank = Signal(init=1)
        next_group = Signal(range(self.n_groups + 1), init=self.n_groups)  # the next that the scan reads

        # A row arrives, goes with its count, and is stored as it moves on to the room. No more than a query's first row
        # can do so while the query before waits for the scan: its bank is that of a query of which the scan has read
        # the first group, unless the query between them is a single row, and the scan is about to.
        n_steps = dims.count_stages + 1
        here = [Signal(name=f"row_is_here_{step}") for step in range(n_steps)]
        moves = [Signal(name=f"row_moves_{step}") for step in range(n_steps)]
        rows = [Signal(self.i.p.shape(), name=f"row_{step}", reset_less=True) for step in range(n_steps)]
        counted, row_moves = rows[-1], moves[-1]
        counts_move = Signal()
        counts_are_here = Signal()
        counts_are_last = Signal(reset_less=True)
        row = Signal(range(max(2, dims.n_rows)))
        bank = Signal()
        scan_bits = dims.scan_rows.bit_length() - 1
        group = row >> scan_bits
        m.d.comb += [
            self.i.ready.eq(~here[0] | moves[0]),
            row_moves.eq(here[-1] & (~counts_are_here | counts_move) & ~(handed_over & (bank != scan_bank))),
            counts_move.eq(counts_are_here & (~is_complete | handed_over)),
            scores.write.addr.eq(Cat(bank, group)),
            scores.write.data.eq(counted.level.as_value().replicate(dims.scan_rows)),
        ]
        for r in range(dims.scan_rows):
            m.d.comb += scores.write.en[r].eq(row_moves & (row[:scan_bits] == r))
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += rows[0].eq(self.i.p)
        with m.If(self.i.ready):
            m.d.sync += here[0].eq(self.i.valid)
        for step in range(1, n_steps):
            m.d.comb += moves[step - 1].eq(here[step - 1] & (~here[step] | moves[step]))
            with m.If(moves[step - 1] | moves[step]):
                m.d.sync += here[step].eq(moves[step - 1])
            with m.If(moves[step - 1]):
                m.d.sync += rows[step].eq(rows[step - 1])
        with m.If(row_moves):
            m.d.sync += [
                row.eq(Mux(counted.last, 0, row + 1)),
                bank.eq(bank ^ counted.last),
                counts_are_last.eq(counted.last),
            ]
        with m.If(row_moves | counts_move):
            m.d.sync += counts_are_here.eq(row_moves)
        with m.If(counts_move & counts_are_last):
            m.d.sync += is_complete.eq(1)
        with m.Elif(handed_over):
            m.d.sync += is_complete.eq(0)

        counts = count_levels(m, dims, rows[0], moves)
        cut = find_cut(m, dims, counts, counts_move, counts_are_last)
        scan_levels(m, dims, self.o, scores, cut, is_complete, handed_over, scan_bank, next_group)
        return m
