"""Agreement: engines that hold ranges of keys tell each other their counts, and each finds its share of the cut."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl import payload
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.fifo import Fifo
from hamming.rtl.short_queue import ShortQueue

__all__ = ["Agreement", "agreement_members", "own_places"]


def agreement_members(dims: Dimensions) -> dict[str, wiring.Member]:
    """Return the streams by which engines agree, as members of an engine."""
    counts, totals = stream.Signature(payload.counts(dims)), stream.Signature(payload.totals(dims))
    return {"i_counts": In(counts), "o_counts": Out(counts), "i_totals": In(totals), "o_totals": Out(totals)}


def own_places(dims: Dimensions) -> int:
    """Return how many counts of an engine can be on their way to the first engine and back."""
    return 2 * dims.config.n_engines + 6


class Agreement(wiring.Component):
    """Sends a query's counts along the chain, and finds from the totals that come back what this engine keeps.

    Counts of keys at or above a level go from the last engine to the first, a level a beat, the highest first; each
    engine adds its own. What leaves the first one are the totals, which come back to it and go from engine to engine
    to the last, and beside them the counts of the engines before. With `K = top_k`, above which no count goes, and at
    a level `t`, `T[t]` the total, `B[t]` the count of those before, `C[t]` the engine's own:

    * the cut is the highest level with `T = K`, or 1;
    * `K - T[cut + 1]` keys at it are kept by all, of which those before take `B[cut] - B[cut + 1]`;
    * the engine takes as many of the rest as it has, `C[cut] - C[cut + 1]`.

    No count above the cut is `K`, so that they are exact; one at the cut is less than it should be only where it is
    more than what is left to keep.

    * **Latency**: of a beat of counts and of totals 1 cycle each; 2 cycles from the last total to the cut.
    * **Throughput**: a query every `d_head + 1` cycles.
    * A stall holds all before it; no neighbour feels it in the same cycle (`ShortQueue`). `own_places` counts can be on
      their way and back.

    Parameters
    ----------
    dims
        Sizes of all engines together.

    Members
    -------
    i : In(stream of (1 + room_bits) * (d_head + 1) bits)
        Of a query, bit-sliced over the levels from 1 up: the engine's room, `min(top_k, own keys) - 1 - count`, bit by
        bit, and whether the level is full.
    i_counts, o_counts : In, Out(stream of payload.counts)
        From the engine behind this one, zeros if there is none; and to the one before.
    i_totals, o_totals : In, Out(stream of payload.totals)
        From the engine before this one, of the first its own `o_counts`, with nothing before; and to the one behind.
    o : Out(stream of payload.cut)

    Equals `golden.parts.agree`.
    """

    i: stream.Interface
    i_counts: stream.Interface
    o_counts: stream.Interface
    i_totals: stream.Interface
    o_totals: stream.Interface
    o: stream.Interface

    def __init__(self, dims: Dimensions):
        self.dims = dims
        self.own_most = dims.part.spec.top_k
        self.own_bits = self.own_most.bit_length()
        self.room_bits = (self.own_most - 1).bit_length()
        super().__init__(
            {
                "i": In(stream.Signature((1 + self.room_bits) * (dims.spec.d_head + 1))),
                **agreement_members(dims),
                "o": Out(stream.Signature(payload.cut(dims))),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.own = own = Fifo(self.own_bits, depth=own_places(self.dims))
        self._send(m, own.i)
        self._find(m, own.o)
        return m

    def _sum(self, a: Value, b: Value) -> Value:
        """Add counts, of which none is above `top_k`."""
        total = a + b
        return Mux(total > self.dims.spec.top_k, self.dims.spec.top_k, total)

    def _send(self, m: Module, own: stream.Interface) -> None:
        """Give out the counts, level by level, with those of the engines behind; keep the own until totals are here."""
        n_levels = self.dims.spec.d_head + 1
        words = [Signal(n_levels, name=f"word_{b}", reset_less=True) for b in range(1 + self.room_bits)]
        n_left = Signal(range(n_levels + 1))
        m.submodules.counts = queue = ShortQueue(payload.counts(self.dims), depth=3)  # `own` takes 2 cycles
        wiring.connect(m, queue.o, wiring.flipped(self.o_counts))
        room = Cat(word[-1] for word in words[:-1])
        count = Signal(self.own_bits)
        has_place = Signal()
        sends = Signal()
        m.d.comb += [
            count.eq(Mux(words[-1][-1], self.own_most, self.own_most - 1 - room)),
            has_place.eq((n_left != 0) & own.ready & queue.i.ready),
            sends.eq(has_place & self.i_counts.valid),
            queue.i.valid.eq(sends),
            queue.i.p.count.eq(self._sum(self.i_counts.p.count, count)),
            self.i_counts.ready.eq(has_place),
            own.valid.eq(sends),
            own.payload.eq(count),
            self.i.ready.eq((n_left == 0) | ((n_left == 1) & sends)),
        ]
        with m.If(sends):
            m.d.sync += n_left.eq(n_left - 1)
            m.d.sync += [word.eq(word << 1) for word in words]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += n_left.eq(n_levels)
            m.d.sync += [word.eq(self.i.payload.word_select(b, n_levels)) for b, word in enumerate(words)]

    def _find(self, m: Module, own: stream.Interface) -> None:
        """Take the totals, level by level; pass them on, and find the cut."""
        dims, top_k = self.dims, self.dims.spec.top_k
        n_levels = dims.spec.d_head + 1
        bits = top_k.bit_length()
        given = self.i_totals.p
        level = Signal(dims.level_bits, init=n_levels)
        is_first = Signal()
        ends = Signal()
        has_place = Signal()
        takes = Signal()
        m.submodules.totals = queue = ShortQueue(payload.totals(dims), depth=2)
        wiring.connect(m, queue.o, wiring.flipped(self.o_totals))
        found_moves = Signal()
        is_found = Signal()  # all of a query is known, and waits
        m.d.comb += [
            is_first.eq(level == n_levels),
            ends.eq(level == 1),
            has_place.eq(own.valid & queue.i.ready & (~is_found | found_moves)),
            takes.eq(has_place & self.i_totals.valid),
            self.i_totals.ready.eq(has_place),
            own.ready.eq(takes),
            queue.i.valid.eq(takes),
            queue.i.p.total.eq(given.total),
            queue.i.p.before.eq(self._sum(given.before, own.payload)),
        ]
        with m.If(takes):
            m.d.sync += level.eq(Mux(ends, n_levels, level - 1))

        # The counts of the level above, and what is at the cut.
        above = {name: Signal(bits, name=f"{name}_above", reset_less=True) for name in ("total", "before", "own")}
        now = {"total": given.total, "before": given.before, "own": own.payload}
        is_cut = Signal()
        has_cut = Signal(reset_less=True)
        max_level = Signal(dims.level_bits, reset_less=True)
        cut_level = Signal(dims.level_bits, reset_less=True)
        kept_above, at_cut, before_at_cut, quota = (
            Signal(bits, name=name, reset_less=True) for name in ("kept_above", "at_cut", "before_at_cut", "quota")
        )
        before = {name: Mux(is_first, 0, word) for name, word in above.items()}
        m.d.comb += is_cut.eq((is_first | ~has_cut) & ((given.total == top_k) | ends))
        with m.If(takes):
            m.d.sync += [word.eq(now[name]) for name, word in above.items()]
            m.d.sync += has_cut.eq(is_cut | (has_cut & ~is_first))
            with m.If(before["total"] == 0):
                m.d.sync += max_level.eq(Mux(given.total != 0, level, 0))
            with m.If(is_cut):
                m.d.sync += [
                    cut_level.eq(level),
                    quota.eq(top_k - before["total"]),
                    kept_above.eq(before["own"]),
                    at_cut.eq(now["own"] - before["own"]),
                    before_at_cut.eq(now["before"] - before["before"]),
                ]
        with m.If(takes | found_moves):
            m.d.sync += is_found.eq(takes & ends)

        # What those before leave, and how many that makes.
        result = Signal(payload.cut(dims), reset_less=True)
        has_result = Signal()
        left = Signal(bits)
        share = Signal(bits)
        m.d.comb += [
            found_moves.eq(is_found & ~has_result),  # whatever takes the result is not felt in the same cycle
            left.eq(Mux(before_at_cut < quota, quota - before_at_cut, 0)),
            share.eq(Mux(at_cut < left, at_cut, left)),
            self.o.valid.eq(has_result),
            self.o.p.eq(result),
        ]
        with m.If(found_moves | self.o.ready):
            m.d.sync += has_result.eq(found_moves)
        with m.If(found_moves):
            m.d.sync += [
                result.level.eq(cut_level),
                result.max_level.eq(max_level),
                result.quota.eq(share),
                result.n_kept.eq(kept_above + share),
            ]
