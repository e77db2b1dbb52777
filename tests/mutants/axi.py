"""Mutants of the engine behind AXI."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

BUFFER = "tests/rtl/test_rtl_axi.py::test_buffer_keeps_order"
REGISTERS = "tests/rtl/test_rtl_axi.py::test_registers_read_write_and_refuse"
PATHS = "tests/rtl/test_rtl_axi.py::test_no_output_depends_on_an_input_of_the_same_cycle"
AT_WORK = "tests/sim/test_sim_axi.py::test_registers[alone]"
BY_HAND = "tests/sim/test_sim_axi_masters.py::test_memory_by_hand[both]"
OF_BEATS = "tests/sim/test_sim_axi_masters.py::test_memory_by_hand[bursts]"
BURSTS = "tests/rtl/test_rtl_axi.py::test_bursts_of_words_that_follow_each_other"
WRITES = "tests/formal/test_formal_proofs.py::test_small_proof[axi.writes_of_beats]"
PORTS = "tests/formal/test_formal_proofs.py::test_small_proof[axi.ports_masters]"
GATHERED = "tests/rtl/test_rtl_axi.py::test_queries_are_gathered_in_order"
OF_GROUPS = "tests/sim/test_sim_axi.py::test_registers[groups]"
DRIVEN = "tests/driver/test_driver.py::test_answers_are_those_of_golden[groups-c]"
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
    Mutant(
        "an error comes again", "axi/engine.py", "Cat(self.engine.error & ~seen,", "Cat(self.engine.error,", AT_WORK
    ),
    Mutant("what rests is enabled", "axi/engine.py", "file.control_enable & ~is_wanted", "~is_wanted", AT_WORK),
    Mutant(
        "a query overtakes a row",
        "axi/engine.py",
        'accepts.eq(accepts & ~buffers["i_row"].o.valid)',
        "accepts.eq(accepts)",
        SLOW_ROWS,
    ),
    Mutant("a burst crosses its page", "axi/read_master.py", " & ~starts_page &", " &", BURSTS),
    Mutant("bursts are single words", "axi/read_master.py", "is_open & (address == last + 1)", "0", BURSTS),
    Mutant("words that are wrong are used", "axi/read_master.py", "Mux(is_wrong, 0, ", "Mux(0, 0, ", BY_HAND),
    Mutant("one wrong beat is not seen", "axi/read_master.py", "self.rresp[1] | was_wrong", "self.rresp[1]", OF_BEATS),
    Mutant("a reset waits for no word", "axi/engine.py", "resets.eq(resets & awaits)", "resets.eq(0)", BY_HAND),
    Mutant("a value's sign is not turned", "axi/memory_master.py", "~element[-1])", "element[-1])", BY_HAND),
    Mutant("a wrong write is not told", "axi/write_master.py", "ends & self.bresp[1]", "0", BY_HAND),
    Mutant("a burst's first beat again", "axi/write_master.py", "beat.eq(beat + 1)", "beat.eq(beat)", WRITES),
    Mutant("a query is held a place too far", "axi/gather.py", "self.n_held == n)", "self.n_held == n + 1)", GATHERED),
    Mutant("a group lacks one", "axi/gather.py", "n_queries_a_row - 1\n", "n_queries_a_row - 2\n", GATHERED),
    Mutant("a group does not wait", "axi/gather.py", "ready.eq(~is_last | self.o.ready)", "ready.eq(1)", GATHERED),
    Mutant("a second group has none", "axi/gather.py", "self.n_held.eq(0)", "self.n_held.eq(1)", GATHERED),
    Mutant("part of a group is waited for", "axi/engine.py", "else count != gathered", "else count.any()", OF_GROUPS),
    Mutant(
        "masks are of one query",
        "axi/registers.py",
        "n_bytes(payload.mask_row(dims)) if",
        "n_bytes(dims.n_lanes) if",
        DRIVEN,
    ),
    Mutant("a base counts at once", "axi/memory_master.py", "m.If(self.is_idle)", "m.If(1)", PORTS),
]
