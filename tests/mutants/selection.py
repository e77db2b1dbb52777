"""The best keys of a query: both selectors, and the replay of what they kept."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

REPLAY = "tests/rtl/test_rtl_components.py::test_replay_repeats_each_query"
EVERY_ROW = "tests/rtl/test_rtl_selectors.py::test_every_row_of_four_keys"
RANDOM_ROWS = "tests/rtl/test_rtl_selectors.py::test_random_rows"
MANY_SCORES = "tests/rtl/test_rtl_selectors.py::test_many_scores_at_once"
SELECTOR_BENCH = "tests/sim/test_sim_components.py::test_component[selector-odd]"

MUTANTS = [
    Mutant("each part has a first", "bit_sliced.py", "one & leads.replicate(len(one))", "one", MANY_SCORES),
    Mutant("the last part leads", "bit_sliced.py", "first(self._has)\n", "first(self._has[::-1])[::-1]\n", MANY_SCORES),
    Mutant("one in each of two parts is one", "bit_sliced.py", "at_least_two(self._has) | ", "", MANY_SCORES),
    Mutant(
        "two in a part are one",
        "bit_sliced.py",
        "Cat(at_least_two(part) for part in self._parts).any()",
        "0",
        MANY_SCORES,
    ),
    Mutant(
        "the cut is one key late",
        "cut.py",
        "if (top_k - 1) >> b & 1 else 0, n_levels)",
        "if top_k >> b & 1 else 0, n_levels)",
        EVERY_ROW,
    ),
    Mutant(
        "the quota at the cut is one short",
        "cut.py",
        'found("quota", at_cut, room_above) + 1)',
        'found("quota", at_cut, room_above))',
        EVERY_ROW,
    ),
    Mutant(
        "the quota is not used up",
        "scan.py",
        "quota.eq(Mux(takes_equal, quota - 1, quota))",
        "quota.eq(quota)",
        EVERY_ROW,
    ),
    Mutant(
        "among equals the higher index wins",
        "bit_sliced.py",
        "Cat(first(low), Mux(low.any(), 0, first(high)))",
        "Cat(Mux(high.any(), 0, first(low)), first(high))",
        RANDOM_ROWS,
    ),
    Mutant("a counter that was full counts on", "cut.py", "Mux(is_first, 0, is_full) | borrow", "borrow", EVERY_ROW),
    Mutant(
        "counters keep the last query's counts",
        "cut.py",
        "left.eq(Mux(is_first, start, room[b]) if b < room_bits else 0)",
        "left.eq(room[b] if b < room_bits else 0)",
        EVERY_ROW,
    ),
    Mutant(
        "the scan starts while the last one runs",
        "group_reader.py",
        "handed_over.eq(is_complete & (next_group == n_groups) & ~self.is_read)",
        "handed_over.eq(is_complete)",
        RANDOM_ROWS,
    ),
    Mutant(
        "the scan goes on in the bank that it has read",
        "group_reader.py",
        "next_bank.eq(next_bank + ends_bank)",
        "next_bank.eq(next_bank)",
        RANDOM_ROWS,
    ),
    Mutant(
        "what a scan that ended early left is read for the next query",
        "group_reader.py",
        "next_group.eq(0), next_bank.eq(next_bank + has_more)",
        "next_bank.eq(next_bank + has_more)",
        RANDOM_ROWS,
    ),
    Mutant(
        "a scan that ended early stays in its bank",
        "group_reader.py",
        "next_bank.eq(next_bank + has_more)",
        "next_bank.eq(next_bank)",
        RANDOM_ROWS,
    ),
    Mutant(
        "a first group does not wait for its cut",
        "group_reader.py",
        "self.is_read & ~waits &",
        "self.is_read &",
        RANDOM_ROWS,
    ),
    Mutant(
        "a part of the levels has no cut",
        "bit_sliced.py",
        "return reduce(or_, parts)",
        "return reduce(or_, parts[:1])",
        "tests/rtl/test_rtl_selectors.py::test_no_bubble_between_queries",
    ),
    Mutant("scan and count share a bank", "histogram.py", "bank ^ counted.last if", "bank if", RANDOM_ROWS),
    Mutant(
        "a row of many lanes is stored before it is counted",
        "histogram.py",
        "counted, row_moves = rows[-1], moves[-1]",
        "counted, row_moves = rows[0], moves[-1]",
        RANDOM_ROWS,
    ),
    Mutant(
        "a stalled row is lost on its way through the count",
        "histogram.py",
        "here[step - 1] & (~here[step] | moves[step])",
        "here[step - 1]",
        RANDOM_ROWS,
    ),
    Mutant(
        "a group ends with its first equal key",
        "scan.py",
        'ends_quota = takes_equal & left["one_equal"] if',
        "ends_quota = takes_equal if",
        EVERY_ROW,
    ),
    Mutant(
        "a stalled scan steps on",
        "scan.py",
        "given.eq(gives & (~o.valid | o.ready))",
        "given.eq(gives)",
        RANDOM_ROWS,
    ),
    Mutant(
        "a later key goes in before its equals",
        "insertion.py",
        "(level[c] >= inserted_level)",
        "(level[c] > inserted_level)",
        EVERY_ROW,
    ),
    Mutant(
        "the last query's keys are ranked among this one's",
        "insertion.py",
        "(~is_old[c] & (level[c] >= inserted_level))",
        "(level[c] >= inserted_level)",
        RANDOM_ROWS,
    ),
    Mutant(
        "a query ends although the last one is still in the list",
        "insertion.py",
        "may_end.eq(~is_old[-1] | (is_last_old & may_shift))",
        "may_end.eq(1)",
        RANDOM_ROWS,
    ),
    Mutant(
        "what a reset leaves in the list comes out",
        "insertion.py",
        "is_first_query = Signal(init=1)",
        "is_first_query = Signal()",
        RANDOM_ROWS,
    ),
    Mutant(
        "the maximum is taken before the last key is in",
        "insertion.py",
        "max_level.eq(Mux(stays[0], level[0], inserted_level))",
        "max_level.eq(level[0])",
        EVERY_ROW,
    ),
    Mutant(
        "the list shifts while its output stalls",
        "insertion.py",
        "may_shift.eq(~must_give | self.o.ready)",
        "may_shift.eq(1)",
        RANDOM_ROWS,
    ),
    Mutant(
        "a pass begins at the key after the first",
        "replay.py",
        "Mux(is_last, 0, read + 1)",
        "Mux(is_last, 1, read + 1)",
        REPLAY,
    ),
    Mutant(
        "a key is written over before its last pass",
        "replay.py",
        "(is_final & (write < read)",
        "((write < read)",
        REPLAY,
    ),
    Mutant(
        "the next query's last key is taken while this one is read",
        "replay.py",
        " & ~self.i.p.last)",
        ")",
        REPLAY,
    ),
    Mutant(
        "an empty query has a key's index",
        "scan.py",
        "Mux(is_empty, 0, picked(numbers",
        "Mux(0, 0, picked(numbers",
        SELECTOR_BENCH,
    ),
]
