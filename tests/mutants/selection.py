"""The best keys of a query: both selectors, and the replay of what they kept."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

REPLAY = "tests/rtl/test_rtl_components.py::test_replay_repeats_each_query"
EVERY_ROW = "tests/rtl/test_rtl_selectors.py::test_every_row_of_four_keys"
RANDOM_ROWS = "tests/rtl/test_rtl_selectors.py::test_random_rows"
WAITING_ROWS = "tests/rtl/test_rtl_selectors.py::test_random_rows[waiting-40-7-8-0.3-0.3]"
WAITING_PAIRS = "tests/rtl/test_rtl_selectors.py::test_every_row_of_four_keys[2-waiting]"
EQUAL_KEYS = "tests/rtl/test_rtl_selectors.py::test_equal_keys_wait_in_order"
BOUND = "tests/rtl/test_rtl_selectors.py::test_rows_are_held_against_a_bound_of_their_own"
LATE_LIST = "tests/rtl/test_rtl_selectors.py::test_a_late_list_does_not_stay_late"
MANY_SCORES = "tests/rtl/test_rtl_selectors.py::test_many_scores_at_once"
SELECTOR_BENCH = "tests/sim/test_sim_components.py::test_component[selector-odd]"

MUTANTS = [
    Mutant("each part has a first", "bit_sliced.py", "one & leads.replicate(len(one))", "one", MANY_SCORES),
    Mutant("the last part leads", "bit_sliced.py", "first(self._has)", "first(self._has[::-1])[::-1]", MANY_SCORES),
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
        "self.is_read & ~waits & self.lets_next",
        "self.is_read & self.lets_next",
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
        "may_move if all_move else ~here[step] | moves[step]",
        "Const(1)",
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
        "the floor is that of the last query",
        "insertion.py",
        "Mux(tail_is_old, 0, tail_level)",
        "tail_level",
        WAITING_ROWS,
    ),
    Mutant(
        "rows are held against the floor of the query before",
        "waiting_rows.py",
        "list_floor.eq(Mux(is_ahead, 0, self.floor))",
        "list_floor.eq(self.floor)",
        WAITING_ROWS,
    ),
    Mutant(
        "keys are chosen by the floor of the query that ends",
        "choice.py",
        "floor.eq(Mux(self.o.valid & key.last, 0, self.floor))",
        "floor.eq(self.floor)",
        WAITING_ROWS,
    ),
    Mutant("a query that is ahead is forgotten", "waiting_rows.py", "range(depth + 4)", "2", WAITING_ROWS),
    Mutant(
        "a query's last row goes by if it brings no key",
        "waiting_rows.py",
        "taken & (ranks | self.i.p.last)",
        "taken & ranks",
        WAITING_ROWS,
    ),
    Mutant(
        "only rows that wait are counted",
        "waiting_rows.py",
        "with m.If(taken):",
        "with m.If(waits):",
        LATE_LIST,
    ),
    Mutant(
        "a row comes in where all places are taken", "waiting_rows.py", "(free ^ first != depth) & ", "", WAITING_ROWS
    ),
    Mutant(
        "a row that has gone on is given again", "waiting_rows.py", "has_read.eq(reads)", "has_read.eq(0)", WAITING_ROWS
    ),
    Mutant("all rows of the next query come in", "waiting_rows.py", "MOST_AHEAD = 8", "MOST_AHEAD = 800", LATE_LIST),
    Mutant("a key is chosen twice", "choice.py", "taken.eq(taken | pick)", "taken.eq(pick)", WAITING_ROWS),
    Mutant(
        "a key that waits is taken for one that went in",
        "choice.py",
        "m.Elif(gives & moves)",
        "m.Elif(gives)",
        WAITING_ROWS,
    ),
    Mutant("a row's first key ends the query", "choice.py", "self.i.p.last & ends_row", "self.i.p.last", WAITING_ROWS),
    Mutant("the highest lane goes in first", "choice.py", "lowest(ranks)", "lowest(ranks[::-1])[::-1]", EQUAL_KEYS),
    Mutant("a row goes by while the list stalls", "choice.py", "ends_row & moves", "ends_row", WAITING_ROWS),
    Mutant("a bound is kept for the next query", "level_bound.py", "Mux(ends, 0, best)", "best", WAITING_ROWS),
    Mutant(
        "a bound reaches into the next query", "level_bound.py", "Mux(ends, 0, found[0])", "found[0]", WAITING_PAIRS
    ),
    Mutant("the bound is the highest maximum", "level_bound.py", "Mux(one < other,", "Mux(one > other,", WAITING_ROWS),
    Mutant("maxima share lanes", "level_bound.py", "group + n_groups) if", "group + 1) if", WAITING_ROWS),
    Mutant("a bound is above no list's floor", "waiting_rows.py", "Mux(bound.bound > ", "Mux(bound.bound < ", BOUND),
    Mutant(
        "a floor goes on to the next query",
        "waiting_rows.py",
        "floor.eq(Mux(ends, 0, higher))",
        "floor.eq(higher)",
        WAITING_ROWS,
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
        "(write < read) & ~self.i.p.last)",
        "(write < read))",
        REPLAY,
    ),
    Mutant(
        "a list that looks ahead takes the next query's last key",
        "replay.py",
        "has_room & ~self.i.p.last",
        "has_room",
        REPLAY,
    ),
    Mutant("a list that looks ahead has room in every pass", "replay.py", "is_final & Mux(taken", "Mux(taken", REPLAY),
    Mutant(
        "a list that looks ahead ends a pass a key late",
        "replay.py",
        "read == write_before, read == write)",
        "read == write, read == write)",
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
