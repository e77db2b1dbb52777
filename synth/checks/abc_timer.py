"""The same timing by ABC's own timer (`stime`), as a check on `synth.timing` and beside published figures.

ABC times networks of gates with one output each, and knows neither flip-flops nor memories. So what surrounds the gates
becomes gates too, in a second Liberty file: a flip-flop's output is a gate whose delay is that from the clock, and
whatever a path ends at is a gate whose delay is the setup time. Of a full adder there is one gate for each output, the
first of which has the inputs' capacitance.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hamming.synth.library.cell_model import Arc, Cell, CellLibrary, Table
from hamming.synth.library.libraries import Library
from hamming.synth.netlist.netlist import ONE, ZERO, Netlist
from hamming.synth.timing.analysis import Environment, Timing
from hamming.synth.yosys.process import SynthesisError, abc_program

__all__ = ["AbcReport", "AbcStep", "time_with_abc"]


@dataclass(frozen=True)
class AbcStep:
    """A cell on ABC's slowest path; what stands for a flip-flop or an end is named after its cell and pin.

    `arrival` and `slew` are in ns, `load` in fF.
    """

    cell: str
    arrival: float
    slew: float
    load: float


@dataclass(frozen=True)
class AbcReport:
    """What ABC says.

    Attributes
    ----------
    period
        Shortest clock period, ns.
    end
        Where the slowest path ends, as in `synth.timing.report.TimingPath`.
    steps
        The slowest path.
    wire_load
        Name of the wire-load model that it used, None without.
    """

    period: float
    end: str
    steps: tuple[AbcStep, ...]
    wire_load: str | None

    @property
    def fmax(self) -> float:
        """Highest clock frequency, MHz."""
        return 1e3 / self.period


def time_with_abc(
    netlist: Netlist, cells: CellLibrary, library: Library, environment: Environment | None = None
) -> AbcReport:
    """Time a design as `synth.timing.analysis.time_design` does, by ABC.

    Raises
    ------
    ValueError
        The environment names a wire-load model that is not the library's default: ABC has no choice of it.
    SynthesisError
        ABC is not installed, or does not do what it is told.
    """
    environment = environment or Environment()
    model = cells.wire_load(environment.wire_load)
    if model is not None and model.name != cells.default_wire_load:
        raise ValueError(f"wire_load must be default or None for ABC, not {environment.wire_load!r}")
    network = _Network(netlist, cells, environment)
    commands = ["read_lib -w cells.lib", "read_lib -m around.lib"]
    if environment.driving_cell is not None:
        commands.append("read_constr design.constr")
    commands += ["read_blif design.blif", "topo", "stime -pc" if model else "stime -p"]
    with tempfile.TemporaryDirectory(prefix="hamming-") as name:
        folder = Path(name)
        (folder / "cells.lib").symlink_to(library.path)
        (folder / "around.lib").write_text(network.liberty(), encoding="utf-8")
        (folder / "design.blif").write_text(network.blif(), encoding="utf-8")
        constraint = f"set_driving_cell {environment.driving_cell}\nset_load 0.0\n"
        (folder / "design.constr").write_text(constraint, encoding="utf-8")
        call = [str(abc_program()), "-c", "; ".join(commands)]
        done = subprocess.run(call, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    log = re.sub(r"\x1b\[[\d;]*m", "", done.stdout + done.stderr)
    return _report(log, network.ends)


_STEP = re.compile(
    r"^Path +\d+ -- +\d+ : +\d+ +\d+ (\S+) +A = *\S+ +D[rf] = *(\S+) +\S+ ps +S = *(\S+) ps "
    r"+Cin = *\S+ ff +Cout = *(\S+) ff",
    re.MULTILINE,
)


def _report(log: str, ends: list[str]) -> AbcReport:
    delay = re.search(r'WireLoad = "([^"]*)".*Delay = *(\S+) ps', log)
    end = re.search(r"End-point = po(\d+)", log)
    if delay is None or end is None:
        reason = next((line for line in log.splitlines() if "rror" in line or "annot" in line), "no delay")
        raise SynthesisError(f"ABC: {reason.strip()}", log[-20_000:])
    steps = tuple(AbcStep(cell, float(d) / 1e3, float(s) / 1e3, float(c)) for cell, d, s, c in _STEP.findall(log))
    wire_load = None if delay[1] == "none" else delay[1]
    return AbcReport(period=float(delay[2]) / 1e3, end=ends[int(end[1])], steps=steps, wire_load=wire_load)


class _Network:
    """A netlist as a network of gates, and the gates that ABC's library lacks."""

    def __init__(self, netlist: Netlist, cells: CellLibrary, environment: Environment):
        self.netlist = netlist
        self.environment = environment
        self.inputs: list[str] = []
        self.ends: list[str] = []
        self.gates: list[str] = []
        self.cells: dict[str, str] = {}
        self.quiet = {ZERO, ONE}
        clocks = netlist.clock_nets()
        for name, nets in netlist.inputs.items():
            if name in environment.untimed:
                self.quiet.update(nets.tolist())
            else:
                self.inputs += [f"n{net}" for net in nets if not clocks[net]]
        self._gates()
        self._flip_flops()
        self._memories()
        self._ends(Timing(netlist, cells, environment))

    def net(self, net: int) -> str:
        """Return a net's name; one that does not change is an input of its own at each pin, and burdens nothing."""
        return self.source() if net in self.quiet else f"n{net}"

    def source(self) -> str:
        self.inputs.append(f"i{len(self.inputs)}")
        return self.inputs[-1]

    def gate(self, cell: str, **pins: str) -> None:
        self.gates.append(f".gate {cell} " + " ".join(f"{pin}={net}" for pin, net in pins.items()))

    def _gates(self) -> None:
        used = self.netlist.fan_out() > 0
        for nets in self.netlist.outputs.values():
            used[nets] = True
        for group in self.netlist.of_kind("gate"):
            cell, n_inputs = group.cell, group.n_inputs
            for nets in group.nets.tolist():
                inputs = {pin: self.net(net) for pin, net in zip(group.pins, nets[:n_inputs], strict=False)}
                outputs = [(pin, net) for pin, net in zip(cell.outputs, nets[n_inputs:], strict=True) if used[net]]
                for number, (pin, net) in enumerate(outputs):
                    name = cell.name
                    if len(cell.outputs) > 1:
                        name += f"_{pin}" if number == 0 else f"_{pin}_TOO"
                        if name not in self.cells:
                            self.cells[name] = _one_output(name, cell, pin, loads=number == 0)
                    self.gate(name, **inputs, **{pin: f"n{net}"})

    def _flip_flops(self) -> None:
        for group in self.netlist.of_kind("flip_flop"):
            for pin in group.cell.outputs:
                arcs = [arc for arc in group.cell.arcs if arc.to_pin == pin and arc.kind == "rising_edge"]
                name = f"{group.cell.name}_{pin}"
                tables = {
                    key: _at_row(getattr(arcs[0], key), self.environment.clock_slew)
                    for key in ("rise", "fall", "slew_rise", "slew_fall")
                }
                self.cells[name] = _buffer(name, (0.0, 0.0), **tables)
                for net in group.net(pin).tolist():
                    self.gate(name, A=self.source(), Z=f"n{net}")

    def _memories(self) -> None:
        slew = _constant(self.environment.memory_slew)
        for number, macro in enumerate(self.netlist.macros):
            name, delay = f"MEMORY_{number}", _constant(self.environment.delay_of(macro.name))
            self.cells[name] = _buffer(name, (0.0, 0.0), delay, delay, slew, slew)
            for port in macro.reads:
                for net in port.data.tolist():
                    self.gate(name, A=self.source(), Z=f"n{net}")

    def _ends(self, timing: Timing) -> None:
        environment = self.environment
        zero = _constant(0.0)
        for ends in timing.ends:
            if ends.pin:
                cell = self.netlist.groups[ends.prefix].cell
                setup = next(arc for arc in cell.arcs if arc.to_pin == ends.pin and arc.kind == "setup_rising")
                assert setup.rise is not None
                assert setup.fall is not None
                rise, fall = (_at_column(table, environment.clock_slew) for table in (setup.rise, setup.fall))
                load = cell.pins[ends.pin].rise_capacitance, cell.pins[ends.pin].fall_capacitance
                name = f"{ends.prefix}_{ends.pin}"
            elif ends.prefix.startswith("write_"):
                rise = fall = _constant(environment.memory_setup)
                name, load = "MEMORY_IN", (environment.memory_pin, environment.memory_pin)
            else:
                rise = fall = _constant(environment.output_delay)
                name, load = "PORT", (environment.output_load, environment.output_load)
            self.cells[name] = _buffer(name, load, rise, fall, zero, zero)
            for row, net in enumerate(ends.net.tolist()):
                self.gate(name, A=self.net(net), Z=f"o{len(self.ends)}")
                self.ends.append(ends.name(row))

    def blif(self) -> str:
        """Return the network."""
        outputs = [f"o{i}" for i in range(len(self.ends))]
        ports = " ".join([".inputs", *self.inputs]), " ".join([".outputs", *outputs])
        return "\n".join([f".model {self.netlist.top}", *ports, *self.gates, ".end", ""])

    def liberty(self) -> str:
        """Return the gates that the library lacks."""
        body = "\n".join(self.cells.values())
        sizes = sorted(set(re.findall(r"\(table_(\d+)_(\d+)\)", body)))
        templates = "\n".join(_template(int(rows), int(columns)) for rows, columns in sizes)
        return f"{_HEADER}{templates}\n{body}\n}}\n"


_HEADER = """library (around) {
  delay_model : table_lookup;
  time_unit : "1ns";
  voltage_unit : "1V";
  current_unit : "1mA";
  capacitive_load_unit (1, ff);
"""


def _template(rows: int, columns: int) -> str:
    """Return the template of tables of a size, which ABC insists on."""
    axes = " ".join(f'index_{n} ("{_numbers(np.arange(size))}");' for n, size in ((1, rows), (2, columns)))
    variables = "variable_1 : input_net_transition; variable_2 : total_output_net_capacitance;"
    return f"  lu_table_template (table_{rows}_{columns}) {{ {variables} {axes} }}"


def _one_output(name: str, cell: Cell, pin: str, loads: bool) -> str:
    """Return a cell of one of a gate's outputs; its inputs have the capacitance of the gate's, or none."""
    inputs = []
    for own in cell.inputs:
        model = cell.pins[own]
        rise, fall = (model.rise_capacitance, model.fall_capacitance) if loads else (0.0, 0.0)
        inputs.append(_input(own, rise, fall))
    arcs = [arc for arc in cell.arcs if arc.to_pin == pin and arc.kind == "combinational"]
    return _cell(name, inputs, pin, cell.functions[pin].text, arcs, cell.pins[pin].max_capacitance)


def _buffer(name: str, load: tuple[float, float], rise: Table, fall: Table, slew_rise: Table, slew_fall: Table) -> str:
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


_UNIT = np.array([0.0, 1.0])


def _constant(value: float) -> Table:
    return Table(_UNIT, _UNIT, np.full((2, 2), value))


def _at_row(table: Table, row: float) -> Table:
    """Return a table by column alone, as it is at a row."""
    return Table(_UNIT, table.columns, np.tile(table(row, table.columns), (2, 1)))


def _at_column(table: Table, column: float) -> Table:
    """Return a table by row alone, as it is at a column."""
    return Table(table.rows, _UNIT, np.tile(table(table.rows, column)[:, None], (1, 2)))
