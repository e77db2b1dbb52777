"""Energy of a cycle by block: the transitions of a netlist's nets and the tables of its library in, fJ out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from hamming.synth.energy.activity import Activity, edges, state_pins
from hamming.synth.energy.kernel import Gates
from hamming.synth.energy.power_tables import arc_tables, is_met, mean_of, table_of
from hamming.synth.energy.report import KINDS
from hamming.synth.library.cell_model import CellLibrary, Function, InternalPower, Table
from hamming.synth.netlist.netlist import TOP_BLOCK, CellGroup, Netlist
from hamming.synth.timing.analysis import Timing
from hamming.synth.timing.propagation import FALL, RISE

__all__ = ["energy"]

Floats = NDArray[np.float64]


def energy(
    netlist: Netlist, cells: CellLibrary, timing: Timing, activity: Activity, *, clock_ns: float
) -> dict[str, Floats]:
    """Return the energy of a cycle by what it is spent on (`KINDS`, and `settled`), fJ for each of `netlist.blocks`."""
    return _Calculator(netlist, cells, timing, activity, clock_ns).by_block()


class _Calculator:
    def __init__(self, netlist: Netlist, cells: CellLibrary, timing: Timing, activity: Activity, clock_ns: float):
        self.netlist, self.timing, self.activity, self.clock_ns = netlist, timing, activity, clock_ns
        self.gates = Gates.of(netlist)
        self.voltage = cells.voltage
        self.n_blocks = len(netlist.blocks)
        self.total = {kind: np.zeros(self.n_blocks) for kind in (*KINDS, "settled")}
        # Timing has what a rising and a falling net sees; energy has the pins' capacitance without an edge.
        pins = netlist.pin_capacitance() - netlist.pin_capacitance(edge="rise")
        self.of_net = 0.5 * cells.voltage**2 * (timing.load[:, RISE] + pins)  # fJ a transition

    def add(self, kind: str, block: NDArray[np.integer], amount: NDArray[np.floating]) -> None:
        """Add energies over all samples, each to a block."""
        self.total[kind] += np.bincount(block, weights=amount, minlength=self.n_blocks) / self.activity.n_samples

    def by_block(self) -> dict[str, Floats]:
        clocks = self.netlist.clock_nets()
        for nets, block in self._driven():
            moves = ~clocks[nets]
            self._switching(nets[moves], block[moves])
        for group in self.netlist.groups.values():
            block = self.netlist.block_of(group.scope)
            if group.cell.kind == "gate":
                self._gate_outputs(group, block)
            elif group.cell.kind == "flip_flop":
                self._flip_flop_outputs(group, block)
                self._flip_flop_clocks(group, block)
            else:
                self._clock_gates(group, block)
            self._inputs(group, block)
            self._leakage(group, block)
        return self.total

    def _driven(self) -> Iterator[tuple[NDArray[np.int32], NDArray[np.intp]]]:
        """Yield nets and the blocks that drive them; inputs count for the top."""
        for group in self.netlist.groups.values():
            block = self.netlist.block_of(group.scope)
            for pin in group.cell.outputs:
                yield group.net(pin), block
        for macro in self.netlist.macros:
            block = self.netlist.block_of(np.array([macro.scope]))
            for port in macro.reads:
                yield port.data, np.repeat(block, len(port.data))
        for nets in self.netlist.inputs.values():
            yield nets, np.full(len(nets), self.netlist.blocks.index(TOP_BLOCK))

    def _switching(self, nets: NDArray[np.int32], block: NDArray[np.intp]) -> None:
        a, each = self.activity, self.of_net[nets]
        self.add("switching", block, each * (a.rises + a.falls)[nets])
        self.add("settled", block, each * (a.settled_rises + a.settled_falls)[nets])

    def _gate_outputs(self, group: CellGroup, block: NDArray[np.intp]) -> None:
        """Add what transitions of outputs cost inside, by the pin that caused each."""
        cell, a = group.cell, self.activity
        for to_pin in cell.outputs:
            net, place = group.net(to_pin), self.gates.places[cell.name, to_pin]
            spent = np.zeros(len(group))
            for number, from_pin in enumerate(cell.inputs):
                for from_edge in (RISE, FALL):
                    slew = self.timing.slew[group.net(from_pin), from_edge]
                    for to_edge in (RISE, FALL):
                        times = a.arcs[place, number, edges(from_edge == RISE, to_edge == RISE)]
                        tables = arc_tables(cell, from_pin, to_pin, from_edge, to_edge)
                        spent += times * mean_of(tables, slew, self.timing.load[net, to_edge])
            self.add("internal", block, spent)
            moves = a.rises[net] + a.falls[net]
            settled = a.settled_rises[net] + a.settled_falls[net]
            self.add("settled", block, spent * settled / np.maximum(moves, 1))

    def _flip_flop_outputs(self, group: CellGroup, block: NDArray[np.intp]) -> None:
        cell = group.cell
        slew = np.full(len(group), self.timing.environment.clock_slew)
        for pin in cell.outputs:
            net = group.net(pin)
            for edge, times in ((RISE, self.activity.rises), (FALL, self.activity.falls)):
                powers = [p for p in cell.internal_power if p.pin == pin and p.related_pin == cell.clock]
                each = mean_of([table_of(power, edge) for power in powers], slew, self.timing.load[net, edge])
                for kind in ("internal", "settled"):
                    self.add(kind, block, each * times[net])

    def _flip_flop_clocks(self, group: CellGroup, block: NDArray[np.intp]) -> None:
        """Add what clock edges cost at clock pins: inside, by state, and to charge the pin."""
        cell = group.cell
        counts = self.activity.clocks[cell.name]
        powers = [power for power in cell.internal_power if power.pin == cell.clock]
        slew = np.full(len(group), self.timing.environment.clock_slew)
        for edge, times in ((RISE, counts.rise), (FALL, counts.fall)):
            for share, table in self._by_state(powers, state_pins(cell), edge):
                self.add("clock", block, times @ share * mean_of([table], slew, np.zeros(len(group))))
        pin = cell.pins[cell.clock or ""]
        charge = 0.5 * self.voltage**2 * (pin.rise_capacitance + pin.fall_capacitance)
        self.add("clock", block, charge * counts.enabled)

    def _clock_gates(self, group: CellGroup, block: NDArray[np.intp]) -> None:
        """Add clock gates: their clock pin at every edge, and what they drive when they are open."""
        cell, a = group.cell, self.activity
        counts = a.clocks[cell.name]
        clock, out = cell.clock or "", cell.outputs[0]
        slew = np.full(len(group), self.timing.environment.clock_slew)
        pin = cell.pins[clock]
        self.add("clock", block, 0.5 * self.voltage**2 * (pin.rise_capacitance + pin.fall_capacitance) * counts.enabled)
        opens, stays = counts.rise[:, 1:].sum(axis=1), counts.rise[:, 0]
        load = self.netlist.pin_capacitance()[group.net(out)]
        for edge in (RISE, FALL):
            # Closed: the clock pin moves and nothing else. What it costs may depend on the enable.
            for state, times in ((0, stays * (1 - self._ones(group))), (1, stays * self._ones(group))):
                pins = {cell.enable or "": edge == FALL and state == 1, out: False, clock: edge == FALL}
                powers = [p for p in cell.internal_power if p.pin == clock and is_met(p.when, pins)]
                self.add("clock", block, times * mean_of([table_of(p, edge) for p in powers], slew, load))
            powers = [p for p in cell.internal_power if p.pin == out and p.related_pin == clock]
            tables = [table for p in powers if (table := table_of(p, edge)) is not None and table.values.any()]
            self.add("clock", block, opens * mean_of(tables, slew, load))

    def _ones(self, group: CellGroup) -> Floats:
        """Return how often the enable of each clock gate settled to 1."""
        return self.activity.ones[group.net(group.cell.enable or "")] / self.activity.n_samples

    def _inputs(self, group: CellGroup, block: NDArray[np.intp]) -> None:
        """Add what transitions of inputs cost inside that no output is charged with: data pins, enables."""
        cell, a = group.cell, self.activity
        for pin in cell.inputs:
            powers = [p for p in cell.internal_power if p.pin == pin and p.related_pin is None]
            if pin == cell.clock or not powers:
                continue
            net = group.net(pin)
            for edge, times, settled in (
                (RISE, a.rises, a.settled_rises),
                (FALL, a.falls, a.settled_falls),
            ):
                slew = self.timing.slew[net, edge]
                each = np.zeros(len(group))
                weight = np.zeros(len(group))
                for power in powers:
                    share = self._probability(group, power.when, without=pin)
                    table = table_of(power, edge)
                    weight += share
                    if table is not None:
                        each += share * table(slew, np.zeros(len(group)))
                each /= np.where(weight > 0, weight, 1)
                self.add("internal", block, each * times[net])
                self.add("settled", block, each * settled[net])

    def _leakage(self, group: CellGroup, block: NDArray[np.intp]) -> None:
        cell = group.cell
        leakage, known = np.zeros(len(group)), np.zeros(len(group))
        for when, power in cell.leakage_by_state:
            share = self._probability(group, when)
            leakage += share * power
            known += share
        leakage += np.maximum(0, 1 - known) * cell.leakage
        # 1 nW for 1 ns is 1e-3 fJ.
        self.add("leakage", block, leakage * self.clock_ns * 1e-3 * self.activity.n_samples)

    def _probability(self, group: CellGroup, when: Function | None, without: str | None = None) -> Floats:
        """Return how likely it is that `when` holds for each cell: the clock is 1 half of the time.

        `without` is a pin that moves just then, whose value is either.
        """
        cell = group.cell
        if when is None:
            return np.ones(len(group))
        pins = state_pins(cell)
        shares = self.activity.states[cell.name] / self.activity.n_states
        total = np.zeros(len(group))
        for state in range(shares.shape[1]):
            values = {pin: bool(state >> place & 1) for place, pin in enumerate(pins)}
            for clock in (False, True):
                for name, share in self._outputs(group, values, clock):
                    assignment = values | {cell.clock or "": clock} | name
                    cases = [assignment] if without is None else [assignment | {without: v} for v in (False, True)]
                    holds = sum(is_met(when, case) for case in cases) / len(cases)
                    if holds:
                        total += holds * 0.5 * share * shares[:, state]
        return total

    def _outputs(
        self, group: CellGroup, values: Mapping[str, bool], clock: bool
    ) -> Iterator[tuple[dict[str, bool], Floats | float]]:
        """Yield values of the outputs in a state, and how likely each is."""
        cell = group.cell
        if cell.kind == "flip_flop":
            yield {}, 1.0
        elif cell.kind == "clock_gate":
            counts = self.activity.clocks[cell.name]
            is_open = counts.rise[:, 1:].sum(axis=1) / self.activity.n_samples if clock else np.zeros(len(group))
            yield {cell.outputs[0]: True}, is_open
            yield {cell.outputs[0]: False}, 1 - is_open
        else:
            yield {pin: function.holds(values) for pin, function in cell.functions.items()}, 1.0

    def _by_state(
        self, powers: list[InternalPower], pins: tuple[str, ...], edge: int
    ) -> Iterator[tuple[Floats, Table | None]]:
        """Yield each entry's share of each state of `pins`, and its table; entries of the same state share it."""
        n_states = 1 << len(pins)
        holds = np.zeros((len(powers), n_states))
        for state in range(n_states):
            values = {pin: bool(state >> place & 1) for place, pin in enumerate(pins)}
            for number, power in enumerate(powers):
                holds[number, state] = is_met(power.when, values)
        holds /= np.maximum(1, holds.sum(axis=0))
        for power, share in zip(powers, holds, strict=True):
            yield share, table_of(power, edge)
