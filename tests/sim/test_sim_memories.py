"""An engine with external memories as its users get it: the wrapper around it, with the memory that it instantiates."""

import pytest

from hamming.rtl.design import load_design
from hamming.rtl.memory_wrapper import RAM, ram_verilog
from hamming.sim import testbench
from hamming.sim.regression import regress

#: A word of two keys, a slice of half a value vector.
CHANGES = ["engine.memory=external", "engine.n_lanes=2", "engine.mask=true", "spec.n_keys=13"]


def design_of(read_latency):
    return load_design("tiny", [*CHANGES, f"engine.read_latency={read_latency}"])


@pytest.mark.parametrize("read_latency", [1, 2, 3])
def test_random_queries_through_the_wrapper(read_latency):
    outcome = regress(design_of(read_latency), 1000, seed=read_latency)
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


def simulate_with(memory, monkeypatch):
    """Let engines be simulated with a memory of this text, in place of the worst one."""
    files = testbench.library()
    assert f"{RAM}.v" in files
    monkeypatch.setattr(testbench, "library", lambda: files | {f"{RAM}.v": memory})


@pytest.mark.parametrize("fault", FAULTS)
def test_a_memory_that_is_wrong_is_noticed(fault, monkeypatch):
    right = ram_verilog()
    before, after = FAULTS[fault]
    assert before in right
    simulate_with(right.replace(before, after), monkeypatch)
    assert regress(design_of(2), 200).report.n_mismatches > 0


@pytest.mark.parametrize("read_latency", [1, 3])
def test_the_memory_that_users_get_does(read_latency, monkeypatch):
    simulate_with(ram_verilog(), monkeypatch)
    assert regress(design_of(read_latency), 300, seed=4).passed
