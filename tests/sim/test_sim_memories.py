"""An engine with external memories as its users get it: the wrapper around it, with the memory that it instantiates."""

import pytest

from rtl.design import load_design
from sim import testbench
from sim.regression import regress

#: A word of two keys, a slice of half a value vector.
CHANGES = ["engine.memory=external", "engine.n_lanes=2", "engine.mask=true", "spec.n_keys=13"]


def design_of(read_latency):
    return load_design("tiny", [*CHANGES, f"engine.read_latency={read_latency}"])


@pytest.mark.parametrize("read_latency", [1, 2, 3])
def test_random_queries_through_the_wrapper(read_latency):
    outcome = regress(design_of(read_latency), 300, seed=read_latency)
    assert outcome.report.mismatches == []
    assert outcome.report.violations == []
    assert outcome.missing == []
    assert outcome.passed


#: What a macro must do, and a memory that does not.
FAULTS = {
    "what is not enabled holds": ("if (read_en[0]) stages[0]", "stages[0]"),
    "a register has an enable of its own": ("if (read_en[stage]) stages[stage]", "stages[stage]"),
    "a lane is written by itself": ("if (write_en[lane])", "if (write_en != 0)"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_memory_that_is_wrong_is_noticed(fault, monkeypatch):
    right = testbench.ram_verilog()
    before, after = FAULTS[fault]
    assert before in right
    monkeypatch.setattr(testbench, "ram_verilog", lambda: right.replace(before, after))
    assert regress(design_of(2), 200).report.n_mismatches > 0


def test_what_a_memory_reads_of_a_word_that_is_written_does_not_matter(monkeypatch):
    right = testbench.ram_verilog()
    before = "if (read_en[0]) stages[0] <= words[read_addr];"
    assert before in right
    after = "if (read_en[0]) stages[0] <= words[read_addr] ^ {WIDTH{|write_en && write_addr == read_addr}};"
    monkeypatch.setattr(testbench, "ram_verilog", lambda: right.replace(before, after))
    assert regress(design_of(1), 300, seed=4).passed
