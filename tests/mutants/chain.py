"""Engines in a chain: shares, agreement, partial results, merging, kept keys."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

AGREE = "tests/rtl/test_rtl_agreement.py::test_engines_agree"
PACE = "tests/rtl/test_rtl_agreement.py::test_agreement_takes_a_cycle_a_level"
ROWS = "tests/rtl/test_rtl_share.py::test_an_engine_takes_its_own_rows"
QUERIES = "tests/rtl/test_rtl_share.py::test_an_engine_sees_its_own_keys"
KEPT = "tests/rtl/test_rtl_share.py::test_kept_keys_follow_those_before"
MERGE = "tests/rtl/test_rtl_merge.py::test_merge"
CHAIN = "tests/rtl/test_rtl_chain.py::test_a_chain_equals_golden"
BANKS = "tests/rtl/test_rtl_chain.py::test_scores_wait_for_their_scan"
RESET = "tests/rtl/test_rtl_chain.py::test_nothing_is_transferred_in_reset"
PARTIAL = "tests/rtl/test_rtl_merge.py::test_partial_results"
SINKS = "tests/rtl/test_rtl_share.py::test_an_engine_has_its_own_sinks"
SINK_ROWS = "tests/rtl/test_rtl_share.py::test_rows_are_read_for_own_sinks_alone"
ONCE = "tests/rtl/test_rtl_chain_design.py::test_an_engine_is_a_module_written_once"

MUTANTS = [
    Mutant(
        "sinks end where the next engine's begin",
        "share.py",
        '"sink_end": given.base + spec.n_sinks',
        '"sink_end": given.base + spec.n_sinks - 1',
        SINKS,
    ),
    Mutant(
        "sinks of other engines are taken for own ones",
        "row_range.py",
        "                has_some &= given.base < given.sink_end\n",
        "",
        SINK_ROWS,
    ),
    Mutant(
        "as many sinks wherever they begin",
        "row_range.py",
        "n_sinks = (given.sink_end - given.base)[: spec.n_sinks.bit_length()]",
        "n_sinks = spec.n_sinks",
        SINK_ROWS,
    ),
    Mutant(
        "counts go beyond top_k",
        "agreement.py",
        "return Mux(total > self.dims.spec.top_k, self.dims.spec.top_k, total)",
        "return total",
        AGREE,
    ),
    Mutant(
        "a full level counts as its room", "agreement.py", "Mux(words[-1][-1], self.own_most, ", "Mux(0, 0, ", AGREE
    ),
    Mutant(
        "a cut is found without an end",
        "agreement.py",
        "((given.total == top_k) | ends)",
        "(given.total == top_k)",
        AGREE,
    ),
    Mutant("the lowest full level is the cut", "agreement.py", "(is_first | ~has_cut) & ", "1 & ", AGREE),
    Mutant("a query begins with the last one's counts", "agreement.py", "Mux(is_first, 0, word)", "word", AGREE),
    Mutant(
        "engines before take nothing",
        "agreement.py",
        "Mux(before_at_cut < quota, quota - before_at_cut, 0)",
        "quota",
        AGREE,
    ),
    Mutant("an engine keeps more than it has", "agreement.py", "Mux(at_cut < left, at_cut, left)", "left", AGREE),
    Mutant(
        "counts before are passed on without the own",
        "agreement.py",
        "self._sum(given.before, own.payload)",
        "given.before",
        AGREE,
    ),
    Mutant(
        "a cut that waits is overwritten",
        "agreement.py",
        "queue.i.ready & (~is_found | found_moves)",
        "queue.i.ready",
        AGREE,
    ),
    Mutant(
        "a result that waits is overwritten",
        "agreement.py",
        "is_found & ~has_result",
        "is_found",
        AGREE,
    ),
    Mutant(
        "the next query waits for the last count",
        "agreement.py",
        "(n_left == 0) | ((n_left == 1) & sends)",
        "(n_left == 0)",
        PACE,
    ),
    Mutant("counts do not wait for the own ones", "agreement.py", "depth=3)  # `own`", "depth=2)  # `own`", PACE),
    Mutant("a row of the next engine is taken", "share.py", "place < self.dims", "place <= self.dims", ROWS),
    Mutant(
        "a row of another engine waits", "share.py", "Mux(is_own, self.o.ready, ~ResetSignal())", "self.o.ready", ROWS
    ),
    Mutant("an engine sees keys beyond its own", "share.py", "Mux(place > n_own, n_own, place)", "place", QUERIES),
    Mutant("keys before an engine count as its own", "share.py", "m.If(~below)", "m.If(1)", QUERIES),
    Mutant(
        "a query that waits is overwritten",
        "stage.py",
        "moves.eq(~self.o.valid | self.o.ready)",
        "moves.eq(1)",
        QUERIES,
    ),
    Mutant("a kept key has the engine's own index", "kept_keys.py", "own.index + self.start", "own.index", KEPT),
    Mutant("an empty query goes before kept keys", "kept_keys.py", "& before.p.is_empty & ~own.is_empty", "& 0", KEPT),
    Mutant(
        "kept keys of others end the query", "kept_keys.py", "before.p.last & own.is_empty)]", "before.p.last)]", KEPT
    ),
    Mutant("an engine's turn does not end", "kept_keys.py", "waiting.o.valid & waiting.o.ready & own.last", "0", KEPT),
    Mutant("results go without those before", "merge.py", "before.valid & own.valid)", "own.valid)", MERGE),
    Mutant("one empty part makes all empty", "merge.py", "before.p.is_empty & own", "before.p.is_empty | own", MERGE),
    Mutant("the sum of weights is the last part's", "merge.py", "before.p.weight_sum + own", "own", MERGE),
    Mutant(
        "nothing is divided by 0",
        "division.py",
        "self.i.p.weight_sum | self.i.p.is_empty",
        "self.i.p.weight_sum",
        MERGE,
    ),
    Mutant("halves are not added", "division.py", " + (self.i.p.weight_sum >> (spec.out_frac_bits + 1))", "", MERGE),
    Mutant(
        "digits of -1 stay in the sums",
        "totals.py",
        "held.negated - (held.negated << spec",
        "0 * (held.negated << spec",
        PARTIAL,
    ),
    Mutant(
        "an empty part has a weight", "totals.py", "Mux(is_empty[-1], 0, weight_sums[-1])", "weight_sums[-1]", PARTIAL
    ),
    Mutant(
        "a maximum goes with a beat",
        "totals.py",
        "self.o.valid & self.o.ready & self.o.p.last",
        "self.o.valid & self.o.ready",
        PARTIAL,
    ),
    Mutant(
        "an engine without quota keeps a key at the cut",
        "scan.py",
        'Mux(is_new, read_cut["quota"] != 0, has_quota)',
        "is_new | has_quota",
        CHAIN,
    ),
    Mutant("scores are overwritten before their scan", "histogram.py", "(row != 0) | (n_free != 0)", "1", BANKS),
    Mutant("kept keys are taken in reset", "kept_keys.py", "~own.is_empty & ~ResetSignal()", "~own.is_empty", RESET),
]
