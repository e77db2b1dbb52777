"""Selection by counting: a cumulative histogram finds the cut, a second look at the scores applies it."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl import payload
from hamming.rtl.config import Dimensions
from hamming.rtl.memory import DualPortMemory, WritePort
from hamming.rtl.popcount import count_ones, thermometer

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
        self.n_levels = dims.spec.d_head + 1
        self.n_groups = dims.scan_groups(dims.spec.n_keys)
        self.n_scores = dims.scan_rows * dims.n_lanes
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

        counts = self._count(m, rows[0], moves)
        cut = self._cut(m, counts, counts_move, counts_are_last)
        self._scan(m, scores, cut, is_complete, handed_over, scan_bank, next_group)
        return m

    def _count(self, m: Module, row: Value, enables: Sequence[Signal]) -> list[Signal]:
        """Count a row's keys at or above each level, in as many cycles as there are `enables`.

        Everything is bit-sliced across the levels: bit `t - 1` of each word belongs to level `t`.
        """
        reached = []
        for lane in range(self.dims.n_lanes):
            word = Signal(self.n_levels, name=f"reached_{lane}")
            m.d.comb += word.eq(thermometer(m, row.level[lane], f"thermometer_{lane}"))
            reached.append(word)
        counts = []
        for b, ones in enumerate(count_ones(m, reached, self.n_levels, enables=enables[:-1], name="reached")):
            count = Signal(self.n_levels, name=f"count_{b}", reset_less=True)
            with m.If(enables[-1]):
                m.d.sync += count.eq(ones)
            counts.append(count)
        return counts

    def _cut(self, m: Module, counts: Sequence[Signal], enable: Signal, is_last: Signal) -> dict[str, Signal]:
        """Take the counts from each level's room; return the cut that follows, each value once a query is complete."""
        n_levels, top_k = self.n_levels, self.dims.spec.top_k
        room_bits = (top_k - 1).bit_length()
        room = [Signal(n_levels, name=f"room_{b}", reset_less=True) for b in range(room_bits)]
        is_full = Signal(n_levels, reset_less=True)
        is_first = Signal(init=1)
        borrow: Value = Const(0, n_levels)
        for b in range(max(room_bits, len(counts))):
            start = Const(2**n_levels - 1 if (top_k - 1) >> b & 1 else 0, n_levels)
            left = Signal(n_levels, name=f"left_{b}")
            used = Signal(n_levels, name=f"used_{b}")
            m.d.comb += left.eq(Mux(is_first, start, room[b]) if b < room_bits else 0)
            m.d.comb += used.eq(counts[b] if b < len(counts) else 0)
            if b < room_bits:
                with m.If(enable):
                    m.d.sync += room[b].eq(left ^ used ^ borrow)
            next_borrow = Signal(n_levels, name=f"borrow_{b}")
            m.d.comb += next_borrow.eq((~left & used) | (~(left ^ used) & borrow))
            borrow = next_borrow
        with m.If(enable):
            m.d.sync += [is_full.eq(Mux(is_first, 0, is_full) | borrow), is_first.eq(is_last)]

        # Both are thermometer codes, since a key at or above a level is at or above every lower one.
        has_key = Signal(n_levels)
        untouched = Const(2**n_levels - 1, n_levels)
        for b in range(room_bits):
            untouched = untouched & (room[b] if (top_k - 1) >> b & 1 else ~room[b])
        m.d.comb += has_key.eq(is_full | ~untouched)
        at_cut = Signal(n_levels)
        at_max = Signal(n_levels)
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

    def _scan(
        self,
        m: Module,
        scores: DualPortMemory,
        cut: dict[str, Signal],
        is_complete: Signal,
        handed_over: Signal,
        scan_bank: Signal,
        next_group: Signal,
    ) -> None:
        """Read a query's groups one after the other, and give out the keys that the cut keeps."""
        dims, n_groups, n_scores = self.dims, self.n_groups, self.n_scores

        # Read: the memory holds a group out until the next one is read. Reading goes on to the next query while the
        # last group of this one still gives keys.
        read_cut = {name: Signal.like(value, name=f"read_{name}", reset_less=True) for name, value in cut.items()}
        is_new = Signal()  # the query that is read has moved no group on
        is_read = Signal()
        reads = Signal()
        moves = Signal()
        this_group = Signal(range(max(2, n_groups)))
        read_group = Signal.like(this_group, reset_less=True)
        has_group = Signal()
        ends_group = Signal()
        ends_scan = Signal()
        pick = Signal(n_scores)
        m.d.comb += [
            moves.eq(is_read & (~has_group | ends_group) & (is_new | ~ends_scan)),
            handed_over.eq(is_complete & (next_group == n_groups) & ~is_read),
            reads.eq(handed_over | ((next_group != n_groups) & (~is_read | moves))),
            this_group.eq(Mux(handed_over, 0, next_group)),
            scores.read.addr.eq(Cat(scan_bank ^ handed_over, this_group)),
            scores.read.en.eq(reads),
        ]
        with m.If(reads | moves):
            m.d.sync += is_read.eq(reads)
        with m.If(reads):
            m.d.sync += [read_group.eq(this_group), next_group.eq(this_group + 1)]
        with m.If(moves):
            m.d.sync += is_new.eq(0)
        with m.If(handed_over):
            m.d.sync += [is_new.eq(1), scan_bank.eq(~scan_bank)]
            m.d.sync += [read_cut[name].eq(value) for name, value in cut.items()]
        with m.Elif(ends_scan & ~is_new):  # the query's other groups have nothing
            m.d.sync += [is_read.eq(0), next_group.eq(n_groups)]

        # Compare, and hold: bit-sliced across the positions, word b holds bit b of every level.
        stored = [Signal(dims.level_bits, name=f"stored_{p}") for p in range(n_scores)]
        for p, level in enumerate(stored):
            m.d.comb += level.eq(scores.read.data.word_select(p, dims.level_bits))
        words = [Signal(n_scores, name=f"stored_level_{b}") for b in range(dims.level_bits)]
        levels = [Signal(n_scores, name=f"level_{b}", reset_less=True) for b in range(dims.level_bits)]
        for b, word in enumerate(words):
            m.d.comb += word.eq(Cat(level[b] for level in stored))
        is_above, is_equal = _compare(m, words, read_cut["level"])
        todo = Signal(n_scores, reset_less=True)  # kept, and not out yet; of the equal ones, while there is quota
        equal = Signal(n_scores, reset_less=True)
        group = Signal.like(read_group, reset_less=True)
        quota, n_left, max_level = (
            Signal.like(cut[name], name=name, reset_less=True) for name in ("quota", "n_kept", "max_level")
        )
        has_quota = Signal()
        gives = Signal()
        given = Signal()
        takes_equal = Signal()
        with m.If(moves):
            m.d.sync += [group.eq(read_group), *(level.eq(word) for level, word in zip(levels, words, strict=True))]
            m.d.sync += [todo.eq(is_above | Mux(is_new | has_quota, is_equal, 0)), equal.eq(is_equal)]
        with m.Elif(given):
            m.d.sync += todo.eq(todo & ~pick & Mux(has_quota, ~Const(0, n_scores), ~equal))
        with m.If(moves | ends_group):
            m.d.sync += has_group.eq(moves)
        with m.If(moves & is_new):
            m.d.sync += [
                quota.eq(read_cut["quota"]),
                n_left.eq(read_cut["n_kept"]),
                max_level.eq(read_cut["max_level"]),
            ]
        with m.Elif(given):
            m.d.sync += [quota.eq(Mux(takes_equal, quota - 1, quota)), n_left.eq(n_left - 1)]

        # Pick the first. A group ends with its only key, or with the equal one that takes the last of the quota, if
        # there is none above the cut beside it.
        is_empty = Signal()
        is_last = Signal()
        has_above = Signal()
        has_two = Signal()
        m.d.comb += [
            pick.eq(_first(todo)),
            has_above.eq((todo & ~equal).any()),
            has_two.eq(_at_least_two(todo)),
            takes_equal.eq(_of_first(todo, equal)),
            has_quota.eq((quota > 1) | ((quota == 1) & ~(given & takes_equal))),  # after this cycle
            is_empty.eq(n_left == 0),
            is_last.eq(n_left <= 1),
            gives.eq(has_group & (todo.any() | is_empty)),
            given.eq(gives & (~self.o.valid | self.o.ready)),
            ends_group.eq(
                has_group & (~gives | (given & (is_last | Mux(takes_equal & (quota == 1), ~has_above, ~has_two))))
            ),
            ends_scan.eq(given & is_last),
        ]

        # Put it out. An empty query has no key: what the memory holds beyond its rows is not looked at.
        picked_level = Signal.like(max_level, reset_less=True)
        best_level = Signal.like(max_level, reset_less=True)
        index = Signal(n_scores.bit_length() - 1 + len(group), reset_less=True)
        gave_empty = Signal(reset_less=True)
        gave_last = Signal(reset_less=True)
        place = Signal(n_scores.bit_length() - 1)
        m.d.comb += place.eq(Mux(is_empty, 0, _select(pick, _numbers(range(n_scores)))))
        with m.If(~self.o.valid | self.o.ready):
            m.d.sync += self.o.valid.eq(gives)
        with m.If(given):
            m.d.sync += [
                index.eq(Cat(place, group)),
                picked_level.eq(Mux(is_empty, 0, _select(pick, levels))),
                best_level.eq(max_level),
                gave_empty.eq(is_empty),
                gave_last.eq(is_last),
            ]
        m.d.comb += [
            self.o.p.index.eq(index),
            self.o.p.deficit.eq(best_level - picked_level),
            self.o.p.is_empty.eq(gave_empty),
            self.o.p.last.eq(gave_last),
        ]


def _numbers(numbers: Sequence[int]) -> list[Value]:
    """Return constants, bit-sliced: position `p` of word `b` is bit `b` of `numbers[p]`."""
    return [
        Const(sum((number >> b & 1) << p for p, number in enumerate(numbers)), len(numbers))
        for b in range(max(numbers).bit_length())
    ]


def _select(one_hot: Value, words: Sequence[Value]) -> Value:
    """Return the bit-sliced number at the position whose bit of `one_hot` is 1 (0 if there is none)."""
    return Cat((word & one_hot).any() for word in words)


def _first(word: Value) -> Value:
    """Return the word with the lowest 1 of `word` alone."""
    if len(word) == 1:
        return word
    half = len(word) // 2
    low, high = word[:half], word[half:]
    return Cat(_first(low), Mux(low.any(), 0, _first(high)))


def _of_first(word: Value, other: Value) -> Value:
    """Return the bit of `other` where `word` has its lowest 1 (0 if it has none)."""
    if len(word) == 1:
        return word & other
    half = len(word) // 2
    return Mux(word[:half].any(), _of_first(word[:half], other[:half]), _of_first(word[half:], other[half:]))


def _at_least_two(word: Value) -> Value:
    """Say whether `word` has more than one 1."""
    if len(word) == 1:
        return Const(0)
    half = len(word) // 2
    low, high = word[:half], word[half:]
    return _at_least_two(low) | _at_least_two(high) | (low.any() & high.any())


def _compare(m: Module, words: Sequence[Value], other: Value) -> tuple[Value, Value]:
    """Return in which positions the bit-sliced numbers are above, and in which they equal, `other`."""
    width = len(words[0])
    above, equal = Const(0, width), Const(2**width - 1, width)
    for b in reversed(range(len(words))):
        next_above = Signal(width, name=f"above_{b}")
        next_equal = Signal(width, name=f"equal_{b}")
        m.d.comb += [
            next_above.eq(Mux(other[b], above, above | (equal & words[b]))),
            next_equal.eq(equal & Mux(other[b], words[b], ~words[b])),
        ]
        above, equal = next_above, next_equal
    return above, equal
