"""Static timing analysis of a mapped netlist, by the delay tables of its library.

`time_design` gives clock period and critical paths; `Timing` has the arrays behind them, and each cell's delays.
docs/timing.md says what is in the figures and what is not.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from hamming.synth.library.cell_model import CellLibrary
from hamming.synth.netlist.netlist import CellGroup, Netlist
from hamming.synth.timing.endpoints import Ends, path_ends
from hamming.synth.timing.propagation import Arcs, Floats, cell_arcs, propagate
from hamming.synth.timing.report import PORTS, Environment, Step, TimingPath, TimingReport

__all__ = ["Environment", "Step", "Timing", "TimingPath", "TimingReport", "time_design"]


def time_design(netlist: Netlist, cells: CellLibrary, environment: Environment | None = None) -> TimingReport:
    """Find a design's shortest clock period and the paths that set it.

    Parameters
    ----------
    netlist
        The design.
    cells
        Its library.
    environment
        What is around it; by default as `Environment` has it.

    Raises
    ------
    ValueError
        The environment names a cell, a wire load or an input that there is not, or nothing in the design ends a path.
    """
    return Timing(netlist, cells, environment or Environment()).report()


class Timing:
    """Arrivals, slews and loads of every net, `(n_nets, 2)`: rising, falling. See `time_design` for parameters.

    Attributes
    ----------
    arrival
        ns after the clock edge; -inf where no path arrives.
    slew
        ns.
    load
        fF.
    """

    arrival: Floats
    slew: Floats
    load: Floats

    def __init__(self, netlist: Netlist, cells: CellLibrary, environment: Environment):
        self.netlist = netlist
        self.cells = cells
        self.environment = environment
        for name in environment.untimed:
            if name not in netlist.inputs and name not in Environment.untimed:
                raise ValueError(f"untimed must name inputs of {netlist.top}, not {name!r}")
        for name in environment.memory_delays:
            if name not in {macro.name for macro in netlist.macros}:
                raise ValueError(f"memory_delays must name memories of {netlist.top}, not {name!r}")
        self.fan_out = netlist.fan_out()
        for nets in netlist.outputs.values():
            self.fan_out += np.bincount(nets, minlength=netlist.n_nets)
        self.load = self._load()
        n = netlist.n_nets
        self.arrival = np.full((n, 2), -np.inf)
        self.slew = np.zeros((n, 2))
        self._start_inputs()
        self._start_flip_flops()
        for macro in netlist.macros:
            for port in macro.reads:
                self.arrival[port.data] = environment.delay_of(macro.name)
                self.slew[port.data] = environment.memory_slew
        self.arcs = Arcs.of(netlist)
        self.by = propagate(self.arcs, self.arrival.reshape(-1), self.slew.reshape(-1), self.load.reshape(-1))

    def _load(self) -> Floats:
        edges = [self.netlist.pin_capacitance(macro_pin=self.environment.memory_pin, edge=e) for e in ("rise", "fall")]
        load = np.stack(edges, axis=1)
        for nets in self.netlist.outputs.values():
            load += (self.environment.output_load * np.bincount(nets, minlength=self.netlist.n_nets))[:, None]
        model = self.cells.wire_load(self.environment.wire_load)
        if model is not None:
            load += model.capacitance(self.fan_out)[:, None]
        return load

    def _start_inputs(self) -> None:
        clocks = self.netlist.clock_nets()
        nets = [nets for name, nets in self.netlist.inputs.items() if name not in self.environment.untimed]
        nets = np.concatenate([np.zeros(0, np.int32), *nets])
        nets = nets[~clocks[nets]]
        self.arrival[nets] = self.environment.input_delay
        self.slew[nets] = self.environment.input_slew
        if self.environment.driving_cell is None:
            return
        cell = self.cells.cells.get(self.environment.driving_cell)
        if cell is None or cell.kind != "gate":
            raise ValueError(
                f"driving_cell must be a gate of the library or None, not {self.environment.driving_cell!r}"
            )
        slew = np.full(len(nets), self.environment.input_slew)
        extra, slews = np.full((2, len(nets), 2), -np.inf)
        for arc in cell_arcs(cell):
            load = self.load[nets, arc.to_edge]
            # The source is not part of the design: only what the load adds counts.
            added = arc.delay(slew, load) - arc.delay(slew, np.zeros(len(nets)))
            extra[:, arc.to_edge] = np.maximum(extra[:, arc.to_edge], added)
            slews[:, arc.to_edge] = np.maximum(slews[:, arc.to_edge], arc.slew(slew, load))
        self.arrival[nets] += extra
        self.slew[nets] = slews

    def _start_flip_flops(self) -> None:
        for group in self.netlist.of_kind("flip_flop"):
            if group.cell.clocked_on is None or group.cell.clocked_on.table != 2:
                raise ValueError(f"flip-flops must be clocked by a rising pin, not as {group.cell.name}")
            for arc in cell_arcs(group.cell):
                nets = group.net(arc.to_pin)
                slew = np.full(len(nets), self.environment.clock_slew)
                load = self.load[nets, arc.to_edge]
                latest = np.maximum(self.arrival[nets, arc.to_edge], arc.delay(slew, load))
                self.arrival[nets, arc.to_edge] = latest
                self.slew[nets, arc.to_edge] = np.maximum(self.slew[nets, arc.to_edge], arc.slew(slew, load))

    @cached_property
    def ends(self) -> list[Ends]:
        """Where paths end."""
        return list(path_ends(self.netlist, self.environment, self.slew))

    def report(self) -> TimingReport:
        """Return the report of `time_design`."""
        worst: dict[int, tuple[float, Ends, int, int]] = {}
        for ends in self.ends:
            periods = self.arrival[ends.net] + ends.setup
            for block in np.unique(ends.block).tolist():
                here = np.where((ends.block == block)[:, None], periods, -np.inf)
                row, edge = np.unravel_index(np.argmax(here), here.shape)
                period = float(here[row, edge])
                if period > -np.inf and (block not in worst or period > worst[block][0]):
                    worst[block] = period, ends, int(row), int(edge)
        if not worst:
            raise ValueError(f"no path of {self.netlist.top} ends anywhere")
        slowest_first = sorted(worst.values(), key=lambda found: -found[0])
        return TimingReport(
            top=self.netlist.top,
            library={"name": self.cells.name, "sha256": self.cells.sha256},
            environment=self.environment,
            paths=tuple(self._path(ends, row, edge) for _, ends, row, edge in slowest_first),
            n_cells=len(self.netlist),
            n_levels=max((int(g.level.max()) for g in self.netlist.of_kind("gate") if len(g)), default=0),
            n_ends=sum(len(ends.net) for ends in self.ends),
            n_overloaded=self._n_overloaded(),
        )

    def _n_overloaded(self) -> int:
        count = 0
        clocks = self.netlist.clock_nets()
        for group in self.netlist.groups.values():
            for pin in group.cell.outputs:
                limit = group.cell.pins[pin].max_capacitance
                if limit is not None:
                    nets = group.net(pin)
                    count += int(((self.load[nets].max(axis=1) > limit) & ~clocks[nets]).sum())
        return count

    def _path(self, ends: Ends, row: int, edge: int) -> TimingPath:
        net = int(ends.net[row])
        node = 2 * net + edge
        steps = []
        groups = list(self.netlist.groups.values())
        while (by := int(self.by[node])) >= 0:
            group = groups[self.arcs.group[by]]
            arc = list(cell_arcs(group.cell))[self.arcs.arc[by]]
            source = int(self.arcs.from_node[by])
            delay = self.arrival.flat[node] - self.arrival.flat[source]
            steps.append(self._step(group, int(self.arcs.row[by]), arc.from_pin, arc.to_pin, node, delay))
            node = source
        steps.append(self._start(node))
        return TimingPath(
            start_block=steps[-1].block,
            end_block=(*self.netlist.blocks, PORTS)[int(ends.block[row])],
            end=ends.name(row),
            arrival=float(self.arrival[net, edge]),
            setup=float(ends.setup[row, edge]),
            steps=tuple(reversed(steps)),
        )

    def _start(self, node: int) -> Step:
        """Return where a path starts: a flip-flop, a memory or an input."""
        net = node // 2
        arrival = float(self.arrival.flat[node])
        for group in self.netlist.of_kind("flip_flop"):
            for pin in group.cell.outputs:
                rows = np.flatnonzero(group.net(pin) == net)
                if len(rows):
                    return self._step(group, int(rows[0]), group.cell.clock or "", pin, node, arrival)
        name, block, cell = "", PORTS, ""
        for macro in self.netlist.macros:
            if any(net in port.data for port in macro.reads):
                name, block, cell = macro.name, self._block(macro.scope), "memory"
        for port, nets in self.netlist.inputs.items():
            if net in nets:
                name = f"{port}[{int(np.flatnonzero(nets == net)[0])}]"
        times = {"delay": arrival, "arrival": arrival}
        return Step(instance=name, cell=cell, block=block, from_pin="", to_pin="", **times, **self._at(node))

    def _block(self, scope: int) -> str:
        return self.netlist.blocks[int(self.netlist.block_of(np.array([scope]))[0])]

    def _step(self, group: CellGroup, row: int, from_pin: str, to_pin: str, node: int, delay: float) -> Step:
        return Step(
            instance=self.netlist.instance(group, row),
            cell=group.cell.name,
            block=self._block(int(group.scope[row])),
            from_pin=from_pin,
            to_pin=to_pin,
            delay=float(delay),
            arrival=float(self.arrival.flat[node]),
            **self._at(node),
        )

    def _at(self, node: int) -> dict[str, Any]:
        return {
            "edge": ("rise", "fall")[node % 2],
            "slew": float(self.slew.flat[node]),
            "fan_out": int(self.fan_out[node // 2]),
            "load": float(self.load.flat[node]),
        }
