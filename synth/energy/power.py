"""Energy of a mapped netlist from the transitions of its nets and the tables of its library.

Energies are in fJ for cells and nets, and in pJ a query in reports. docs/energy.md says what is in them and what is
not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hamming.synth.energy.gatesim import Trace, simulate
from hamming.synth.energy.glitches import Activity, edges, glitches, state_pins
from hamming.synth.energy.kernel import Gates
from hamming.synth.energy.report import KINDS, BlockEnergy, EnergyReport
from hamming.synth.energy.workload import Workload
from hamming.synth.library.cell_model import Cell, CellLibrary, Function, InternalPower, Table
from hamming.synth.netlist.netlist import TOP_BLOCK, CellGroup, Netlist
from hamming.synth.timing.analysis import Timing
from hamming.synth.timing.propagation import FALL, RISE

__all__ = ["energy", "measure", "report"]

Floats = NDArray[np.float64]


def measure(
    netlist: Netlist,
    cells: CellLibrary,
    timing: Timing,
    workload: Workload,
    *,
    clock_ns: float = 1.0,
    n_queries: int = 2,
    warm_queries: int = 4,
    max_samples: int = 1 << 13,
    threads: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> EnergyReport:
    """Simulate a workload, check its answers, and return the energy of a query.

    Parameters
    ----------
    netlist, cells, timing
        The design, its library, and its slews, loads and delays.
    workload
        What it computes.
    clock_ns
        Clock period.
    n_queries, warm_queries
        As in `gatesim.simulate`.
    max_samples, threads
        As in `glitches.glitches`.
    progress
        Called with the share that is done, 0 to 1.

    Raises
    ------
    SimulationError
        The netlist gives a wrong answer or does not settle.
    """
    tell = progress or (lambda share: None)
    trace = simulate(
        netlist, workload, n_queries=n_queries, warm_queries=warm_queries, progress=lambda share: tell(share / 3)
    )
    activity = glitches(
        netlist,
        timing,
        trace,
        max_samples=max_samples,
        threads=threads,
        progress=lambda share: tell((1 + 2 * share) / 3),
    )
    return report(netlist, cells, timing, activity, trace, clock_ns=clock_ns, vectors=workload.description)


def report(
    netlist: Netlist,
    cells: CellLibrary,
    timing: Timing,
    activity: Activity,
    trace: Trace,
    *,
    clock_ns: float,
    vectors: str,
) -> EnergyReport:
    """Return the report of `measure`."""
    found = energy(netlist, cells, timing, activity, clock_ns=clock_ns)
    a_query = trace.cycles_a_query / 1000  # from fJ a cycle to pJ a query
    blocks = {
        name: BlockEnergy(**{kind: float(found[kind][number] * a_query) for kind in (*KINDS, "settled")})
        for number, name in enumerate(netlist.blocks)
    }
    blocks = {name: block for name, block in blocks.items() if block.total}
    return EnergyReport(
        top=netlist.top,
        library={"name": cells.name, "sha256": cells.sha256},
        blocks=dict(sorted(blocks.items(), key=lambda item: -item[1].total)),
        cycles_a_query=trace.cycles_a_query,
        clock_ns=clock_ns,
        settling_ns=activity.settling,
        accesses=trace.accesses,
        n_cycles=trace.n_cycles,
        n_streams=trace.n_streams,
        n_queries=trace.n_queries,
        n_samples=activity.n_samples,
        vectors=vectors,
    )


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
                        spent += times * _mean(tables, slew, self.timing.load[net, to_edge])
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
                each = _mean([_table(power, edge) for power in powers], slew, self.timing.load[net, edge])
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
                self.add("clock", block, times @ share * _mean([table], slew, np.zeros(len(group))))
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
                powers = [p for p in cell.internal_power if p.pin == clock and _holds(p.when, pins)]
                self.add("clock", block, times * _mean([_table(p, edge) for p in powers], slew, load))
            powers = [p for p in cell.internal_power if p.pin == out and p.related_pin == clock]
            tables = [table for p in powers if (table := _table(p, edge)) is not None and table.values.any()]
            self.add("clock", block, opens * _mean(tables, slew, load))

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
                    table = _table(power, edge)
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
                    holds = np.mean([_holds(when, case) for case in cases])
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
            yield {pin: bool(function(values)) for pin, function in cell.functions.items()}, 1.0

    def _by_state(
        self, powers: list[InternalPower], pins: tuple[str, ...], edge: int
    ) -> Iterator[tuple[Floats, Table | None]]:
        """Yield each entry's share of each state of `pins`, and its table; entries of the same state share it."""
        n_states = 1 << len(pins)
        holds = np.zeros((len(powers), n_states))
        for state in range(n_states):
            values = {pin: bool(state >> place & 1) for place, pin in enumerate(pins)}
            for number, power in enumerate(powers):
                holds[number, state] = _holds(power.when, values)
        holds /= np.maximum(1, holds.sum(axis=0))
        for power, share in zip(powers, holds, strict=True):
            yield share, _table(power, edge)


def _table(power: InternalPower, edge: int) -> Table | None:
    return power.rise if edge == RISE else power.fall


def _mean(tables: Sequence[Table | None], slew: Floats, load: Floats) -> Floats:
    """Return the mean of tables; one that there is not is 0."""
    known = [table(slew, load) for table in tables if table is not None]
    return sum(known, np.zeros(len(slew))) / max(1, len(tables))


def _holds(when: Function | None, values: Mapping[str, bool]) -> bool:
    """Return whether `when` holds; pins that are not among `values` are 0."""
    return when is None or bool(when({pin: values.get(pin, False) for pin in when.pins}))


def arc_tables(cell: Cell, from_pin: str, to_pin: str, from_edge: int, to_edge: int) -> list[Table | None]:
    """Return the tables of the energy of a gate's output transition that a pin's transition causes.

    They are those whose `when` allows a state of the other pins in which the pin's edge causes the output's; where
    there is none, all of the pin.
    """
    powers = [p for p in cell.internal_power if p.pin == to_pin and p.related_pin == from_pin]
    others = [pin for pin in cell.inputs if pin != from_pin]
    function = cell.functions[to_pin]
    fitting = []
    for power in powers:
        for state in range(1 << len(others)):
            values = {pin: bool(state >> place & 1) for place, pin in enumerate(others)}
            high, low = (bool(function(values | {from_pin: side})) for side in (True, False))
            if high != low and (high == (from_edge == to_edge)) and _holds(power.when, values):
                fitting.append(power)
                break
    return [_table(power, to_edge) for power in fitting or powers]
