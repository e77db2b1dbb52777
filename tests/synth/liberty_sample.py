"""A Liberty file with everything that differs from NanGate's: units, order of axes, forms of functions."""

from __future__ import annotations

from collections.abc import Sequence

from hamming.synth.library.boolean import Function
from hamming.synth.library.cell_model import Table

# Everything that differs from NanGate's file: units, order of axes, forms of functions.
OTHER = """
library (other) {
  time_unit : "1ps"; voltage_unit : "1V"; leakage_power_unit : "1uW"; capacitive_load_unit (1, pf);
  nom_voltage : 1.8;
  default_cell_leakage_power : 0.5;
  lu_table_template (delay) {
    variable_1 : total_output_net_capacitance; variable_2 : input_net_transition;
    index_1 ("0.01, 0.03"); index_2 ("10, 20, 40");
  }
  lu_table_template (late) {
    variable_1 : related_pin_transition; variable_2 : constrained_pin_transition;
    index_1 ("10, 20"); index_2 ("30, 40");
  }
  power_lut_template (spent) { variable_1 : input_transition_time; index_1 ("10, 20"); }
  wire_load ("small") { capacitance : 0.002; slope : 3; fanout_length (1, 2); fanout_length (3, 5); }
  cell (GATE) {
    area : 3;
    pin (A, B) { direction : input; capacitance : 0.004; }
    pin (Y) {
      direction : output; function : "(A B)'";
      timing () {
        related_pin : "A B"; timing_sense : negative_unate;
        cell_rise (delay) { values ("1, 2, 3", "4, 5, 6"); }
        cell_fall (delay) { index_1 ("0.02, 0.06"); values ("1, 2, 3", "4, 5, 6"); }
        rise_transition (scalar) { values ("7"); }
        fall_transition (scalar) { values ("8"); }
      }
      internal_power () { related_pin : "A"; power (spent) { values ("1, 3"); } }
    }
  }
  cell (STORE) {
    area : 9;
    cell_leakage_power : 2;
    ff (IQ, IQN) { next_state : "(D E) + (IQ !E)"; clocked_on : "!C"; clear : "R'"; }
    pin (C) { direction : input; clock : true; capacitance : 0.001; }
    pin (D) {
      direction : input; capacitance : 0.002;
      timing () { related_pin : "C"; timing_type : setup_falling; rise_constraint (late) { values ("1, 2", "3, 4"); } }
    }
    pin (E, R) { direction : input; capacitance : 0.003; }
    pin (Q) { direction : output; function : "IQ"; }
  }
}
"""


def at(table: Table | None, row: float, column: float) -> float:
    assert table is not None
    return float(table(row, column))


def over(function: Function | None, pins: Sequence[str]) -> int:
    assert function is not None
    return function.over(pins)
