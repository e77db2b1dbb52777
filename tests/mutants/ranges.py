"""Mutants of ranges, sinks and tables."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

RANGE_BENCH = "tests/sim/test_sim_components.py::test_component[row_range-sinks]"
RANGED_FETCH = "tests/sim/test_sim_components.py::test_component[fetch-sinks]"
LOCATE_BENCH = "tests/sim/test_sim_components.py::test_component[locate-sinks]"
TABLES_BENCH = "tests/sim/test_sim_components.py::test_component[table_queue-sinks]"
SEVERAL_TABLES = "tests/sim/test_sim_components.py::test_component[softmax-sinks]"
FIXED_TABLES = "tests/sim/test_sim_components.py::test_component[softmax-ranges]"
FIFO = "tests/rtl/test_rtl_components.py::test_fifo_keeps_the_order_and_holds_as_many_as_it_says"

MUTANTS = [
    Mutant(
        "an empty range has a row",
        "row_range.py",
        "found.first < found.n_valid)",
        "found.first <= found.n_valid)",
        RANGE_BENCH,
    ),
    Mutant(
        "a range has a row too many", "row_range.py", "(n_valid - 1) >> lane_bits", "n_valid >> lane_bits", RANGE_BENCH
    ),
    Mutant(
        "sinks of the range come first",
        "row_range.py",
        "(given.base < n_valid) & (given.base < first)",
        "given.base < n_valid",
        RANGE_BENCH,
    ),
    Mutant(
        "sinks alone end above n_valid",
        "row_range.py",
        "Mux(sink_row < last_row, sink_row, last_row)",
        "sink_row",
        RANGE_BENCH,
    ),
    Mutant(
        "sinks that reach the range jump to it",
        "row_range.py",
        "(sink_row < (first >> lane_bits))",
        "(sink_row <= (first >> lane_bits))",
        RANGE_BENCH,
    ),
    Mutant(
        "a sink in the next row is not counted",
        "row_range.py",
        "+ n_sinks - 1) >> lane_bits",
        "+ n_sinks - 2) >> lane_bits",
        RANGE_BENCH,
    ),
    Mutant("a first above n_keys is not said", "row_range.py", "eq(first > spec.n_keys)", "eq(0)", RANGE_BENCH),
    Mutant(
        "keys before the range take part",
        "fetch.py",
        'sees = ~below(payload.of_each(dims, query.first)[n], f"first_{n}")',
        "pass",
        RANGED_FETCH,
    ),
    Mutant("sinks take no part", "fetch.py", '& below(query.sink_end, "sink_end")', "& 0", RANGED_FETCH),
    Mutant(
        "rows between sinks and range are read", "fetch.py", "query.jumps & (row == query.sink_row)", "0", RANGED_FETCH
    ),
    Mutant(
        "a ranged query is let go with its first row",
        "fetch.py",
        "(is_last if dims.has_row_range else is_first)",
        "is_first",
        RANGED_FETCH,
    ),
    Mutant(
        "a key's index counts from the first row that is read",
        "locate.py",
        "place.begin_row + counted",
        "counted",
        LOCATE_BENCH,
    ),
    Mutant(
        "the range's first row is taken for a sink's",
        "locate.py",
        "counted >= place.n_before",
        "counted > place.n_before",
        LOCATE_BENCH,
    ),
    Mutant(
        "a place serves one key", "locate.py", "self.o.ready & self.i.p.last & ends_group", "self.o.ready", LOCATE_BENCH
    ),
    Mutant(
        "a table is kept though its query waits",
        "table_queue.py",
        "stage.i.valid.eq(self.i.valid & self.o.ready)",
        "stage.i.valid.eq(self.i.valid)",
        TABLES_BENCH,
    ),
    Mutant(
        "a table beyond the last one is the first",
        "table_queue.py",
        "Mux(above, spec.n_tables - 1,",
        "Mux(above, 0,",
        TABLES_BENCH,
    ),
    Mutant(
        "a table serves one pass", "softmax.py", "~has_spare & ends_query", "~has_spare & self.i.p.last", SEVERAL_TABLES
    ),
    Mutant(
        "an entry goes into every table",
        "softmax.py",
        "(entry.table == n, self.i_table.payload == n)",
        "(1, self.i_table.payload == n)",
        SEVERAL_TABLES,
    ),
    Mutant(
        "a key does not wait for its table",
        "softmax.py",
        "self.i.valid & self.i_table.valid if several",
        "self.i.valid if several",
        SEVERAL_TABLES,
    ),
    Mutant(
        "a queue takes a word more than it holds",
        "short_queue.py",
        "(n_words != self.depth)",
        "(n_words <= self.depth)",
        FIFO,
    ),
    Mutant(
        "a queue forgets a word that comes as one goes",
        "short_queue.py",
        "count(m, n_words, taken, given)",
        "count(m, n_words, taken & ~given, given)",
        FIFO,
    ),
]
