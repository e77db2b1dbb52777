from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from hamming.rtl import verilog
from hamming.rtl.design import load_design
from hamming.rtl.engine import Engine
from hamming.synth.checks import opensta
from hamming.synth.checks.abc_timer import time_with_abc
from hamming.synth.checks.opensta import time_with_opensta
from hamming.synth.library.cell_model import CellLibrary
from hamming.synth.library.liberty import load_cells, read_library
from hamming.synth.library.libraries import load_library
from hamming.synth.mapping.area import Mapped, map_design
from hamming.synth.memory.sram import SramModel, memory_delays
from hamming.synth.netlist.flattening import flatten
from hamming.synth.netlist.netlist import Netlist
from hamming.synth.studies import timings
from hamming.synth.timing.analysis import Environment, Timing, TimingReport, time_design
from hamming.synth.yosys import process as yosys
from hamming.synth.yosys.process import SynthesisError


def table(name: str, base: float, by_slew: float, by_load: float) -> str:
    """`base + by_slew * slew + by_load * load`, which bilinear look-up gives back exactly."""
    values = [[base + by_slew * slew + by_load * load for load in (0, 10)] for slew in (0, 0.1)]
    rows = ", ".join(f'"{row[0]:.9g}, {row[1]:.9g}"' for row in values)
    return f"{name} (t) {{ values ({rows}); }}"


def arc(pin: str, sense: str, rise: tuple, fall: tuple, slew_rise: tuple, slew_fall: tuple, more: str = "") -> str:
    tables = [table("cell_rise", *rise), table("cell_fall", *fall)]
    tables += [table("rise_transition", *slew_rise), table("fall_transition", *slew_fall)]
    return f'timing () {{ related_pin : "{pin}"; timing_sense : {sense}; {more} {" ".join(tables)} }}'


def setup(rise: float, fall: float, by_data: float, by_clock: float) -> str:
    def values(base: float) -> str:
        return ", ".join(f'"{base + by_data * d}, {base + by_data * d + by_clock * 0.1}"' for d in (0, 0.1))

    tables = f"rise_constraint (s) {{ values ({values(rise)}); }} fall_constraint (s) {{ values ({values(fall)}); }}"
    return f'timing () {{ related_pin : "C"; timing_type : setup_rising; {tables} }}'


INV = arc("A", "negative_unate", (0.010, 0.5, 0.002), (0.020, 0.25, 0.001), (0.01, 0, 0.001), (0.02, 0, 0.002))
XOR_A = arc("A", "positive_unate", (0.03, 1, 0), (0.05, 1, 0), (0.01, 0, 0), (0.02, 0, 0), 'when : "!B";')
XOR_A += arc("A", "negative_unate", (0.04, 1, 0), (0.02, 1, 0), (0.03, 0, 0), (0.01, 0, 0), 'when : "B";')
XOR_B = arc("B", "non_unate", (0.03, 0, 0.001), (0.05, 0, 0.001), (0.05, 0, 0), (0.06, 0, 0))
FLOP = arc(
    "C", "non_unate", (0.1, 1, 0.01), (0.12, 1, 0.01), (0.02, 0, 0.001), (0.03, 0, 0.001), "timing_type : rising_edge;"
)
TOY = f"""
library (toy) {{
  time_unit : "1ns"; capacitive_load_unit (1, ff); nom_voltage : 1;
  lu_table_template (t) {{
    variable_1 : input_net_transition; variable_2 : total_output_net_capacitance;
    index_1 ("0, 0.1"); index_2 ("0, 10");
  }}
  lu_table_template (s) {{
    variable_1 : constrained_pin_transition; variable_2 : related_pin_transition;
    index_1 ("0, 0.1"); index_2 ("0, 0.1");
  }}
  wire_load ("wires") {{ capacitance : 0.5; slope : 2; fanout_length (1, 3); fanout_length (2, 4); }}
  cell (INV) {{
    area : 1;
    pin (A) {{ direction : input; capacitance : 2; rise_capacitance : 2; fall_capacitance : 1; }}
    pin (Y) {{ direction : output; max_capacitance : 9; function : "!A"; {INV} }}
  }}
  cell (XOR) {{
    area : 2;
    pin (A, B) {{ direction : input; capacitance : 3; }}
    pin (Y) {{ direction : output; function : "A ^ B"; {XOR_A} {XOR_B} }}
  }}
  cell (FLOP) {{
    area : 5; ff (IQ, IQN) {{ next_state : "D"; clocked_on : "C"; }}
    pin (C) {{ direction : input; clock : true; capacitance : 1; }}
    pin (D) {{ direction : input; capacitance : 4; {setup(0.03, 0.05, 0.5, 0.1)} }}
    pin (Q) {{ direction : output; function : "IQ"; {FLOP} }}
  }}
  cell (GATE) {{
    area : 3; clock_gating_integrated_cell : latch_posedge; statetable ("C E", "IQ") {{ table : "L L : - : L"; }}
    pin (IQ) {{ direction : internal; internal_node : IQ; }}
    pin (C) {{ direction : input; clock_gate_clock_pin : true; capacitance : 1; }}
    pin (E) {{ direction : input; clock_gate_enable_pin : true; capacitance : 1; {setup(0.06, 0.07, 0, 0)} }}
    pin (G) {{ direction : output; clock_gate_out_pin : true; state_function : "C & IQ"; }}
  }}
}}
"""

#: No drivers, no wires, sharp edges: what a hand can work out.
PLAIN = Environment(driving_cell=None, input_slew=0.0, clock_slew=0.0, wire_load=None, output_load=0.0)


@pytest.fixture(scope="module")
def toys() -> CellLibrary:
    return read_library(TOY, "hash")


def netlist(
    toys: CellLibrary, cells: Sequence[tuple[str, Mapping[str, int]]], inputs: str = "", outputs: str = ""
) -> Netlist:
    """Build a netlist of cells; `inputs` and `outputs` are `name:net`; the clock is net 2."""
    ports = {"clk": {"direction": "input", "bits": [2]}}
    for text, direction in ((inputs, "input"), (outputs, "output")):
        for name, net in (port.split(":") for port in text.split()):
            ports[name] = {"direction": direction, "bits": [int(net)]}
    instances = {
        f"c{number}": {"type": kind, "parameters": {}, "connections": {pin: [net] for pin, net in pins.items()}}
        for number, (kind, pins) in enumerate(cells)
    }
    return flatten({"modules": {"top": {"ports": ports, "cells": instances}}}, "top", toys)


def changed(**changes: Any) -> Environment:
    return dataclasses.replace(PLAIN, **changes)


# --- worked by hand


def test_a_path_through_two_gates_is_as_worked_by_hand(toys: CellLibrary):
    design = netlist(
        toys,
        [
            ("FLOP", {"C": 2, "D": 5, "Q": 3}),
            ("INV", {"A": 3, "Y": 4}),
            ("INV", {"A": 4, "Y": 5}),
        ],
    )
    timing = Timing(design, toys, changed(clock_slew=0.02))
    report = timing.report()
    # Q falls: it sees 1 fF. The first inverter rises into 2 fF, the second falls into the flip-flop's 4 fF.
    q = 0.12 + 0.02 + 0.01 * 1
    first = q + 0.010 + 0.5 * (0.03 + 0.001 * 1) + 0.002 * 2
    second = first + 0.020 + 0.25 * (0.01 + 0.001 * 2) + 0.001 * 4
    slew = 0.02 + 0.002 * 4
    falling = second + 0.05 + 0.5 * slew + 0.1 * 0.02
    # The other way round.
    q_rise = 0.1 + 0.02 + 0.01 * 2
    first_fall = q_rise + 0.020 + 0.25 * (0.02 + 0.001 * 2) + 0.001 * 1
    second_rise = first_fall + 0.010 + 0.5 * (0.02 + 0.002 * 1) + 0.002 * 4
    rising = second_rise + 0.03 + 0.5 * (0.01 + 0.001 * 4) + 0.1 * 0.02
    assert report.period == pytest.approx(max(falling, rising))
    assert falling > rising
    assert report.fmax == pytest.approx(1000 / falling)
    path = report.critical_path
    assert [(step.cell, step.edge, step.to_pin) for step in path.steps] == [
        ("FLOP", "fall", "Q"),
        ("INV", "rise", "Y"),
        ("INV", "fall", "Y"),
    ]
    assert [step.arrival for step in path.steps] == pytest.approx([q, first, second])
    assert sum(step.delay for step in path.steps) == pytest.approx(path.arrival)
    assert path.steps[-1].slew == pytest.approx(slew)
    assert [step.load for step in path.steps] == pytest.approx([1, 2, 4])
    assert (path.start_block, path.end_block, path.end) == ("(top)", "(top)", "c0.D")
    assert path.setup == pytest.approx(falling - second)
    assert (report.n_cells, report.n_levels, report.n_ends, report.n_overloaded) == (3, 2, 1, 0)
    nets = design.groups["INV"].net("Y")
    assert timing.arrival[nets] == pytest.approx(np.array([[first, first_fall], [second_rise, second]]))


def test_a_gate_that_is_not_unate_turns_either_edge_into_either(toys: CellLibrary):
    design = netlist(toys, [("XOR", {"A": 3, "B": 4, "Y": 5})], "a:3 b:4", "y:5")
    timing = Timing(design, toys, changed(input_delay=0.5, untimed=("b",)))
    (y,) = design.outputs["y"]
    # Positive where b is 0, negative where it is 1: of the two ways to each edge the later counts.
    assert timing.arrival[y] == pytest.approx([0.5 + 0.04, 0.5 + 0.05])
    assert timing.slew[y] == pytest.approx([0.03, 0.02])
    timing = Timing(design, toys, changed(input_delay=0.5, untimed=("a",)))
    assert timing.arrival[y] == pytest.approx([0.53, 0.55])
    assert timing.slew[y] == pytest.approx([0.05, 0.06])


def test_the_longest_slew_counts_whichever_arc_is_the_latest(toys: CellLibrary):
    design = netlist(toys, [("INV", {"A": 3, "Y": 6}), ("XOR", {"A": 6, "B": 4, "Y": 5})], "a:3 b:4", "y:5")
    timing = Timing(design, toys, PLAIN)
    (y,) = design.outputs["y"]
    late = [0.010 + 0.002 * 3, 0.020 + 0.001 * 3]
    slew = [0.01 + 0.001 * 3, 0.02 + 0.002 * 3]
    rise = max(late[0] + 0.03 + slew[0], late[1] + 0.04 + slew[1])
    fall = max(late[1] + 0.05 + slew[1], late[0] + 0.02 + slew[0])
    assert timing.arrival[y] == pytest.approx([rise, fall])
    # B, which came at once, is the slower to change.
    assert timing.slew[y] == pytest.approx([0.05, 0.06])


def test_wires_add_to_the_load_by_fan_out(toys: CellLibrary):
    cells = [("INV", {"A": 3, "Y": 4}), ("INV", {"A": 4, "Y": 5}), ("INV", {"A": 4, "Y": 6}), ("INV", {"A": 4, "Y": 7})]
    design = netlist(toys, cells, "a:3", "x:5 y:6 z:7")
    net = design.groups["INV"].net("Y")
    load = Timing(design, toys, changed(wire_load="wires", output_load=7.0)).load[net]
    # Three sinks are one beyond the table: 4 + 2 long, 0.5 fF each. An output is a sink.
    assert load == pytest.approx(np.array([[3 * 2 + 3, 3 * 1 + 3]] + 3 * [[7 + 1.5, 7 + 1.5]]))
    assert Timing(design, toys, changed(wire_load=None)).load[net[0]] == pytest.approx([6, 3])
    assert time_design(design, toys, changed(output_load=9.5)).n_overloaded == 3
    assert time_design(design, toys, changed(output_load=9.0)).n_overloaded == 0


def test_an_input_is_as_late_as_its_load_makes_the_driving_cell(toys: CellLibrary):
    design = netlist(toys, [("XOR", {"A": 3, "B": 3, "Y": 5})], "a:3", "y:5")
    timing = Timing(design, toys, changed(driving_cell="INV", input_slew=0.04, input_delay=0.2))
    (a,) = design.inputs["a"]
    assert timing.arrival[a] == pytest.approx([0.2 + 0.002 * 6, 0.2 + 0.001 * 6])
    assert timing.slew[a] == pytest.approx([0.01 + 0.001 * 6, 0.02 + 0.002 * 6])
    timing = Timing(design, toys, changed(input_slew=0.04, input_delay=0.2))
    assert (timing.arrival[a].tolist(), timing.slew[a].tolist()) == ([0.2, 0.2], [0.04, 0.04])


def test_outputs_must_be_early_by_their_delay(toys: CellLibrary):
    design = netlist(toys, [("INV", {"A": 3, "Y": 4})], "a:3", "y:4")
    report = time_design(design, toys, changed(output_delay=0.3, input_delay=0.1))
    assert report.period == pytest.approx(0.1 + 0.02 + 0.3)
    path = report.critical_path
    assert (path.start_block, path.end_block, path.end) == ("(ports)", "(ports)", "y[0]")
    assert [(step.instance, step.cell) for step in path.steps] == [("a[0]", ""), ("c0", "INV")]


def test_an_enable_of_a_clock_gate_has_a_setup_and_the_gated_clock_no_delay(toys: CellLibrary):
    design = netlist(
        toys,
        [
            ("GATE", {"C": 2, "E": 3, "G": 4}),
            ("FLOP", {"C": 4, "D": 5, "Q": 3}),
            ("INV", {"A": 3, "Y": 5}),
        ],
    )
    report = time_design(design, toys, PLAIN)
    # Q drives the inverter and the enable.
    q_rise, q_fall = 0.1 + 0.01 * (2 + 1), 0.12 + 0.01 * (1 + 1)
    d_rise = q_fall + 0.010 + 0.5 * (0.03 + 0.001 * 2) + 0.002 * 4
    d_fall = q_rise + 0.020 + 0.25 * (0.02 + 0.001 * 3) + 0.001 * 4
    rising, falling = d_rise + 0.03 + 0.5 * (0.01 + 0.001 * 4), d_fall + 0.05 + 0.5 * (0.02 + 0.002 * 4)
    assert report.period == pytest.approx(max(rising, falling))
    assert report.n_ends == 2
    (enable,) = [ends for ends in Timing(design, toys, PLAIN).ends if ends.pin == "E"]
    assert enable.setup == pytest.approx(np.array([[0.06, 0.07]]))


MACRO = {
    "ABITS": "1",
    "WIDTH": "1",
    "SIZE": "10",
    "RD_PORTS": "1",
    "WR_PORTS": "1",
    "RD_CLK_ENABLE": "1",
    "RD_CLK_POLARITY": "1",
    "WR_CLK_POLARITY": "1",
    "RD_TRANSPARENCY_MASK": "0",
    "RD_WIDE_CONTINUATION": "0",
    "WR_WIDE_CONTINUATION": "0",
}


def test_a_memory_has_its_delay_its_setup_and_the_capacitance_of_its_pins(toys: CellLibrary):
    pins = {"RD_CLK": 2, "WR_CLK": 2, "RD_EN": 6, "WR_EN": 6, "RD_ADDR": 5, "WR_ADDR": 5, "RD_DATA": 4, "WR_DATA": 5}
    memory = {
        "type": "$__memory_macro",
        "parameters": MACRO,
        "connections": {**{pin: [net] for pin, net in pins.items()}, "RD_ARST": ["0"], "RD_SRST": ["0"]},
    }
    inner = {
        "ports": {"c": {"direction": "input", "bits": [2]}, "e": {"direction": "input", "bits": [6]}},
        "cells": {
            "memory": memory,
            "inv": {"type": "INV", "parameters": {}, "connections": {"A": [4], "Y": [5]}},
        },
    }
    store = {"type": "store", "parameters": {}, "connections": {"c": [2], "e": [3]}}
    ports = {"clk": {"direction": "input", "bits": [2]}, "en": {"direction": "input", "bits": [3]}}
    top = {"ports": ports, "cells": {"store": store}}
    design = flatten({"modules": {"top": top, "store": inner}}, "top", toys)
    environment = changed(memory_delay=0.4, memory_slew=0.08, memory_setup=0.07, memory_pin=1.5)
    report = time_design(design, toys, environment)
    # Three pins of the memory hang on the inverter.
    rise = 0.4 + 0.010 + 0.5 * 0.08 + 0.002 * 4.5 + 0.07
    fall = 0.4 + 0.020 + 0.25 * 0.08 + 0.001 * 4.5 + 0.07
    assert report.period == pytest.approx(max(rise, fall))
    path = report.critical_path
    assert (path.start_block, path.end_block) == ("store", "store")
    assert [(step.instance, step.cell) for step in path.steps] == [("store", "memory"), ("store.inv", "INV")]
    assert path.end.startswith("store, input ")
    slower = time_design(design, toys, dataclasses.replace(environment, memory_delays={"store": 0.9}))
    assert slower.period == pytest.approx(report.period + 0.5)
    with pytest.raises(ValueError, match=r"^memory_delays must name memories of top, not 'stone'$"):
        time_design(design, toys, changed(memory_delays={"stone": 1.0}))


# --- against a slow and plain calculation of our own


@pytest.fixture(scope="module")
def nangate() -> CellLibrary:
    return load_cells(load_library(), cache=False)


def test_a_random_network_is_as_calculated_cell_by_cell(nangate: CellLibrary):
    rng = np.random.default_rng(1)
    names = ["INV_X1", "NAND2_X1", "NOR3_X1", "XOR2_X1", "XNOR2_X2", "AOI221_X1", "MUX2_X1", "FA_X1", "HA_X1", "BUF_X4"]
    nets, cells = list(range(3, 11)), []
    for _ in range(120):
        cell = nangate.cells[names[rng.integers(len(names))]]
        pins = {pin: int(rng.choice(nets[-25:])) for pin in cell.inputs}
        outputs = {pin: max(nets) + 1 + i for i, pin in enumerate(cell.outputs)}
        nets += outputs.values()
        cells.append((cell.name, pins | outputs))
    inputs = " ".join(f"i{net}:{net}" for net in range(3, 11))
    outputs = " ".join(f"o{net}:{net}" for net in nets[-10:])
    design = netlist(nangate, cells, inputs, outputs)
    environment = changed(input_slew=0.03, output_load=4.0, wire_load="5K_hvratio_1_1")
    timing = Timing(design, nangate, environment)

    sinks = {
        net: [
            (nangate.cells[kind], pin) for kind, pins in cells for pin in nangate.cells[kind].inputs if pins[pin] == net
        ]
        for net in nets
    }
    load, at = {}, {}
    for net in nets:
        n = len(sinks[net]) + (net in nets[-10:])
        wire = float(nangate.wire_loads["5K_hvratio_1_1"].capacitance(np.array(n))) + 4.0 * (net in nets[-10:])
        load[net, "rise"] = wire + sum(cell.pins[pin].rise_capacitance for cell, pin in sinks[net])
        load[net, "fall"] = wire + sum(cell.pins[pin].fall_capacitance for cell, pin in sinks[net])
    for net in range(3, 11):
        at[net, "rise"] = at[net, "fall"] = (0.0, 0.03)
    for kind, pins in cells:
        for pin in nangate.cells[kind].outputs:
            for edge in ("rise", "fall"):
                found = []
                for a in nangate.cells[kind].arcs:
                    delay, slew = getattr(a, edge), getattr(a, f"slew_{edge}")
                    if a.to_pin != pin or delay is None:
                        continue
                    other = {"rise": "fall", "fall": "rise"}[edge]
                    ways = {"positive_unate": [edge], "negative_unate": [other], "non_unate": [edge, other]}
                    for before in ways[a.sense]:
                        arrival, sharp = at[pins[a.from_pin], before]
                        out = load[pins[pin], edge]
                        found.append((arrival + float(delay(sharp, out)), float(slew(sharp, out))))
                at[pins[pin], edge] = max(x for x, _ in found), max(x for _, x in found)
    for name, nets_of_port in design.outputs.items():
        net = int(name[1:])
        expected = np.array([at[net, "rise"], at[net, "fall"]]).T
        np.testing.assert_allclose(timing.arrival[nets_of_port[0]], expected[0], rtol=1e-9)
        np.testing.assert_allclose(timing.slew[nets_of_port[0]], expected[1], rtol=1e-9)


# --- against OpenSTA and ABC


@pytest.fixture(scope="module")
def mapped() -> Mapped:
    design = load_design("tiny")
    text = verilog.emit(Engine(design.spec, design.config), "tiny")
    return map_design(text, top="tiny", library=load_library(), mapping="adders", clock_ns=1.0, cache=False)


@pytest.fixture(scope="module")
def tiny(nangate: CellLibrary, mapped: Mapped) -> Netlist:
    return flatten(mapped.netlist, "tiny", nangate)


@pytest.mark.parametrize(
    ("environment", "tolerance"),
    [
        # Without wires it is the same calculation. With them OpenSTA reckons with their resistance.
        (Environment(wire_load=None, untimed=()), 0.002),
        (Environment(), 0.01),
        (Environment(driving_cell=None, input_slew=0.1, output_load=20.0, memory_delays={"key_memory": 0.6}), 0.01),
    ],
    ids=["no wires", "default", "other"],
)
def test_opensta_finds_the_same_at_every_end(nangate, tiny, environment: Environment, tolerance: float):
    if not opensta.is_installed():
        pytest.skip("OpenSTA is not installed: apt install opensta")
    theirs = time_with_opensta(tiny, nangate, load_library(), environment)
    timing = Timing(tiny, nangate, environment)
    ours = {}
    for ends in timing.ends:
        for row, period in enumerate((timing.arrival[ends.net] + ends.setup).max(axis=1)):
            ours[f"{ends.prefix}_{row}" + (f"/{ends.pin}" if ends.pin else "")] = period
    assert len(theirs.ends) > 700
    assert {"FA_X1", "CLKGATE_X1"} <= tiny.groups.keys()
    assert theirs.ends.keys() == {end for end, period in ours.items() if period > -np.inf}
    for end, period in theirs.ends.items():
        assert ours[end] == pytest.approx(period, rel=tolerance, abs=0.002), end
    report = timing.report()
    assert report.period == pytest.approx(theirs.period, rel=0.005)
    # Pins at the cells' outputs, one a step, where OpenSTA has two.
    assert theirs.steps[-1][1] == pytest.approx(report.critical_path.arrival, rel=0.005)


@pytest.mark.parametrize("wire_load", ["default", None])
def test_abc_finds_nearly_the_same(nangate, tiny, wire_load: str | None):
    environment = Environment(wire_load=wire_load)
    theirs = time_with_abc(tiny, nangate, load_library(), environment)
    ours = time_design(tiny, nangate, environment)
    assert theirs.period == pytest.approx(ours.period, rel=0.02)
    assert theirs.fmax == pytest.approx(1000 / theirs.period)
    assert theirs.wire_load == ("5K_hvratio_1_1" if wire_load else None)
    names = {ends.name(row) for ends in Timing(tiny, nangate, environment).ends for row in range(len(ends.net))}
    assert theirs.end in names
    assert theirs.steps[-1].arrival == pytest.approx(theirs.period, abs=1e-4)


def test_abc_loads_a_full_adders_inputs_once(nangate: CellLibrary):
    cell = {"A": 3, "B": 4, "CI": 5, "CO": 6, "S": 7}
    design = netlist(nangate, [("INV_X1", {"A": 8, "ZN": 3}), ("FA_X1", cell)], "b:4 c:5 a:8", "x:6 y:7")
    environment = Environment(wire_load=None)
    theirs = time_with_abc(design, nangate, load_library(), environment)
    assert [step.cell for step in theirs.steps] == ["pi", "INV_X1", "FA_X1_S_TOO", "PORT"]
    # The capacitance of pin A, between rising and falling, and not twice that.
    assert 3.605599 - 0.05 <= theirs.steps[1].load <= 3.745709 + 0.05


def test_without_opensta_or_abc_it_is_said_how_to_get_it(nangate, tiny, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(opensta.shutil, "which", lambda name: None)
    with pytest.raises(SynthesisError, match=r"^OpenSTA is not installed: apt install opensta$"):
        time_with_opensta(tiny, nangate, load_library())
    monkeypatch.setattr(yosys.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SynthesisError, match=r"^this needs the ABC in pyosys: pip install pyosys$"):
        time_with_abc(tiny, nangate, load_library())


def test_abc_has_no_choice_of_wires(nangate, tiny):
    with pytest.raises(ValueError, match=r"^wire_load must be default or None for ABC, not '1K_hvratio_1_1'$"):
        time_with_abc(tiny, nangate, load_library(), Environment(wire_load="1K_hvratio_1_1"))


# --- reports and mistakes


def test_the_command_prints_what_the_timers_find(nangate, mapped, tiny, monkeypatch: pytest.MonkeyPatch, capsys):
    asked = []
    monkeypatch.setattr(timings, "load_cells", lambda library: nangate)
    monkeypatch.setattr(timings, "map_design", lambda text, **options: asked.append(options) or mapped)
    timings.main(["tiny", "--clock-ns", "1.5", "--paths"])
    header, _, row, *rest = capsys.readouterr().out.splitlines()
    assert (asked[0]["clock_ns"], asked[0]["top"]) == (1.5, "tiny")
    found = dict(zip(header.split(" | "), row.split(" | "), strict=True))
    # A memory of 16 words of 8 bits, by the model.
    delays = memory_delays(tiny)
    assert delays["key_memory"] == SramModel().access_time(16, 8)
    environment = Environment(memory_delays=delays)
    report = time_design(tiny, nangate, environment)
    assert float(found["period, ns"]) == pytest.approx(report.period, abs=5e-4)
    assert float(found["MHz"]) == pytest.approx(report.fmax, abs=0.5)
    by_abc = time_with_abc(tiny, nangate, load_library(), environment)
    assert float(found["ABC, ns"]) == pytest.approx(by_abc.period, abs=5e-4)
    if not opensta.is_installed():
        assert found["OpenSTA, ns"] == "not installed"
    else:
        by_opensta = time_with_opensta(tiny, nangate, load_library(), environment)
        assert float(found["OpenSTA, ns"]) == pytest.approx(by_opensta.period, abs=5e-4)
    for path in report.paths:
        assert timings.path_lines(path)[0] in rest
        assert timings.path_lines(path)[-1] in rest


def test_a_report_goes_through_json(nangate, tiny):
    report = time_design(tiny, nangate, Environment(memory_delays={"key_memory": 0.5}))
    text = json.dumps(report.to_dict())
    assert TimingReport.from_dict(json.loads(text)) == report
    assert json.loads(text)["period"] == report.period
    periods = [path.period for path in report.paths]
    assert periods == sorted(periods, reverse=True)
    assert {"weighted_sum", "normalizer", "selector", "key_memory"} <= {path.end_block for path in report.paths}
    with pytest.raises(ValueError, match=r"^a timing report has format 1, not 7$"):
        TimingReport.from_dict({**report.to_dict(), "format": 7})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clock_slew": -0.1}, r"^clock_slew must be 0 or more, not -0\.1$"),
        ({"memory_delays": {"keys": -1}}, r"^keys must be 0 or more, not -1$"),
        ({"driving_cell": "BUF"}, r"^driving_cell must be a gate of the library or None, not 'BUF'$"),
        ({"driving_cell": "FLOP"}, r"^driving_cell must be a gate of the library or None, not 'FLOP'$"),
        ({"wire_load": "none"}, r"^wire_load must be default, wires or None, not 'none'$"),
        ({"untimed": ("b",)}, r"^untimed must name inputs of top, not 'b'$"),
    ],
)
def test_a_wrong_environment_is_refused(toys: CellLibrary, changes: dict[str, Any], message: str):
    design = netlist(toys, [("INV", {"A": 3, "Y": 4})], "a:3", "y:4")
    with pytest.raises(ValueError, match=message):
        time_design(design, toys, changed(**changes))


def test_a_design_without_paths_is_refused(toys: CellLibrary):
    design = netlist(toys, [("INV", {"A": 3, "Y": 4})], "a:3", "y:4")
    with pytest.raises(ValueError, match=r"^no path of top ends anywhere$"):
        time_design(design, toys, changed(untimed=("a",)))
