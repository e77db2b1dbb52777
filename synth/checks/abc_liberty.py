"""Writes cells as a Liberty file that ABC reads: functions, loads and tables in, text out; ns, V and fF."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from hamming.synth.library.cell_model import Arc, Cell, Table

__all__ = ["buffer", "library_text", "one_output"]

_HEADER = """library (around) {
  delay_model : table_lookup;
  time_unit : "1ns";
  voltage_unit : "1V";
  current_unit : "1mA";
  capacitive_load_unit (1, ff);
"""


def library_text(cells: Iterable[str]) -> str:
    """Return the file that holds the texts of cells."""
    body = "\n".join(cells)
    sizes = sorted(set(re.findall(r"\(table_(\d+)_(\d+)\)", body)))
    templates = "\n".join(_template(int(rows), int(columns)) for rows, columns in sizes)
    return f"{_HEADER}{templates}\n{body}\n}}\n"


def _template(rows: int, columns: int) -> str:
    """Return the template of tables of a size, which ABC insists on."""
    axes = " ".join(f'index_{n} ("{_numbers(np.arange(size))}");' for n, size in ((1, rows), (2, columns)))
    variables = "variable_1 : input_net_transition; variable_2 : total_output_net_capacitance;"
    return f"  lu_table_template (table_{rows}_{columns}) {{ {variables} {axes} }}"


def one_output(name: str, cell: Cell, pin: str, loads: bool) -> str:
    """Return a cell of one of a gate's outputs; its inputs have the capacitance of the gate's, or none."""
    inputs = []
    for own in cell.inputs:
        model = cell.pins[own]
        rise, fall = (model.rise_capacitance, model.fall_capacitance) if loads else (0.0, 0.0)
        inputs.append(_input(own, rise, fall))
    arcs = [arc for arc in cell.arcs if arc.to_pin == pin and arc.kind == "combinational"]
    return _cell(name, inputs, pin, cell.functions[pin].text, arcs, cell.pins[pin].max_capacitance)


def buffer(name: str, load: tuple[float, float], rise: Table, fall: Table, slew_rise: Table, slew_fall: Table) -> str:
    """Return a cell from A to Z; `load` is the capacitance of A, rising and falling."""
    tables = {"rise": rise, "fall": fall, "slew_rise": slew_rise, "slew_fall": slew_fall}
    arc = Arc(from_pin="A", to_pin="Z", kind="combinational", sense="positive_unate", when=None, **tables)
    return _cell(name, [_input("A", *load)], "Z", "A", [arc], None)


def _input(name: str, rise: float, fall: float) -> str:
    capacitances = f"capacitance : {rise:.6f}; rise_capacitance : {rise:.6f}; fall_capacitance : {fall:.6f};"
    return f"    pin ({name}) {{ direction : input; {capacitances} }}"


def _cell(name: str, inputs: list[str], pin: str, function: str, arcs: list[Arc], limit: float | None) -> str:
    lines = [f"  cell ({name}) {{", "    area : 0;", *inputs]
    limit = 1000.0 if limit is None else limit
    lines.append(f'    pin ({pin}) {{ direction : output; function : "{function}"; max_capacitance : {limit:.6f};')
    for arc in arcs:
        lines.append(f'      timing () {{ related_pin : "{arc.from_pin}"; timing_sense : {arc.sense};')
        for key, table in (
            ("cell_rise", arc.rise),
            ("cell_fall", arc.fall),
            ("rise_transition", arc.slew_rise),
            ("fall_transition", arc.slew_fall),
        ):
            if table is not None:
                axes = f'index_1 ("{_numbers(table.rows)}"); index_2 ("{_numbers(table.columns)}");'
                values = ", ".join(f'"{_numbers(row)}"' for row in table.values)
                lines.append(
                    f"        {key} (table_{len(table.rows)}_{len(table.columns)}) {{ {axes} values ({values}); }}"
                )
        lines.append("      }")
    return "\n".join([*lines, "    }", "  }"])


def _numbers(values: np.ndarray) -> str:
    return ", ".join(f"{value:.8g}" for value in values)
