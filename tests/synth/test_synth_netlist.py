from __future__ import annotations

import copy

import numpy as np
import pytest

from hamming.synth.library.cell_model import CellLibrary
from hamming.synth.library.liberty import read_library
from hamming.synth.netlist.flattening import flatten
from hamming.synth.netlist.netlist import ONE, TOP_BLOCK, ZERO
from hamming.synth.yosys.memories import MACRO
from hamming.synth.yosys.process import SynthesisError
from tests.synth.netlists import flat, module

TOY = """
library (toy) {
  time_unit : "1ns"; capacitive_load_unit (1, ff); nom_voltage : 1; default_wire_load : "wires";
  wire_load ("wires") { capacitance : 0.5; slope : 2; fanout_length (1, 3); fanout_length (2, 4); }
  cell (INV) { pin (A) { direction : input; capacitance : 2; fall_capacitance : 1; }
               pin (Y) { direction : output; function : "!A"; } }
  cell (NAND) { pin (A, B) { direction : input; capacitance : 3; }
                pin (Y) { direction : output; function : "!(A & B)"; } }
  cell (HALF) { pin (A, B) { direction : input; capacitance : 1; } pin (S) { direction : output; function : "A^B"; }
                pin (C) { direction : output; function : "A&B"; } }
  cell (FLOP) { ff (IQ, IQN) { next_state : "D"; clocked_on : "CK"; }
    pin (CK) { direction : input; clock : true; capacitance : 1; } pin (D) { direction : input; capacitance : 4; }
    pin (Q) { direction : output; function : "IQ"; } pin (QN) { direction : output; function : "IQN"; } }
  cell (RFLOP) { ff (IQ, IQN) { next_state : "D"; clocked_on : "CK"; clear : "R"; }
    pin (CK) { direction : input; clock : true; } pin (D) { direction : input; } pin (R) { direction : input; }
    pin (Q) { direction : output; function : "IQ"; } }
  cell (FILL) { area : 1; }
}
"""


@pytest.fixture(scope="module")
def cells() -> CellLibrary:
    return read_library(TOY, "hash")


def pair() -> dict:
    """The top holds an inverter and twice the module `inner`, which hands its input through as well."""
    inner = module(
        [("NAND", {"A": 2, "B": 3, "Y": 4})],
        a=("input", [2]),
        b=("input", [3]),
        y=("output", [4]),
        through=("output", [2]),
        one=("output", ["1"]),  # pyright: ignore[reportArgumentType]
    )
    top = module(
        [
            ("INV", {"A": 5, "Y": 6}),
            ("inner", {"a": 2, "b": 3, "y": 4, "through": 5, "one": 9}),
            ("inner", {"a": 4, "b": 6, "y": 7, "through": 8, "one": 10}),
            ("HALF", {"A": 8, "B": 10, "S": 11}),
        ],
        p=("input", [2, 3]),
        q=("output", [7, 11, 9]),
    )
    return {"modules": {"top": top, "inner": inner}}


def test_repeated_modules_are_expanded(cells: CellLibrary):
    netlist = flatten(pair(), "top", cells)
    assert {kind: len(group) for kind, group in netlist.groups.items()} == {"HALF": 1, "INV": 1, "NAND": 2}
    assert len(netlist) == 4
    nand, inv, half = (netlist.groups[kind] for kind in ("NAND", "INV", "HALF"))
    p, q = netlist.inputs["p"], netlist.outputs["q"]
    assert nand.net("A")[0] == p[0]
    assert nand.net("B")[0] == p[1]
    assert nand.net("A")[1] == nand.net("Y")[0]
    assert nand.net("B")[1] == inv.net("Y")[0]
    assert [netlist.instance(nand, row) for row in (0, 1)] == ["c1.c0", "c2.c0"]
    assert netlist.blocks == (TOP_BLOCK, "c1", "c2")
    assert netlist.block_of(nand.scope).tolist() == [1, 2]
    assert netlist.block_of(half.scope).tolist() == [0]
    assert q[0] == nand.net("Y")[1]


def test_ports_handed_through_and_constants_are_one_net(cells: CellLibrary):
    netlist = flatten(pair(), "top", cells)
    assert netlist.groups["INV"].net("A")[0] == netlist.inputs["p"][0]
    assert netlist.groups["HALF"].net("A")[0] == netlist.groups["NAND"].net("Y")[0]
    assert netlist.groups["HALF"].net("B")[0] == ONE == netlist.outputs["q"][2]
    # Constants, two inputs, and outputs of NANDs, inverter and half adder, whose open output has a net too.
    assert netlist.n_nets == 2 + 2 + 2 + 1 + 2


def test_levels_rise_along_every_path(cells: CellLibrary):
    netlist = flatten(pair(), "top", cells)
    assert netlist.groups["NAND"].level.tolist() == [1, 2]
    assert netlist.groups["HALF"].level.tolist() == [2]
    order = [(group.cell.name, rows.tolist()) for group, rows in netlist.levels()]
    assert order == [("INV", [0]), ("NAND", [0]), ("HALF", [0]), ("NAND", [1])]


def test_loads_are_pins_and_wires(cells: CellLibrary):
    netlist = flatten(pair(), "top", cells)
    first, inner = netlist.inputs["p"][0], netlist.groups["NAND"].net("Y")[0]
    fan_out, load = netlist.fan_out(), netlist.load(cells)
    assert (fan_out[first], fan_out[inner]) == (2, 2)
    assert load[first] == 3 + 2 + 0.5 * 4
    assert load[inner] == 3 + 1 + 0.5 * 4
    assert load[netlist.inputs["p"][1]] == 3 + 0.5 * 3
    assert load[netlist.outputs["q"][0]] == 0
    assert netlist.load(cells, wire_load=None, edge="fall")[first] == 3 + 1


def flop(**pins) -> tuple[str, dict]:
    return "FLOP", {"CK": 2, **pins}


def test_clocks_are_told_apart_and_flip_flops_break_paths(cells: CellLibrary):
    netlist = flat(cells, [flop(D=4, Q=3), ("INV", {"A": 3, "Y": 4})], clk=("input", [2]))
    assert np.flatnonzero(netlist.clock_nets()).tolist() == netlist.inputs["clk"].tolist()
    assert netlist.groups["INV"].level.tolist() == [1]
    assert netlist.groups["FLOP"].level.tolist() == [0]


MEMORY = {
    "ABITS": "10",
    "WIDTH": "11",
    "SIZE": "100",
    "RD_PORTS": "1",
    "WR_PORTS": "1",
    "RD_CLK_ENABLE": "1",
    "RD_CLK_POLARITY": "1",
    "WR_CLK_POLARITY": "1",
    "RD_TRANSPARENCY_MASK": "0",
    "RD_WIDE_CONTINUATION": "0",
    "WR_WIDE_CONTINUATION": "0",
}


def with_memory(**parameters: str) -> dict:
    pins = {"RD_CLK": 2, "RD_ADDR": [3, 4], "RD_EN": 5, "RD_DATA": [6, 7, 8], "RD_ARST": ["0"], "RD_SRST": ["x"]}
    pins |= {"WR_CLK": 2, "WR_ADDR": [9, 10], "WR_EN": [11, 11, 11], "WR_DATA": [12, 13, "0"]}
    inner = module(
        [(MACRO, pins)],
        clk=("input", [2]),
        others=("input", [3, 4, 5, 9, 10, 11, 12, 13]),
        data=("output", [6, 7, 8]),
    )
    inner["cells"]["c0"]["parameters"] = MEMORY | parameters
    top = module(
        [("inner", {"clk": 2, "others": [3, 4, 5, 6, 7, 8, 9, 10], "data": [11, 12, 13]})],
        clk=("input", [2]),
        i=("input", [3, 4, 5, 6, 7, 8, 9, 10]),
        o=("output", [11, 12, 13]),
    )
    return {"modules": {"top": top, "inner": inner}}


def test_memories_are_macros(cells: CellLibrary):
    netlist = flatten(with_memory(), "top", cells)
    (macro,) = netlist.macros
    i, (clk,) = netlist.inputs["i"].tolist(), netlist.inputs["clk"]
    assert (macro.name, macro.depth, macro.width) == ("c0", 4, 3)
    (read,), (write,) = macro.reads, macro.writes
    assert read.address.tolist() == i[:2]
    assert (read.enable, read.clock) == (i[2], clk)
    assert read.data.tolist() == netlist.outputs["o"].tolist()
    assert write.address.tolist() == i[3:5]
    assert write.enable.tolist() == [i[5]] * 3
    assert write.data.tolist() == [*i[6:], ZERO]
    # One pin for each bit of address and data, and for each enable.
    assert netlist.pin_capacitance(macro_pin=2.0)[i[5]] == 2.0


@pytest.mark.parametrize(
    ("parameter", "value"), [("RD_CLK_ENABLE", "0"), ("WR_CLK_POLARITY", "0"), ("RD_TRANSPARENCY_MASK", "1")]
)
def test_other_memories_are_refused(cells: CellLibrary, parameter: str, value: str):
    with pytest.raises(SynthesisError, match=f"{parameter} = {value}, which is not supported"):
        flatten(with_memory(**{parameter: value}), "top", cells)


def test_what_would_mislead_is_refused(cells: CellLibrary):
    def refused(match: str, place: str, **connections) -> None:
        design = copy.deepcopy(pair())
        parent, cell = place.split(".")
        design["modules"][parent]["cells"][cell]["connections"] = connections
        with pytest.raises(SynthesisError, match=match):
            flatten(design, "top", cells)

    refused("leaves pin B of inner.c0 .NAND. open", "inner.c0", A=[2], Y=[4])
    refused("leaves a net without a driver: NAND c1.c0", "inner.c0", A=[2], B=[77], Y=[4])
    refused("leaves a net without a driver: port q", "top.c3", A=[8], B=[10])
    refused("2 drivers on net", "top.c3", A=[8], B=[10], S=[11], C=[6])
    refused("loop of gates through c[12].c0", "inner.c0", A=[2], B=[4], Y=[4])


@pytest.mark.parametrize(
    ("kind", "match"),
    [
        ("MUX", "c0 of type MUX, which is no cell of the library"),
        ("FILL", "of type FILL, which is no gate, flip-flop or clock gate"),
        ("RFLOP", "of type RFLOP, whose asynchronous reset is not supported"),
    ],
)
def test_cells_without_a_use_are_refused(cells: CellLibrary, kind: str, match: str):
    pins = {"CK": 2, "D": 2, "R": 2, "Q": 3}
    with pytest.raises(SynthesisError, match=match):
        flat(cells, [(kind, pins)], i=("input", [2]))


def test_the_top_must_exist(cells: CellLibrary):
    with pytest.raises(SynthesisError, match="has no module bottom"):
        flatten(pair(), "bottom", cells)
