"""From memory rows to scores: fetch, popcount and counted matches."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

POPCOUNT = "tests/rtl/test_rtl_popcount.py"
SCORE = "tests/rtl/test_rtl_components.py::test_score_counts_matches_of_keys_that_take_part"
FETCH = "tests/rtl/test_rtl_components.py::test_fetch_walks_the_rows"
ABOVE = "tests/rtl/test_rtl_bounds.py::test_n_valid_above_n_keys_is_n_keys"
RESET = "tests/rtl/test_rtl_bounds.py::test_nothing_is_transferred_or_written_in_reset"
CAUSES = "tests/rtl/test_rtl_bounds.py::test_error_has_a_bit_a_cause"
FETCH_BENCH = "tests/sim/test_sim_components.py::test_component[fetch-odd]"
SPARE = "tests/rtl/test_rtl_components.py::test_a_spare_place_keeps_the_order_and_one_word"
STAGE = "tests/rtl/test_rtl_components.py::test_a_stage_is_a_cycle_and_holds_one_word"

MUTANTS = [
    Mutant(
        "a stage takes what overwrites its word", "stage.py", "else moves & self.i.valid", "else self.i.valid", STAGE
    ),
    Mutant("a stage offers a word twice", "stage.py", "self.o.valid.eq(self.i.valid)", "self.o.valid.eq(1)", STAGE),
    Mutant("what waits is overwritten", "spare.py", "m.Elif(self.i.valid & ~has_spare)", "m.Elif(self.i.valid)", SPARE),
    Mutant("what comes overtakes what waits", "spare.py", "Mux(has_spare, spare, self.i.p)", "self.i.p", SPARE),
    Mutant(
        "what waits is not offered",
        "spare.py",
        "self.o.valid.eq(self.i.valid | has_spare)",
        "self.o.valid.eq(self.i.valid)",
        SPARE,
    ),
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
        "moves.eq((~valid[-1] | self.o.ready) if n_stages and not self.dims.moves_at_once else self.o.ready)",
        "moves.eq(1)",
        SCORE,
    ),
    Mutant(
        "n_valid is off by one",
        "fetch.py",
        "remaining[: self.dims.lane_bits]",
        "(remaining + 1)[: self.dims.lane_bits]",
        FETCH,
    ),
    Mutant(
        "a full row is taken for an empty one",
        "fetch.py",
        "is_full, ~Const(0, self.dims.n_lanes), some)",
        "is_full, some, some)",
        FETCH,
    ),
    Mutant(
        "a query whose keys fill its rows gets one row more",
        "fetch.py",
        "is_last.eq(remaining <= n_lanes)",
        "is_last.eq(remaining < n_lanes)",
        FETCH,
    ),
    Mutant(
        "what holds levels is a stage of the tree as well",
        "sizes.py",
        "self.tree_stages = config.score_stages - self.registers_levels",
        "self.tree_stages = config.score_stages",
        SCORE,
    ),
    Mutant("the mask is ignored", "fetch.py", "takes_part & ~masked_out", "takes_part", FETCH),
    Mutant("the fetch runs on while its request waits", "fetch.py", "room.eq(~valid[s] | ", "room.eq(1 | ", FETCH),
    Mutant("n_valid above n_keys is taken as it is", "fetch.py", "Mux(is_above, spec.n_keys, ", "Mux(0, 0, ", ABOVE),
    Mutant(
        "of two lanes above n_keys one is taken",
        "fetch.py",
        "self.i.p.n_valid > spec.n_keys",
        "self.i.p.n_valid > spec.n_keys + 1",
        ABOVE,
    ),
    Mutant(
        "a query is taken again with each row",
        "fetch.py",
        "(is_last if dims.has_row_range else is_first) & has_mask",
        "has_mask",
        FETCH,
    ),
    Mutant(
        "a later stage takes a word that is not there", "fetch.py", "valid[s].eq(valid[s - 1])", "valid[s].eq(1)", ABOVE
    ),
    Mutant("a query is taken in reset", "fetch.py", "(1 if reads_in_reset else ~ResetSignal())", "1", RESET),
    Mutant("rows are read without leave", "fetch.py", "has_room[0] & self.may_read", "has_room[0]", FETCH_BENCH),
    Mutant("a query too long is no error", "fetch.py", "self.error | is_above", "self.error", CAUSES),
]
