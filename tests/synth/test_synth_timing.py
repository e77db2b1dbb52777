"""Static timing, worked by hand on a small library, and by a slow and plain calculation of our own."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from hamming.synth.library.cell_model import CellLibrary
from hamming.synth.library.liberty import read_library
from hamming.synth.netlist.flattening import flatten
from hamming.synth.timing.analysis import Timing, time_design
from tests.synth.netlists import nangate_cells
from tests.synth.timing_toys import PLAIN, TOY, changed, netlist


@pytest.fixture(scope="module")
def toys() -> CellLibrary:
    return read_library(TOY, "hash")


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


@pytest.fixture(scope="module")
def nangate() -> CellLibrary:
    return nangate_cells()


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
