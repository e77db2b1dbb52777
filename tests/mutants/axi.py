"""Mutants of the engine behind AXI."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

BUFFER = "tests/rtl/test_rtl_axi.py::test_buffer_keeps_order"
REGISTERS = "tests/rtl/test_rtl_axi.py::test_registers_read_write_and_refuse"
PATHS = "tests/rtl/test_rtl_axi.py::test_no_output_depends_on_an_input_of_the_same_cycle"
AT_WORK = "tests/sim/test_sim_axi.py::test_registers"
SLOW_ROWS = "tests/sim/test_sim_axi.py::test_random_queries[slow rows]"

MUTANTS = [
    Mutant("a spare beat is lost", "axi/buffer.py", "valid.eq(has_spare | is_taken)", "valid.eq(is_taken)", BUFFER),
    Mutant("the spare is another", "axi/buffer.py", "Mux(has_spare, spare, self.i.payload)", "self.i.payload", BUFFER),
    Mutant(
        "ready depends on ready",
        "axi/buffer.py",
        "self.i.ready.eq(~has_spare & self.accepts)",
        "self.i.ready.eq((~has_spare | self.o.ready) & self.accepts)",
        PATHS,
    ),
    Mutant("bytes that are not enabled", "axi/register_file.py", "executes & is_whole)", "executes)", REGISTERS),
    Mutant("a sticky bit stays", "axi/register_file.py", "value & ~data | getattr", "value | getattr", REGISTERS),
    Mutant(
        "a reset drains nothing",
        "axi/engine.py",
        "m.Elif(is_wanted & ~(file.control_drain & is_busy))",
        "m.Elif(is_wanted)",
        AT_WORK,
    ),
    Mutant("an error comes again", "axi/engine.py", "self.engine.error & ~seen)", "self.engine.error)", AT_WORK),
    Mutant("what rests is enabled", "axi/engine.py", "file.control_enable & ~is_wanted", "~is_wanted", AT_WORK),
    Mutant(
        "a query overtakes a row",
        "axi/engine.py",
        'accepts.eq(accepts & ~buffers["i_row"].o.valid)',
        "accepts.eq(accepts)",
        SLOW_ROWS,
    ),
]
