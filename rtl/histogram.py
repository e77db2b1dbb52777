"""Selection by counting: a cumulative histogram finds the cut, a second look at the scores applies it."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl import payload
from hamming.rtl.agreement import Agreement, agreement_members
from hamming.rtl.cut import count_levels, find_cut, take_from_room
from hamming.rtl.dimensions import Dimensions
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

    One of several engines does not find the cut from its own counts: it is told by all of them (`Agreement`). The
    scores of `Dimensions.n_stored` queries are held meanwhile, and rows of another one wait.

    Parameters
    ----------
    dims
        Sizes of the engine, of one of several as of all together.

    Members
    -------
    i : In(stream of payload.levels)
    o : Out(stream of payload.kept_key)
    i_counts, o_counts, i_totals, o_totals : In, Out(streams), of several engines
        As of `Agreement`.
    o_max_level : Out(stream of level_bits), if the engine's results are partial
        Of each query, before its first key.

    Equals `golden.topk`.
    """

    i: stream.Interface
    o: stream.Interface
    o_max_level: stream.Interface

    def __init__(self, dims: Dimensions):
        self.whole = dims
        self.dims = dims = dims.part
        self.n_groups = dims.scan_groups(dims.spec.n_keys)
        members = {
            "i": In(stream.Signature(payload.levels(dims))),
            "o": Out(stream.Signature(payload.kept_key(dims))),
        }
        if dims.config.n_engines > 1:
            members |= agreement_members(self.whole)
        if dims.is_partial:
            members["o_max_level"] = Out(stream.Signature(dims.level_bits))
        super().__init__(members)

    def elaborate(self, platform) -> Module:
        m = Module()
        dims = self.dims
        row_width = dims.n_lanes * dims.level_bits
        # Two banks of stored levels: one is filled, the other scanned; of several engines more, which wait.
        m.submodules.scores = scores = DualPortMemory(
            WritePort(depth=dims.n_stored * self.n_groups, width=dims.scan_rows * row_width, granularity=row_width)
        )
        is_complete = Signal()  # a counted query waits for the scan
        handed_over = Signal()
        bank_bits = dims.n_stored.bit_length() - 1
        scan_bank = Signal(bank_bits, init=dims.n_stored - 1)
        # The next that the scan reads.
        if dims.reads_ahead:
            next_group = Signal(range(max(2, self.n_groups)))
        else:
            next_group = Signal(range(self.n_groups + 1), init=self.n_groups)

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
        bank = Signal(bank_bits)
        scan_bits = dims.scan_rows.bit_length() - 1
        group = row >> scan_bits
        is_alone = dims.config.n_engines == 1
        n_free = Signal(range(dims.n_stored + 1), init=dims.n_stored)  # banks of no query, of several engines
        has_bank = ~(handed_over & (bank != scan_bank)) if is_alone else (row != 0) | (n_free != 0)
        all_move = is_alone and dims.has_chains  # or none does: what says so is of few registers
        may_move = Signal()
        if all_move:
            m.d.comb += [
                may_move.eq((~is_complete | handed_over) & has_bank),
                self.i.ready.eq(may_move),
                row_moves.eq(here[-1] & may_move),
                counts_move.eq(counts_are_here & may_move),
            ]
        else:
            m.d.comb += [
                self.i.ready.eq(~here[0] | moves[0]),
                row_moves.eq(here[-1] & (~counts_are_here | counts_move) & has_bank),
                counts_move.eq(counts_are_here & (~is_complete | handed_over)),
            ]
        m.d.comb += [
            scores.write.addr.eq(Cat(bank, group)),
            scores.write.data.eq(counted.level.as_value().replicate(dims.scan_rows)),
        ]
        for r in range(dims.scan_rows):
            m.d.comb += scores.write.en[r].eq(row_moves & (row[:scan_bits] == r))
        with m.If(self.i.ready if dims.has_chains else self.i.valid & self.i.ready):
            m.d.sync += rows[0].eq(self.i.p)
        with m.If(self.i.ready):
            m.d.sync += here[0].eq(self.i.valid)
        for step in range(1, n_steps):
            room = may_move if all_move else ~here[step] | moves[step]
            m.d.comb += moves[step - 1].eq(here[step - 1] & room)
            with m.If(moves[step - 1] | moves[step]):
                m.d.sync += here[step].eq(moves[step - 1])
            with m.If(moves[step - 1]):
                m.d.sync += rows[step].eq(rows[step - 1])
        with m.If(row_moves):
            m.d.sync += [
                row.eq(Mux(counted.last, 0, row + 1)),
                bank.eq(bank ^ counted.last if is_alone else bank + counted.last),
                counts_are_last.eq(counted.last),
            ]
        with m.If(row_moves | counts_move):
            m.d.sync += counts_are_here.eq(row_moves)
        with m.If(counts_move & counts_are_last):
            m.d.sync += is_complete.eq(1)
        with m.Elif(handed_over):
            m.d.sync += is_complete.eq(0)

        counts = count_levels(m, dims, rows[0], [may_move] * n_steps if all_move else moves)
        room, is_full = take_from_room(m, dims, counts, counts_move, counts_are_last)
        if is_alone:
            cut = find_cut(m, dims, room, is_full)
            has_cut, scan_starts = is_complete, handed_over
        else:
            cut, has_cut, scan_starts = self._agree(m, Cat(*room, is_full), is_complete, handed_over)
        may_scan = has_cut & self.o_max_level.ready if dims.is_partial else has_cut
        is_over = scan_levels(m, dims, self.o, scores, cut, may_scan, scan_starts, scan_bank, next_group)
        if dims.is_partial:
            m.d.comb += [
                self.o_max_level.valid.eq(has_cut & is_over),
                self.o_max_level.payload.eq(cut["max_level"]),
            ]
        if not is_alone:
            is_scanning = Signal()
            m.d.sync += n_free.eq(n_free + (is_scanning & is_over) - (row_moves & (row == 0)))
            with m.If(scan_starts | is_over):
                m.d.sync += is_scanning.eq(scan_starts)
        return m

    def _agree(
        self, m: Module, counts: Value, is_complete: Signal, handed_over: Signal
    ) -> tuple[dict[str, Value], Value, Signal]:
        """Hand the counts over to the agreement; return the cut, whether it is there, and what says that it is used."""
        m.submodules.agreement = agreement = Agreement(self.whole)
        for name in agreement_members(self.whole):
            wiring.connect(m, wiring.flipped(getattr(self, name)), getattr(agreement, name))
        scan_starts = Signal()
        m.d.comb += [
            agreement.i.valid.eq(is_complete),
            agreement.i.payload.eq(counts),
            handed_over.eq(is_complete & agreement.i.ready),
            agreement.o.ready.eq(scan_starts),
        ]
        return {name: agreement.o.p[name] for name in payload.cut(self.whole).members}, agreement.o.valid, scan_starts
