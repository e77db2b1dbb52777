"""The Verilog that is simulated: memories that mind collisions, nothing known at power-up, and the same ports."""

import re

import pytest

from hamming.rtl.design import load_design
from hamming.rtl.engine import Engine
from hamming.rtl.manifest import manifest
from hamming.rtl.verilog import emit
from hamming.sim.engine_testbench import EngineTestbench
from hamming.sim.worst_case import with_macros, without_initial_values

DESIGN = load_design("tiny", ["engine.n_lanes=4", "engine.value_banks=2", "engine.table=loadable"])


@pytest.fixture(scope="module")
def verilog():
    return emit(Engine(DESIGN.spec, DESIGN.config), "tiny")


def headers(text):
    return re.findall(r"^(?:module|  (?:input|output)) [^\n]*", text, re.MULTILINE)


def test_each_memory_of_the_manifest_is_a_macro(verilog):
    simulated = with_macros(verilog)
    sizes = re.findall(r"  hamming_ram_1r1w #\(\.DEPTH\((\d+)\), \.ADDR_BITS\(\d+\), \.WIDTH\((\d+)\)", simulated)
    engine = Engine(DESIGN.spec, DESIGN.config)
    memories = manifest(engine, verilog)["memories"]
    expected = sorted((memory["depth"], memory["bits_a_word"]) for memory in memories)
    assert sorted((int(depth), int(bits)) for depth, bits in sizes) == expected
    assert not re.search(r"^  reg .*\bmemory \[", simulated, re.MULTILINE)
    assert headers(simulated) == headers(verilog)


def test_nothing_has_an_initial_value(verilog):
    simulated = without_initial_values(verilog)
    assert re.search(r"^  reg .* = \d+'", verilog, re.MULTILINE)
    assert not re.search(r"^  reg .* = \d+'", simulated, re.MULTILINE)
    assert "initial" not in simulated
    assert headers(simulated) == headers(verilog)


def test_memory_of_another_form_is_an_error(verilog):
    other = verilog.replace("if (read__en) begin", "if (!read__en) begin end else begin")
    with pytest.raises(ValueError, match=r"the memory of module .* has a form that sim\.worst_case does not know"):
        with_macros(other)


def test_unknown_power_up_is_an_error():
    with pytest.raises(ValueError, match="power_up must be one of unknown, zero, not 'random'"):
        EngineTestbench(DESIGN, power_up="random")
