"""`python -m tests.mutants`: break the hardware in ways that engineers break hardware; a test must notice each.

Each mutant is a change of one line of `rtl/`, made in a copy of the repository, and the test that must fail for it.
The same test must pass without the change. A mutant that survives is a hole in the tests: the exit status says so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import click
from rich.console import Console
from rich.table import Table

from hamming.pool import Failed, Pool, takes_pool

ROOT = Path(__file__).resolve().parent.parent


class Mutant(NamedTuple):
    """What is broken, where, the text before and after, and the test that must notice."""

    what: str
    file: str
    before: str
    after: str
    test: str


POPCOUNT = "tests/rtl/test_rtl_popcount.py"
SCORE = "tests/rtl/test_rtl_components.py::test_score_counts_matches_of_keys_that_take_part"
FETCH = "tests/rtl/test_rtl_components.py::test_fetch_walks_the_rows"
LOADER = "tests/rtl/test_rtl_components.py::test_loader_puts_key_and_values_where_they_belong"
REPLAY = "tests/rtl/test_rtl_components.py::test_replay_repeats_each_query"
SOFTMAX = "tests/rtl/test_rtl_components.py::test_softmax_looks_up"
WEIGHTED_SUM = "tests/rtl/test_rtl_components.py::test_weighted_sum"
NORMALIZER = "tests/rtl/test_rtl_normalizer.py::test_normalizer_rounds_exactly"
SHIFT = "tests/rtl/test_rtl_shift.py::test_shift_sum"
BANKS = "tests/rtl/test_rtl_components.py::test_banks_are_one_memory"
FORK = "tests/rtl/test_rtl_components.py::test_fork_hands_each_branch_every_payload_once"
EVERY_ROW = "tests/rtl/test_rtl_selectors.py::test_every_row_of_four_keys"
RANDOM_ROWS = "tests/rtl/test_rtl_selectors.py::test_random_rows"
ENGINE = "tests/rtl/test_rtl_engine.py::test_equals_golden"
ABOVE = "tests/rtl/test_rtl_bounds.py::test_n_valid_above_n_keys_is_n_keys"
OUTSIDE = "tests/rtl/test_rtl_bounds.py::test_rows_outside_change_nothing"
WITHDRAWN = "tests/rtl/test_rtl_bounds.py::test_a_row_withdrawn_harms_no_other"
RESET = "tests/rtl/test_rtl_bounds.py::test_nothing_is_transferred_or_written_in_reset"
TURNS = "tests/rtl/test_rtl_bounds.py::test_reader_and_writer_take_turns_at_a_word"
RISING = "tests/rtl/test_rtl_bounds.py::test_no_softmax_table_sets_an_error_and_is_used"
FALLING = "tests/rtl/test_rtl_bounds.py::test_a_falling_table_in_any_order_sets_no_error"
AGAIN = "tests/rtl/test_rtl_bounds.py::test_a_table_is_looked_at_again_when_it_was_written_again"
POWERS = "tests/rtl/test_rtl_bounds.py::test_shift_stores_powers_of_two"
CAUSES = "tests/rtl/test_rtl_bounds.py::test_error_has_a_bit_a_cause"
QUEUE = "tests/rtl/test_rtl_requests.py::test_a_queue_gives_what_it_takes"
QUEUE_SIZE = "tests/rtl/test_rtl_requests.py::test_a_queue_holds_as_many_as_it_says"
WORDS = "tests/rtl/test_rtl_requests.py::test_each_beat_meets_its_word"
UNASKED = "tests/rtl/test_rtl_requests.py::test_a_response_that_nobody_asked_for_is_dropped"
WRONG_UNASKED = "tests/rtl/test_rtl_requests.py::test_an_error_bit_of_a_dropped_response_is_not_one_of_an_answer"
SENT = "tests/rtl/test_rtl_requests.py::test_a_row_is_transferred_with_its_last_write"
GIVEN_UP = "tests/rtl/test_rtl_requests.py::test_a_row_given_up_harms_no_other"
LATE = "tests/rtl/test_rtl_requests.py::test_answers_of_before_a_reset_are_dropped"
QUIET = "tests/rtl/test_rtl_requests.py::test_nothing_moves_in_reset"
KEY_WORDS = "tests/rtl/test_rtl_requests.py::test_keys_come_with_their_request"
VALUE_WORDS = "tests/rtl/test_rtl_requests.py::test_values_are_asked_for_where_they_lie_and_where_they_count"
FETCH_BENCH = "tests/sim/test_sim_components.py::test_component[fetch-odd]"
LOADER_BENCH = "tests/sim/test_sim_components.py::test_component[loader-odd]"
SUM_BENCH = "tests/sim/test_sim_components.py::test_component[weighted_sum-plain]"
SELECTOR_BENCH = "tests/sim/test_sim_components.py::test_component[selector-odd]"

MUTANTS = [
    Mutant(
        "the carry of a full adder forgets a pair",
        "popcount.py",
        "(a & b) | (c & (a ^ b))",
        "(a & b) | (c & a)",
        POPCOUNT,
    ),
    Mutant(
        "a stage of the popcount takes its word a stage too early",
        "popcount.py",
        "register.eq(word.delayed[s - 1])",
        "register.eq(word.delayed[0])",
        POPCOUNT,
    ),
    Mutant("XOR instead of XNOR", "score.py", "lanes ^ inverted_query[b]", "lanes ^ ~inverted_query[b]", SCORE),
    Mutant(
        "lanes that take no part are scored", "score.py", "word.eq(count & takes_part[-1])", "word.eq(count)", SCORE
    ),
    Mutant(
        "a stall is dropped between score stages",
        "score.py",
        "moves.eq((~valid[-1] | self.o.ready) if n_stages else self.o.ready)",
        "moves.eq(1)",
        SCORE,
    ),
    Mutant(
        "n_valid is off by one",
        "fetch.py",
        "remaining[: dims.lane_bits]",
        "(remaining + 1)[: dims.lane_bits]",
        FETCH,
    ),
    Mutant(
        "a full row is taken for an empty one",
        "fetch.py",
        ".any(), ~Const(0, n_lanes), some)",
        ".any(), some, some)",
        FETCH,
    ),
    Mutant(
        "a query whose keys fill its rows gets one row more",
        "fetch.py",
        "is_last.eq(remaining <= n_lanes)",
        "is_last.eq(remaining < n_lanes)",
        FETCH,
    ),
    Mutant("the mask is ignored", "fetch.py", "takes_part & ~masked_out", "takes_part", FETCH),
    Mutant("the fetch runs on while its request waits", "fetch.py", "room.eq(~valid[s] | ", "room.eq(1 | ", FETCH),
    Mutant(
        "a row is acknowledged before its values are written",
        "loader.py",
        "self.i.ready.eq(is_last_piece & ",
        "self.i.ready.eq(",
        LOADER,
    ),
    Mutant("values are stored without their offset", "loader.py", "^ sign_bits", "^ 0", LOADER),
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
        'cut["quota"].eq(select(at_cut, room_above) + 1)',
        'cut["quota"].eq(select(at_cut, room_above))',
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
        "scan.py",
        "handed_over.eq(is_complete & (next_group == n_groups) & ~is_read)",
        "handed_over.eq(is_complete)",
        RANDOM_ROWS,
    ),
    Mutant("scan and count share a bank", "histogram.py", "bank.eq(bank ^ counted.last)", "bank.eq(bank)", RANDOM_ROWS),
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
        "Mux(takes_equal & (quota == 1), ~has_above, ~has_two)",
        "Mux(takes_equal, ~has_above, ~has_two)",
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
        "an empty query's key has a weight",
        "softmax.py",
        "Mux(self.i.p.is_empty, 0, weight)",
        "weight",
        SOFTMAX,
    ),
    Mutant(
        "a key that comes in a stall is lost",
        "softmax.py",
        "weighted.eq(Mux(has_spare, spare, found))",
        "weighted.eq(found)",
        SOFTMAX,
    ),
    Mutant(
        "a carry that waits is lost",
        "weighted_sum.py",
        "m.d.sync += register.eq(carry)",
        "m.d.sync += register.eq(0)",
        WEIGHTED_SUM,
    ),
    Mutant(
        "digits of -1 are not counted",
        "weighted_sum.py",
        "Mux(restart, 0, total) + negated[1]",
        "Mux(restart, 0, total)",
        WEIGHTED_SUM,
    ),
    Mutant("a digit of 3 gives no carry", "multiply.py", "carry = digit >= 3", "carry = digit > 3", WEIGHTED_SUM),
    Mutant(
        "the weight's top digit is left out",
        "multiply.py",
        "bit = is_one & values[k]",
        "bit = is_one & values[k] if i < len(self.tops) - 1 else C(0, n_values)",
        WEIGHTED_SUM,
    ),
    Mutant(
        "sums are not cleared between slices",
        "weighted_sum.py",
        "restarts[1].eq(is_first & present)",
        "restarts[1].eq(0)",
        WEIGHTED_SUM,
    ),
    Mutant(
        "a slice that is not taken is overwritten",
        "weighted_sum.py",
        "go.eq(~self.o.valid | self.o.ready)",
        "go.eq(1)",
        WEIGHTED_SUM,
    ),
    Mutant(
        "a slice reads the value vector's first one",
        "weighted_sum.py",
        "self.i.p.index * dims.fold + self.i.p.slice",
        "self.i.p.index * dims.fold",
        WEIGHTED_SUM,
    ),
    Mutant(
        "a slice whose first weight is 0 goes on with the last one's sums",
        "weighted_sum.py",
        "moves_1.eq(adds_1 | (present & is_first))",
        "moves_1.eq(adds_1)",
        SHIFT,
    ),
    Mutant(
        "a cycle without a key adds",
        "weighted_sum.py",
        "adds_1.eq(is_here & adds)",
        "adds_1.eq(adds)",
        WEIGHTED_SUM,
    ),
    Mutant(
        "the steps of a shift are the wrong way round",
        "shift.py",
        "return fine + coarse",
        "return coarse + fine",
        SHIFT,
    ),
    Mutant(
        "any table may be shifted",
        "config.py",
        "if weight and not _is_power_of_two(weight):",
        "if False:",
        "tests/rtl/test_rtl_shift.py::test_shifts_need_powers_of_two",
    ),
    Mutant(
        "an exact fit does not divide",
        "quotient.py",
        "lower.eq(a[:low] - b[:low])",
        "lower.eq(a[:low] - b[:low] - 1)",
        NORMALIZER,
    ),
    Mutant(
        "a borrow is lost",
        "quotient.py",
        "Mux(lower[-1], upper[1], upper[0])",
        "upper[0]",
        NORMALIZER,
    ),
    Mutant(
        "half a divisor is cut to whole bits of the sum",
        "quotient.py",
        "divisor[half_place] if half_place < width else 0",
        "0",
        NORMALIZER,
    ),
    Mutant(
        "carries of the sums are not added",
        "normalizer.py",
        "if column in places else",
        "if False else",
        NORMALIZER,
    ),
    Mutant(
        "a carry from one part of the sum to the next is lost",
        "normalizer.py",
        "+ correction + carry)",
        "+ correction)",
        NORMALIZER,
    ),
    Mutant(
        "sums that are held are overwritten",
        "normalizer.py",
        "self.i.ready.eq(~is_busy | (go & ends))",
        "self.i.ready.eq(~is_busy | go)",
        NORMALIZER,
    ),
    Mutant(
        "a slice is corrected by the next one's weights",
        "normalizer.py",
        "range(stage + 1)",
        "range(1)",
        NORMALIZER,
    ),
    Mutant("a bank is shown that was not read", "memory.py", "with m.If(self.read.en):", "with m.If(1):", BANKS),
    Mutant("all banks are written", "memory.py", "whole.addr[low_bits:] == n, whole.en", "1, whole.en", BANKS),
    Mutant("a branch of the fork gets a payload twice", "fork.py", "& ~has_taken", "", FORK),
    Mutant("n_valid above n_keys is taken as it is", "fetch.py", "Mux(is_above, spec.n_keys, ", "Mux(0, 0, ", ABOVE),
    Mutant(
        "of two lanes above n_keys one is taken",
        "fetch.py",
        "self.i.p.n_valid > spec.n_keys",
        "self.i.p.n_valid > spec.n_keys + 1",
        ABOVE,
    ),
    Mutant(
        "a query is taken again with each row", "fetch.py", "self.i.ready.eq(is_first & ", "self.i.ready.eq(", FETCH
    ),
    Mutant(
        "a later stage takes a word that is not there", "fetch.py", "valid[s].eq(valid[s - 1])", "valid[s].eq(1)", ABOVE
    ),
    Mutant("a query is taken in reset", "fetch.py", "self.may_read & ~ResetSignal()", "self.may_read", RESET),
    Mutant("rows are read without leave", "fetch.py", "has_room[0] & self.may_read", "has_room[0]", FETCH_BENCH),
    Mutant("a query too long is no error", "fetch.py", "self.error | is_above", "self.error", CAUSES),
    Mutant("a row outside is written", "loader.py", "row.index < spec.n_keys", "1", OUTSIDE),
    Mutant(
        "the first row outside is written", "loader.py", "row.index < spec.n_keys", "row.index <= spec.n_keys", OUTSIDE
    ),
    Mutant("values of a row outside are written", "loader.py", "is_offered & is_inside)", "is_offered)", OUTSIDE),
    Mutant("a row is stored in reset", "loader.py", "self.i.valid & ~ResetSignal()", "self.i.valid", RESET),
    Mutant("a row is taken in reset", "loader.py", "self.may_write & ~ResetSignal()", "self.may_write", RESET),
    Mutant("a withdrawn row's place is kept", "loader.py", "with m.If(~self.i.valid):", "with m.If(0):", WITHDRAWN),
    Mutant(
        "a key is written before its transfer",
        "loader.py",
        "is_offered & is_last_piece & is_inside",
        "is_offered & is_inside",
        WITHDRAWN,
    ),
    Mutant(
        "a key is written without leave",
        "loader.py",
        "self.wants_write & self.may_write",
        "self.wants_write",
        LOADER_BENCH,
    ),
    Mutant("the writer always goes first", "turns.py", "meet & ~reader_waited", "0", TURNS),
    Mutant("both have the word", "turns.py", "~meet | ~reader_waited", "1", TURNS),
    Mutant("a table may rise", "softmax.py", "port.data > before", "0", RISING),
    Mutant("equal entries are an error", "softmax.py", "port.data > before", "port.data >= before", FALLING),
    Mutant("a table may begin with nothing", "softmax.py", "port.data == 0, ", "0, ", RISING),
    Mutant(
        "the last entry is not looked at",
        "softmax.py",
        "place != self.dims.spec.d_head",
        "place < self.dims.spec.d_head - 1",
        RISING,
    ),
    Mutant("half a table is looked at", "softmax.py", "is_new & is_used", "is_new", AGAIN),
    Mutant("a new table is not looked at", "softmax.py", "is_new.eq(1), is_checking.eq(0)", "is_checking.eq(0)", AGAIN),
    Mutant("what is no power of two is stored", "softmax.py", "word[b] & ~word[b + 1 :].any()", "word[b]", POWERS),
    Mutant(
        "a longer memory's word is taken early",
        "weighted_sum.py",
        "key, is_here = waits, waits_here",
        "is_here = waits_here",
        SUM_BENCH,
    ),
    Mutant("an output is offered in reset", "normalizer.py", "valid[-1] & ~ResetSignal()", "valid[-1]", RESET),
    Mutant("a kept key is offered in reset", "fork.py", "(self.i_valid & ~ResetSignal())", "self.i_valid", RESET),
    Mutant(
        "an empty query has a key's index",
        "scan.py",
        "Mux(is_empty, 0, select(pick, numbers",
        "Mux(0, 0, select(pick, numbers",
        SELECTOR_BENCH,
    ),
    Mutant("a queue moves on while its payload waits", "fifo.py", "reads.eq(moves & (n_", "reads.eq((n_", QUEUE),
    Mutant("a queue offers what is not there", "fifo.py", "self.o.valid.eq(reads)", "self.o.valid.eq(1)", QUEUE),
    Mutant("a queue has places beyond its memory", "fifo.py", "place == depth - 1", "place == depth", QUEUE),
    Mutant(
        "a queue does not count what it offers",
        "fifo.py",
        "n_inside != self.depth",
        "n_stored != self.depth",
        QUEUE_SIZE,
    ),
    Mutant("more is asked for than agreed", "requests.py", " & needs & beats.i.ready & ~", " & needs & ~", WORDS),
    Mutant(
        "a beat goes ahead of its request", "requests.py", "waits.eq(needs & ~self.request.ready)", "waits.eq(0)", WORDS
    ),
    Mutant("every beat waits for a word", "requests.py", "lacks.eq(self.reads(beats.o.p))", "lacks.eq(1)", WORDS),
    Mutant("a beat goes without its word", "requests.py", "is_here.eq(~lacks | (n_here != 0))", "is_here.eq(1)", WORDS),
    Mutant("a word is given twice", "requests.py", "n_here + stores - takes", "n_here + stores", WORDS),
    Mutant("what nobody asked for is stored", "requests.py", "comes & (n_asked != 0)", "comes", UNASKED),
    Mutant("what nobody asked for is not told", "requests.py", "m.If(comes & ~stores)", "m.If(0)", UNASKED),
    Mutant("a wrong response is not told", "requests.py", "m.If(stores & self.response.p.error)", "m.If(0)", UNASKED),
    Mutant(
        "a dropped response is told for a wrong one",
        "requests.py",
        "m.If(stores & self.response.p.error)",
        "m.If(comes & self.response.p.error)",
        WRONG_UNASKED,
    ),
    Mutant("a word is asked for in reset", "requests.py", "beats.i.ready & ~ResetSignal()", "beats.i.ready", QUIET),
    Mutant(
        "a response is taken in reset",
        "requests.py",
        "self.response.ready.eq(~ResetSignal())",
        "self.response.ready.eq(1)",
        QUIET,
    ),
    Mutant(
        "words that are due outlive a reset",
        "requests.py",
        "n_asked = Signal(range(depth + 1))",
        "n_asked = Signal(range(depth + 1), reset_less=True)",
        LATE,
    ),
    Mutant(
        "a row is asked for where the next one is",
        "key_requests.py",
        "with m.If(self.read.en):",
        "with m.If(1):",
        KEY_WORDS,
    ),
    Mutant(
        "keys move on while their request waits",
        "key_requests.py",
        "taken.eq(requests.o.valid & moves)",
        "taken.eq(requests.o.valid)",
        KEY_WORDS,
    ),
    Mutant("values are asked for in vain", "value_requests.py", "key.weight != 0", "1", VALUE_WORDS),
    Mutant(
        "the first slice alone is asked for",
        "value_requests.py",
        "key.index * dims.fold + key.slice",
        "key.index * dims.fold",
        VALUE_WORDS,
    ),
    Mutant("a row is taken before its key is written", "sender.py", "(is_key & is_done)", "is_key", SENT),
    Mutant(
        "a row's last slice is its key's turn",
        "sender.py",
        "is_key.eq(piece == dims.fold)",
        "is_key.eq(piece == dims.fold - 1)",
        SENT,
    ),
    Mutant(
        "a row outside is written",
        "sender.py",
        "writes_values.eq(is_offered & is_inside & ~is_key)",
        "writes_values.eq(is_offered & ~is_key)",
        SENT,
    ),
    Mutant("a row outside is not told", "sender.py", "m.If(is_offered & ~is_inside)", "m.If(0)", SENT),
    Mutant("an offer to a memory changes", "sender.py", "m.If(wanted & ~is_here)", "m.If(wanted)", GIVEN_UP),
    Mutant("another row's write counts", "sender.py", "m.If(~wanted | moves)", "m.If(moves)", GIVEN_UP),
    Mutant("a write is offered in reset", "sender.py", "is_here & ~ResetSignal()", "is_here", QUIET),
]


def fails(mutant: Mutant | None, test: str) -> bool:
    """Run `test` in a copy of the repository with `mutant` in it; return whether it failed."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        ignored = shutil.ignore_patterns(".git", ".venv", "build", "__pycache__", ".pytest_cache", "*.npz")
        shutil.copytree(ROOT, copy, ignore=ignored, symlinks=True)  # hamming/rtl is one
        if mutant is not None:
            file = copy / "rtl" / mutant.file
            text = file.read_text()
            if text.count(mutant.before) != 1:
                raise ValueError(f"{mutant.file} has {text.count(mutant.before)} times, not once: {mutant.before}")
            file.write_text(text.replace(mutant.before, mutant.after))
        result = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", test],
            cwd=copy,
            env=os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
        )
        if result.returncode not in (0, 1):
            raise RuntimeError(f"{test} did not run:\n{result.stdout}{result.stderr}")
        return result.returncode == 1


@click.command()
@takes_pool
def main(pool: Pool) -> None:
    """Run all mutants, and print which test noticed each."""
    console = Console()
    tests = sorted({mutant.test for mutant in MUTANTS})
    names = [f"{number} {mutant.what}" for number, mutant in enumerate(MUTANTS)]
    jobs: dict[str, tuple[Mutant | None, str]] = {test: (None, test) for test in tests}
    jobs |= {name: (mutant, mutant.test) for name, mutant in zip(names, MUTANTS, strict=True)}
    outcomes: dict[str, bool] = {}
    failed = None
    try:
        with pool.results(fails, jobs, "mutants") as results:
            outcomes.update(results)
    except Failed as error:
        failed = error
    broken = [test for test in tests if outcomes.get(test)]
    if broken:
        raise SystemExit(f"without any mutant these fail: {', '.join(broken)}")

    n_killed = sum(outcomes.get(name, False) for name in names)
    table = Table(title=f"{n_killed} of {len(MUTANTS)} mutants killed")
    for heading in ("in", "mutant", "test", ""):
        table.add_column(heading, overflow="fold")
    words = {True: "killed", False: "[bold red]survived", None: "[bold red]not run"}
    for name, mutant in zip(names, MUTANTS, strict=True):
        outcome = words[outcomes.get(name)]
        table.add_row(f"rtl/{mutant.file}", mutant.what, mutant.test.removeprefix("tests/rtl/"), outcome)
    console.print(table)
    if failed is not None:
        raise failed
    if n_killed < len(MUTANTS):
        raise SystemExit(1)


if __name__ == "__main__":
    from tests import mutants  # by its name, by which workers find it

    mutants.main()
