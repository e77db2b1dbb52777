"""Selection by counting: a cumulative histogram finds the cut, a second look at the scores applies it."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from rtl import payload
from rtl.config import Dimensions
from rtl.memory import DualPortMemory, WritePort
from rtl.popcount import count_ones

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

    * **Order**: rising index.
    * **Latency**: 2 cycles from a query's last row to the first kept key, if the first group of rows has one; each
      group without one adds a cycle.
    * **Throughput**: a row a cycle; a query takes at most `groups + kept - 1` cycles of scan, overlapped with the
      next query's rows.
    * A stall at the output holds the scan; rows are held only when the next query is complete and the scan is not.

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
        self.n_levels = dims.spec.d_head + 1
        super().__init__(
            {
                "i": In(stream.Signature(payload.levels(dims))),
                "o": Out(stream.Signature(payload.kept_key(dims))),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        dims = self.dims
        n_groups = dims.scan_groups(dims.spec.n_keys)
        row_width = dims.n_lanes * dims.level_bits
        n_scores = dims.scan_rows * dims.n_lanes
        scan_bits = dims.scan_rows.bit_length() - 1

        # Two banks of stored levels: one is filled, the other scanned.
        m.submodules.scores = scores = DualPortMemory(
            WritePort(depth=2 * n_groups, width=dims.scan_rows * row_width, granularity=row_width)
        )
        bank = Signal()
        is_complete = Signal()  # a counted query waits for the scan
        scan_is_free = Signal()
        taken, handed_over = Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(~is_complete | scan_is_free),
            taken.eq(self.i.valid & self.i.ready),
            handed_over.eq(is_complete & scan_is_free),
        ]
        row = Signal(range(max(2, dims.n_rows)))
        is_first = Signal(init=1)
        with m.If(taken):
            m.d.sync += [row.eq(Mux(self.i.p.last, 0, row + 1)), is_first.eq(self.i.p.last)]
            m.d.sync += bank.eq(bank ^ self.i.p.last)
        with m.If(taken & self.i.p.last):
            m.d.sync += is_complete.eq(1)
        with m.Elif(handed_over):
            m.d.sync += is_complete.eq(0)
        m.d.comb += [
            scores.write.addr.eq(Cat(bank, row >> scan_bits)),
            scores.write.data.eq(self.i.p.level.as_value().replicate(dims.scan_rows)),
        ]
        for r in range(dims.scan_rows):
            m.d.comb += scores.write.en[r].eq(taken & (row[:scan_bits] == r))

        cut = self._count(m, taken, is_first)

        # Scan.
        is_scanning = Signal()
        scan_bank = Signal(reset_less=True)
        group = Signal(range(max(2, n_groups)))
        done = Signal(n_scores)  # positions of this group that are out already
        scanned = {name: Signal.like(value, name=f"scan_{name}", reset_less=True) for name, value in cut.items()}
        quota, n_left = scanned["quota"], scanned["n_kept"]
        # Bit-sliced across the positions: word b holds bit b of every stored level.
        levels = [Signal(n_scores, name=f"stored_level_{b}") for b in range(dims.level_bits)]
        stored = [Signal(dims.level_bits, name=f"stored_{p}") for p in range(n_scores)]
        for p, level in enumerate(stored):
            m.d.comb += level.eq(scores.read.data.word_select(p, dims.level_bits))
        for b, word in enumerate(levels):
            m.d.comb += word.eq(Cat(level[b] for level in stored))
        is_above, is_equal = _compare(m, levels, scanned["level"])
        above, equal, todo, pick, rest = (Signal(n_scores, name=n) for n in ("above", "equal", "todo", "pick", "rest"))
        pick_is_equal, is_empty, gives, may_step, ends_scan = Signal(), Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            above.eq(is_above),
            equal.eq(is_equal),
            todo.eq((above | Mux(quota != 0, equal, 0)) & ~done),
            pick.eq(todo & (~todo + 1)),
            pick_is_equal.eq((pick & equal).any()),
            rest.eq((above | Mux(quota > pick_is_equal, equal, 0)) & ~done & ~pick),
            is_empty.eq(n_left == 0),
            gives.eq(is_scanning & (todo.any() | is_empty)),
            may_step.eq(is_scanning & (~gives | self.o.ready)),
            ends_scan.eq(gives & self.o.ready & self.o.p.last),
            scan_is_free.eq(~is_scanning | ends_scan),
        ]
        m.d.comb += [
            self.o.valid.eq(gives),
            self.o.p.index.eq(Cat(_select(pick, _numbers(range(n_scores))), group)),
            self.o.p.deficit.eq(scanned["max_level"] - _select(pick, levels)),
            self.o.p.is_empty.eq(is_empty),
            self.o.p.last.eq(n_left <= 1),
        ]
        next_group = Signal.like(group)
        m.d.comb += [
            next_group.eq(Mux(handed_over, 0, group + 1)),
            scores.read.addr.eq(Cat(Mux(handed_over, ~bank, scan_bank), next_group)),
            scores.read.en.eq(handed_over | (may_step & (rest == 0))),
        ]
        with m.If(handed_over):
            m.d.sync += [is_scanning.eq(1), scan_bank.eq(~bank), group.eq(0), done.eq(0)]
            m.d.sync += [scanned[name].eq(value) for name, value in cut.items()]
        with m.Elif(ends_scan):
            m.d.sync += is_scanning.eq(0)
        with m.Elif(may_step):
            with m.If(gives):
                m.d.sync += [quota.eq(quota - pick_is_equal), n_left.eq(n_left - 1)]
            with m.If(rest == 0):
                m.d.sync += [group.eq(next_group), done.eq(0)]
            with m.Else():
                m.d.sync += done.eq(done | pick)
        return m

    def _count(self, m: Module, taken: Signal, is_first: Signal) -> dict[str, Signal]:
        """Count a query's levels; return the cut that follows from the counters, each value once a query ends.

        Everything is bit-sliced across the levels: bit `t - 1` of each word belongs to level `t`.
        """
        spec, n_levels = self.dims.spec, self.n_levels
        top_k = spec.top_k
        reached = []
        for lane in range(self.dims.n_lanes):
            word = Signal(n_levels, name=f"reached_{lane}")
            m.d.comb += word.eq(_thermometer(m, self.i.p.level[lane], f"thermometer_{lane}"))
            reached.append(word)
        counts = count_ones(m, reached, n_levels, name="reached")

        room_bits = (top_k - 1).bit_length()
        room = [Signal(n_levels, name=f"room_{b}", reset_less=True) for b in range(room_bits)]
        is_full = Signal(n_levels, reset_less=True)
        borrow: Value = Const(0, n_levels)
        for b in range(max(room_bits, len(counts))):
            start = Const(2**n_levels - 1 if (top_k - 1) >> b & 1 else 0, n_levels)
            left = Signal(n_levels, name=f"left_{b}")
            used = Signal(n_levels, name=f"used_{b}")
            m.d.comb += left.eq(Mux(is_first, start, room[b]) if b < room_bits else 0)
            m.d.comb += used.eq(counts[b] if b < len(counts) else 0)
            if b < room_bits:
                with m.If(taken):
                    m.d.sync += room[b].eq(left ^ used ^ borrow)
            next_borrow = Signal(n_levels, name=f"borrow_{b}")
            m.d.comb += next_borrow.eq((~left & used) | (~(left ^ used) & borrow))
            borrow = next_borrow
        with m.If(taken):
            m.d.sync += is_full.eq(Mux(is_first, 0, is_full) | borrow)

        # Both are thermometer codes, since a key at or above a level is at or above every lower one.
        has_key = Signal(n_levels)
        untouched = Const(2**n_levels - 1, n_levels)
        for b in range(room_bits):
            untouched = untouched & (room[b] if (top_k - 1) >> b & 1 else ~room[b])
        m.d.comb += has_key.eq(is_full | ~untouched)
        at_cut, at_max = Signal(n_levels), Signal(n_levels)
        m.d.comb += [
            at_cut.eq((is_full | 1) & ~(is_full >> 1)),
            at_max.eq(has_key & ~(has_key >> 1)),
        ]
        numbers = _numbers(range(1, n_levels + 1))
        room_above = [Cat(word[1:], (top_k - 1) >> b & 1) for b, word in enumerate(room)]
        kept_bits = top_k.bit_length()
        cut = {
            "level": Signal(self.dims.level_bits, name="cut_level"),
            "quota": Signal(kept_bits, name="cut_quota"),
            "max_level": Signal(self.dims.level_bits, name="cut_max_level"),
            "n_kept": Signal(kept_bits, name="cut_n_kept"),
        }
        m.d.comb += [
            cut["level"].eq(_select(at_cut, numbers)),
            cut["quota"].eq(_select(at_cut, room_above) + 1),
            cut["max_level"].eq(_select(at_max, numbers)),
            cut["n_kept"].eq(Mux(is_full[0], top_k, top_k - 1 - Cat(word[0] for word in room))),
        ]
        return cut


def _numbers(numbers: Sequence[int]) -> list[Value]:
    """Return constants, bit-sliced: position `p` of word `b` is bit `b` of `numbers[p]`."""
    return [
        Const(sum((number >> b & 1) << p for p, number in enumerate(numbers)), len(numbers))
        for b in range(max(numbers).bit_length())
    ]


def _select(one_hot: Value, words: Sequence[Value]) -> Value:
    """Return the bit-sliced number at the position whose bit of `one_hot` is 1 (0 if there is none)."""
    return Cat((word & one_hot).any() for word in words)


def _compare(m: Module, words: Sequence[Value], other: Value) -> tuple[Value, Value]:
    """Return in which positions the bit-sliced numbers are above, and in which they equal, `other`."""
    width = len(words[0])
    above, equal = Const(0, width), Const(2**width - 1, width)
    for b in reversed(range(len(words))):
        next_above, next_equal = Signal(width, name=f"above_{b}"), Signal(width, name=f"equal_{b}")
        m.d.comb += [
            next_above.eq(Mux(other[b], above, above | (equal & words[b]))),
            next_equal.eq(equal & Mux(other[b], words[b], ~words[b])),
        ]
        above, equal = next_above, next_equal
    return above, equal


def _thermometer(m: Module, value: Value, name: str) -> Value:
    """Return the word whose lowest `value` bits are 1."""
    level = Signal(len(value), name=name)
    m.d.comb += level.eq(value)
    word: Value = level[0]
    for b in range(1, len(value)):
        longer = Signal(2 * len(word) + 1, name=f"{name}_{b}")
        m.d.comb += longer.eq(Cat(Mux(level[b], ~Const(0, len(word)), word), level[b], Mux(level[b], word, 0)))
        word = longer
    return word
