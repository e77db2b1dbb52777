"""A design as ABC can time it: a netlist and what is around it in; a network of gates and their Liberty file out.

ABC times networks of gates with one output each, and knows neither flip-flops nor memories. So what surrounds the gates
becomes gates too, in a second Liberty file: a flip-flop's output is a gate whose delay is that from the clock, and
whatever a path ends at is a gate whose delay is the setup time. Of a full adder there is one gate for each output, the
first of which has the inputs' capacitance.
"""

from __future__ import annotations

import numpy as np

from hamming.synth.checks.abc_liberty import buffer, library_text, one_output
from hamming.synth.library.cell_model import CellLibrary, Table
from hamming.synth.netlist.netlist import ONE, ZERO, Netlist
from hamming.synth.timing.analysis import Timing
from hamming.synth.timing.report import Environment

__all__ = ["AbcNetwork"]


class AbcNetwork:
    """A netlist as a network of gates, and the gates that ABC's library lacks.

    Attributes
    ----------
    ends
        Where paths end, as in `synth.timing.report.TimingPath`, in the order of the network's outputs.
    """

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
                            self.cells[name] = one_output(name, cell, pin, loads=number == 0)
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
                self.cells[name] = buffer(name, (0.0, 0.0), **tables)
                for net in group.net(pin).tolist():
                    self.gate(name, A=self.source(), Z=f"n{net}")

    def _memories(self) -> None:
        slew = _constant(self.environment.memory_slew)
        for number, macro in enumerate(self.netlist.macros):
            name, delay = f"MEMORY_{number}", _constant(self.environment.delay_of(macro.name))
            self.cells[name] = buffer(name, (0.0, 0.0), delay, delay, slew, slew)
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
            self.cells[name] = buffer(name, load, rise, fall, zero, zero)
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
        return library_text(self.cells.values())


_UNIT = np.array([0.0, 1.0])


def _constant(value: float) -> Table:
    return Table(_UNIT, _UNIT, np.full((2, 2), value))


def _at_row(table: Table, row: float) -> Table:
    """Return a table by column alone, as it is at a row."""
    return Table(_UNIT, table.columns, np.tile(table(row, table.columns), (2, 1)))


def _at_column(table: Table, column: float) -> Table:
    """Return a table by row alone, as it is at a column."""
    return Table(table.rows, _UNIT, np.tile(table(table.rows, column)[:, None], (1, 2)))
