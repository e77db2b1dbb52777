"""Mutants of the baseline that selects keys."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

DISTANCES = "tests/rtl/test_rtl_distances.py"
FILE = "standard/distances.py"


def _mutant(what: str, before: str, after: str) -> Mutant:
    return Mutant(what, FILE, before, after, DISTANCES)


MUTANTS = [
    _mutant("distances are a step too near", "maximum - n_entries", "maximum - n_entries - 1"),
    _mutant("distances are a step too far", "maximum - n_entries", "maximum - n_entries + 1"),
    _mutant("the farthest keys take no part", "Mux(above > 0, above, 1)", "Mux(above > 0, above, 0)"),
    _mutant("beyond the table is not its end", "Mux(above > 0, above, 1)", "Mux(above >= 0, above, 1)"),
    _mutant("a key that is not seen takes part", "Mux(takes_part[lane], nearness, 0)", "nearness"),
    _mutant("a query of one row has more", "self.i.p.last_row == 0, rows_left", "0, rows_left"),
    _mutant("a query ends a row early", "rows_left == 1)", "rows_left == 2)"),
    _mutant("a stall loses a row", "is_read & (~self.o.valid | self.o.ready)", "is_read"),
    _mutant("a row that waits is read over", "can_read = ~is_read | moves", "can_read = 1"),
    _mutant("the queue of scores ends a row early", "design.score_rows - 1, 0", "design.score_rows - 2, 0"),
    _mutant("a row's end is that of the next", "row.last.eq(read_is_last)", "row.last.eq(is_last)"),
    _mutant("a query is taken with each row", "self.i.ready.eq(can_read & is_first)", "self.i.ready.eq(can_read)"),
    _mutant("every second row waits", "can_read = ~is_read | moves", "can_read = ~is_read"),
]
