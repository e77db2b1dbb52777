"""From weights and values to outputs: products, sums and quotients."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

WEIGHTED_SUM = "tests/rtl/test_rtl_components.py::test_weighted_sum"
NORMALIZER = "tests/rtl/test_rtl_normalizer.py::test_normalizer_rounds_exactly"
SHIFT = "tests/rtl/test_rtl_shift.py::test_shift_sum"
RESET = "tests/rtl/test_rtl_bounds.py::test_nothing_is_transferred_or_written_in_reset"
SUM_BENCH = "tests/sim/test_sim_components.py::test_component[weighted_sum-plain]"

MUTANTS = [
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
        "Mux(restart, 0, total) + added_negated",
        "Mux(restart, 0, total)",
        WEIGHTED_SUM,
    ),
    Mutant("a digit of 3 gives no carry", "multiply.py", "carry = digit >= 3", "carry = digit > 3", WEIGHTED_SUM),
    Mutant("a digit of -1 is not complemented", "multiply.py", "Mux(high, ~value, value)", "value", WEIGHTED_SUM),
    Mutant(
        "terms are added where they are not",
        "chained_sum.py",
        "total[:n_low], total[n_low:] + upper",
        "total + upper",
        WEIGHTED_SUM,
    ),
    Mutant(
        "a chained sum goes on with the last slice's",
        "chained_sum.py",
        "acc.eq(Mux(is_last, 0, after))",
        "acc.eq(after)",
        WEIGHTED_SUM,
    ),
    Mutant(
        "a chained sum whose last weight is 0 is not handed on",
        "weighted_sum.py",
        'is_first | at["last"][1] if',
        "is_first if",
        WEIGHTED_SUM,
    ),
    Mutant(
        "a chained sum that waits is overwritten",
        "weighted_sum.py",
        "go.eq(~(holds & last_ends))",
        "go.eq(1)",
        WEIGHTED_SUM,
    ),
    Mutant(
        "sums that all share are ahead of the elements'",
        "weighted_sum.py",
        "shared = [*held]",
        "shared = [*shared]",
        WEIGHTED_SUM,
    ),
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
        'is_first | at["last"][1] if dims.has_chains else is_first',
        'at["last"][1] if dims.has_chains else 0',
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
        "addition.py",
        "if column in places else",
        "if False else",
        NORMALIZER,
    ),
    Mutant(
        "a carry from one part of the sum to the next is lost",
        "addition.py",
        "+ correction + carry)",
        "+ correction)",
        NORMALIZER,
    ),
    Mutant(
        "sums that are held are overwritten",
        "addition.py",
        "i.ready.eq(~is_busy | (go & ends))",
        "i.ready.eq(~is_busy | go)",
        NORMALIZER,
    ),
    Mutant(
        "a slice is corrected by the next one's weights",
        "addition.py",
        "is_first[: stage + 1]",
        "is_first[:1]",
        NORMALIZER,
    ),
    Mutant(
        "a longer memory's word is taken early",
        "weighted_sum.py",
        "key, is_here = waits, waits_here",
        "is_here = waits_here",
        SUM_BENCH,
    ),
    Mutant("an output is offered in reset", "normalizer.py", "valid[-1] & ~ResetSignal()", "valid[-1]", RESET),
]
