"""A library whose tables are exact formulas, and netlists of its cells."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from hamming.synth.library.cell_model import CellLibrary
from hamming.synth.netlist.flattening import flatten
from hamming.synth.netlist.netlist import Netlist
from hamming.synth.timing.analysis import Environment


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
