"""From matches to weights: the softmax table, and which tables may be shifted."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

SOFTMAX = "tests/rtl/test_rtl_components.py::test_softmax_looks_up"
RISING = "tests/rtl/test_rtl_softmax.py::test_no_softmax_table_sets_an_error_and_is_used"
FALLING = "tests/rtl/test_rtl_softmax.py::test_a_falling_table_in_any_order_sets_no_error"
AGAIN = "tests/rtl/test_rtl_softmax.py::test_a_table_is_looked_at_again_when_it_was_written_again"
POWERS = "tests/rtl/test_rtl_softmax.py::test_shift_stores_powers_of_two"

MUTANTS = [
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
        "any table may be shifted",
        "supported.py",
        "if weight and not is_power_of_two(weight):",
        "if False:",
        "tests/rtl/test_rtl_shift.py::test_shifts_need_powers_of_two",
    ),
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
]
