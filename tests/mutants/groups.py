"""Mutants of queries that share rows."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

SHARED_BENCH = "tests/sim/test_sim_components.py::test_component[shared_rows-groups]"
GROUPED_RANGE = "tests/sim/test_sim_components.py::test_component[row_range-groups]"
GROUPED_FETCH = "tests/sim/test_sim_components.py::test_component[fetch-groups]"
GROUPED_LOCATE = "tests/sim/test_sim_components.py::test_component[locate-groups]"
GROUPED_TABLES = "tests/sim/test_sim_components.py::test_component[table_queue-groups]"
SIZES = "tests/rtl/test_rtl_config.py::test_cycles_of_a_group_worked_by_hand"

MUTANTS = [
    Mutant(
        "every query has the first one's bits",
        "shared_rows.py",
        "query.eq(queries[n])",
        "query.eq(queries[0])",
        SHARED_BENCH,
    ),
    Mutant("every query has the last one's lanes", "shared_rows.py", "eq(lanes[n])", "eq(lanes[-1])", SHARED_BENCH),
    Mutant(
        "queries lose keys while another one's turn is",
        "shared_rows.py",
        "self.o.ready & (turn == n)",
        "self.o.ready",
        SHARED_BENCH,
    ),
    Mutant(
        "each kept key ends a turn", "shared_rows.py", "self.o.ready & self.o.p.last)", "self.o.ready)", SHARED_BENCH
    ),
    Mutant(
        "kept keys wait for their turn in the selector",
        "sizes.py",
        "max(2, spec.top_k) if has_queues else 0",
        "0",
        "tests/sim/test_sim_groups.py::test_no_row_waits_for_the_sums_of_a_query_of_its_group",
    ),
    Mutant("a row is done when one query has taken it", "fork.py", "taken.all()", "taken.any()", SHARED_BENCH),
    Mutant(
        "a group begins with its latest first row",
        "row_range.py",
        "(b.begin < a.begin)",
        "(b.begin > a.begin)",
        GROUPED_RANGE,
    ),
    Mutant(
        "a group ends with its first query's last row",
        "row_range.py",
        "Mux(a.last < b.last, b.last, a.last)",
        "a.last",
        GROUPED_RANGE,
    ),
    Mutant(
        "a query that sees no key draws the group to row 0",
        "row_range.py",
        "b.are_some & (~a.are_some",
        "(~a.are_some",
        GROUPED_RANGE,
    ),
    Mutant("every query has the first one's range", "fetch.py", "query.first)[n]", "query.first)[0]", GROUPED_FETCH),
    Mutant(
        "a place serves one query of its group",
        "locate.py",
        "return number == n_queries - 1",
        "return number == 0",
        GROUPED_LOCATE,
    ),
    Mutant("a group has one table", "table_queue.py", "tables.o.p[number]", "tables.o.p[0]", GROUPED_TABLES),
    Mutant(
        "rows are counted for each query",
        "dimensions.py",
        "return (n_valid - 1) // self.n_lanes - first // self.n_lanes + 1",
        "return n_valid // self.n_lanes",
        SIZES,
    ),
]
