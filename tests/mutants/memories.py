"""What stores rows, and what shares a word or a payload: loader, banks, turns, fork."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

LOADER = "tests/rtl/test_rtl_components.py::test_loader_puts_key_and_values_where_they_belong"
BANKS = "tests/rtl/test_rtl_components.py::test_banks_are_one_memory"
FORK = "tests/rtl/test_rtl_components.py::test_fork_hands_each_branch_every_payload_once"
OUTSIDE = "tests/rtl/test_rtl_bounds.py::test_rows_outside_change_nothing"
OUTLIVES = "tests/rtl/test_rtl_bounds.py::test_a_row_that_is_transferred_outlives_a_reset"
WITHDRAWN = "tests/rtl/test_rtl_bounds.py::test_a_row_withdrawn_harms_no_other"
RESET = "tests/rtl/test_rtl_bounds.py::test_nothing_is_transferred_or_written_in_reset"
TURNS = "tests/rtl/test_rtl_bounds.py::test_reader_and_writer_take_turns_at_a_word"
LOADER_BENCH = "tests/sim/test_sim_components.py::test_component[loader-odd]"

MUTANTS = [
    Mutant(
        "a row is acknowledged before its values are written",
        "loader.py",
        "self.i.ready.eq(is_last_piece & ",
        "self.i.ready.eq(",
        LOADER,
    ),
    Mutant("values are stored without their offset", "loader.py", "^ sign_bits", "^ 0", LOADER),
    Mutant("a bank is shown that was not read", "memory.py", "with m.If(self.read.en):", "with m.If(1):", BANKS),
    Mutant("all banks are written", "memory.py", "whole.addr[low_bits:] == n, whole.en", "1, whole.en", BANKS),
    Mutant("a branch of the fork gets a payload twice", "fork.py", "& ~has_taken", "", FORK),
    Mutant("a row outside is written", "loader.py", "row.index < spec.n_keys", "1", OUTSIDE),
    Mutant(
        "the first row outside is written", "loader.py", "row.index < spec.n_keys", "row.index <= spec.n_keys", OUTSIDE
    ),
    Mutant("values of a row outside are written", "loader.py", "is_offered & is_inside)", "is_offered)", OUTSIDE),
    Mutant("a row is stored in reset", "loader.py", "self.i.valid & ~ResetSignal()", "self.i.valid", RESET),
    Mutant(
        "a row is taken in reset", "loader.py", "is_last_piece & takes & ~ResetSignal()", "is_last_piece & takes", RESET
    ),
    Mutant("a withdrawn row's place is kept", "loader.py", "with m.If(~self.i.valid):", "with m.If(0):", WITHDRAWN),
    Mutant(
        "a key is written before its transfer",
        "loader.py",
        "else is_offered & is_last_piece & is_inside",
        "else is_offered & is_inside",
        WITHDRAWN,
    ),
    Mutant(
        "a key is written without leave",
        "loader.py",
        "else self.wants_write) & self.may_write)",
        "else self.wants_write))",
        LOADER_BENCH,
    ),
    Mutant(
        "a key that waits is forgotten in a reset",
        "loader.py",
        "waits = Signal(reset_less=True)",
        "waits = Signal()",
        OUTLIVES,
    ),
    Mutant("a key that waits is written in reset", "loader.py", "(~ResetSignal() if", "(1 if", OUTLIVES),
    Mutant("the writer always goes first", "turns.py", "meet & ~reader_waited", "0", TURNS),
    Mutant("both have the word", "turns.py", "~meet | ~reader_waited", "1", TURNS),
    Mutant("a kept key is offered in reset", "fork.py", "(self.i_valid & ~ResetSignal())", "self.i_valid", RESET),
]
