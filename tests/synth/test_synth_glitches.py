from __future__ import annotations

import dataclasses
import heapq
from collections import defaultdict

import numpy as np
import pytest

from hamming.rtl.popcount import XnorPopcount
from hamming.rtl.verilog import emit
from hamming.synth.checks import icarus
from hamming.synth.energy.activity import Activity, edges
from hamming.synth.energy.delays import arc_delays
from hamming.synth.energy.gatesim import simulate
from hamming.synth.energy.glitches import glitches
from hamming.synth.energy.kernel import Gates
from hamming.synth.energy.lanes import pack_streams
from hamming.synth.energy.simulator import GateSimulation
from hamming.synth.energy.trace import SimulationError, Trace
from hamming.synth.energy.workload import engine_workload
from hamming.synth.library.cell_model import CellLibrary
from hamming.synth.netlist.flattening import flatten
from hamming.synth.netlist.netlist import ONE, Netlist
from hamming.synth.timing.analysis import Timing
from hamming.synth.timing.report import Environment
from tests.synth.netlists import engine, flat, mapped, nangate_cells


@pytest.fixture(scope="module")
def cells() -> CellLibrary:
    return nangate_cells()


def trace_of(sources: np.ndarray, bits: np.ndarray) -> Trace:
    """A trace of one word of streams; `bits` are `(n_cycles + 1, n_sources, 64)`."""
    values = np.packbits(bits.astype(np.uint8), axis=2, bitorder="little").view(np.uint64)
    return Trace(sources=sources, values=values, n_streams=64, n_queries=64, accesses={})


def steps(*states: tuple[int, ...]) -> np.ndarray:
    """The same states one after the other in every stream."""
    return np.repeat(np.array(states)[:, :, None], 64, axis=2)


PLAIN = Environment(driving_cell=None, input_slew=0.01, wire_load=None, output_load=0.0)


def run(netlist: Netlist, cells: CellLibrary, trace: Trace, environment: Environment = PLAIN, **options) -> Activity:
    return glitches(netlist, Timing(netlist, cells, environment), trace, threads=1, **options)


# --- worked by hand


def hazard(cells: CellLibrary, n_inverters: int, load: int) -> Netlist:
    """`ZN = !(A1 & A2)`, A2 being A1 through an odd number of inverters; `load` more gates slow the output down."""
    chain = [("INV_X1", {"A": 2 + n, "ZN": 3 + n}) for n in range(n_inverters)]
    last = 2 + n_inverters
    loads = [("INV_X1", {"A": last + 1, "ZN": last + 2 + n}) for n in range(load)]
    parts = [*chain, ("NAND2_X1", {"A1": 2, "A2": last, "ZN": last + 1}), *loads]
    return flat(cells, parts, a=("input", [2]), y=("output", [last + 1]))


def test_a_hazard_is_a_pulse(cells: CellLibrary):
    netlist = hazard(cells, 5, 0)
    activity = run(netlist, cells, trace_of(netlist.inputs["a"], steps((0,), (1,), (0,))))
    (y,) = netlist.outputs["y"]
    # As A1 rises, A2 falls five inverters later; in between the output is 0. As A1 falls the output stays 1.
    assert activity.n_samples == 2 * 64
    assert (activity.falls[y], activity.rises[y]) == (64, 64)
    assert (activity.settled_falls[y], activity.settled_rises[y]) == (0, 0)
    assert activity.ones[y] == 2 * 64
    place = Gates.of(netlist).places["NAND2_X1", "ZN"][0]
    assert activity.arcs[place, 0, edges(True, False)] == 64
    assert activity.arcs[place, 1, edges(False, True)] == 64
    assert activity.arcs[place].sum() == 128


def test_a_pulse_shorter_than_the_delay_is_swallowed(cells: CellLibrary):
    netlist = hazard(cells, 1, 20)
    (y,) = netlist.outputs["y"]
    timing = Timing(netlist, cells, PLAIN)
    gates = Gates.of(netlist)
    delay = arc_delays(netlist, gates, timing).reshape(-1, 6, 4)
    place, first = gates.places["NAND2_X1", "ZN"][0], gates.places["INV_X1", "ZN"][0]
    assert delay[first, 0, edges(True, False)] < delay[place, 0, edges(True, False)]
    activity = run(netlist, cells, trace_of(netlist.inputs["a"], steps((0,), (1,), (0,))))
    assert (activity.falls[y], activity.rises[y]) == (0, 0)
    assert activity.settling == pytest.approx(
        (max(delay[first, 0, edges(True, False)], delay[first, 0, edges(False, True)]) + 1) / 1000
    )


def test_delays_are_the_tables_at_slew_and_load(cells: CellLibrary):
    netlist = hazard(cells, 1, 1)
    timing = Timing(netlist, cells, PLAIN)
    delay = arc_delays(netlist, Gates.of(netlist), timing).reshape(-1, 6, 4)
    (arc,) = [a for a in cells.cells["NAND2_X1"].arcs if (a.from_pin, a.to_pin) == ("A1", "ZN")]
    inverter = cells.cells["INV_X1"].pins["A"]
    assert arc.rise is not None
    expected = float(arc.rise(0.01, inverter.rise_capacitance))
    place = Gates.of(netlist).places["NAND2_X1", "ZN"][0]
    assert delay[place, 0, edges(False, True)] == round(1000 * expected)
    # A pin of a NAND never makes the output go its own way.
    assert (delay[place, 0, [edges(True, True), edges(False, False)]] == -1).all()
    assert (delay[place, 2:] == -1).all()


# --- against a simulation of one event at a time


def one_cycle(gates: Gates, delay: np.ndarray, before: list[int], after: dict[int, int]) -> dict[tuple[int, int], int]:
    """Transitions by gate and arc, with the rules of `synth.energy.glitches` for a single lane."""
    values, counts = list(before), defaultdict(int)
    number = {int(net): gate for gate, net in enumerate(gates.output)}
    pending: dict[int, tuple[int, int]] = {}  # by gate: when, and by which arc
    queue = [(1, 0, net) for net, value in after.items() if value != before[net]]
    while queue:
        time = queue[0][0]
        changed = set()
        while queue and queue[0][0] == time:
            _, _, net = heapq.heappop(queue)
            if net in after:
                changed.add(net)
            elif pending.get(number[net], (0, 0))[0] == time:
                counts[number[net], pending.pop(number[net])[1]] += 1
                changed.add(net)
        for net in changed:
            values[net] ^= 1
        for gate, nets in enumerate(gates.inputs.tolist()):
            if not changed & set(nets):
                continue
            n_inputs, table = gates.functions[gates.function[gate]]
            state = sum(values[nets[pin]] << pin for pin in range(n_inputs))
            now, net = table >> state & 1, int(gates.output[gate])
            if now == values[net]:
                pending.pop(gate, None)
            elif gate not in pending:
                arcs = [(pin, edges(bool(values[n]), bool(now))) for pin, n in enumerate(nets) if n in changed]
                wait, arc = min((d, 4 * pin + e) for pin, e in arcs if (d := int(delay[gate, 4 * pin + e])) >= 0)
                pending[gate] = time + wait, arc
                heapq.heappush(queue, (time + wait, 1, net))
    return counts


KINDS = ("NAND2_X1", "NOR2_X1", "XOR2_X1", "INV_X1", "AOI21_X1", "OAI21_X1", "FA_X1", "XNOR2_X1", "OAI33_X1")


def random_netlist(cells: CellLibrary, rng: np.random.Generator, n_gates: int = 40) -> Netlist:
    parts, nets = [], list(range(2, 8))
    for _ in range(n_gates):
        cell = cells.cells[KINDS[rng.integers(len(KINDS))]]
        pins = {pin: int(rng.choice(nets[-12:])) for pin in cell.inputs}
        for pin in cell.outputs:
            pins[pin] = nets[-1] + 1
            nets.append(nets[-1] + 1)
        parts.append((cell.name, pins))
    return flat(cells, parts, i=("input", list(range(2, 8))))


@pytest.mark.parametrize("seed", range(6))
def test_every_transition_is_that_of_a_plain_event_simulation(cells: CellLibrary, seed: int):
    rng = np.random.default_rng(seed)
    netlist = random_netlist(cells, rng)
    gates = Gates.of(netlist)
    sources = netlist.inputs["i"]
    bits = rng.integers(0, 2, (4, len(sources), 64))
    timing = Timing(netlist, cells, dataclasses.replace(PLAIN, wire_load="default"))
    delay = arc_delays(netlist, gates, timing)
    activity = glitches(netlist, timing, trace_of(sources, bits), threads=1)
    expected = np.zeros_like(activity.arcs)
    for cycle in range(3):
        values = np.zeros((netlist.n_nets, 1), np.uint64)
        values[ONE] = ~np.uint64(0)
        values[sources] = trace_of(sources, bits).values[cycle]
        gates.settle(values)
        for lane in range(64):
            before = (values[:, 0] >> np.uint64(lane) & np.uint64(1)).astype(int).tolist()
            after = dict(zip(sources.tolist(), bits[cycle + 1, :, lane].tolist(), strict=True))
            for (gate, arc), times in one_cycle(gates, delay, before, after).items():
                expected[gate, arc // 4, arc % 4] += times
    assert np.array_equal(activity.arcs, expected)
    assert activity.arcs.sum() > (activity.settled_rises + activity.settled_falls)[gates.output].sum()


def test_a_gate_without_an_arc_is_an_error(cells: CellLibrary, monkeypatch: pytest.MonkeyPatch):
    netlist = hazard(cells, 1, 0)
    monkeypatch.setattr(
        "hamming.synth.energy.glitches.arc_delays", lambda netlist, gates, timing: np.full((len(gates), 24), -1)
    )
    with pytest.raises(SimulationError, match="does not settle"):
        run(netlist, cells, trace_of(netlist.inputs["a"], steps((0,), (1,))))


# --- a design

REGISTERED = """
module registered(input clk, input [31:0] q, input [31:0] k, output reg [5:0] count);
  reg [31:0] own_q, own_k;
  wire [5:0] sum;
  popcount popcount(.q(own_q), .k(own_k), .count(sum));
  always @(posedge clk) begin own_q <= q; own_k <= k; count <= sum; end
endmodule
"""


def popcount(cells: CellLibrary, seed: int = 0, n_cycles: int = 24) -> tuple[Netlist, Trace]:
    """A 32-bit XNOR and popcount between registers, with random bits, and what its registers hold in each cycle."""
    netlist = mapped(emit(XnorPopcount(d_head=32), "popcount") + REGISTERED, "registered", cells)
    simulation = GateSimulation(netlist, Gates.of(netlist))
    rng, recorded = np.random.default_rng(seed), []
    for cycle in range(n_cycles + 3):
        for port in ("q", "k"):
            simulation.drive(port, pack_streams(rng.integers(0, 2, (32, 64), np.uint8)))
        simulation.settle()
        if cycle >= 2:
            recorded.append(simulation.values[simulation.sources])
        simulation.clock()
    values = np.stack(recorded)
    return netlist, Trace(sources=simulation.sources, values=values, n_streams=64, n_queries=64, accesses={})


def test_a_popcount_switches_more_than_its_settled_values_say(cells: CellLibrary):
    netlist, trace = popcount(cells)
    activity = run(netlist, cells, trace, Environment())
    nets = Gates.of(netlist).output
    moves = (activity.rises + activity.falls)[nets].sum()
    settled = (activity.settled_rises + activity.settled_falls)[nets].sum()
    assert moves > 1.3 * settled
    # Every net ends where it should: rises and falls differ by at most one for each sample's cycle of a stream.
    assert np.abs(activity.rises - activity.falls).max() <= 64


def test_a_sample_of_the_cycles_is_like_all_of_them(cells: CellLibrary):
    netlist, trace = popcount(cells, n_cycles=64)
    whole, part = (run(netlist, cells, trace, Environment(), max_samples=n) for n in (1 << 15, 16 * 64))
    assert (whole.n_samples, part.n_samples) == (64 * 64, 16 * 64)
    rates = [activity.rises.sum() / activity.n_samples for activity in (whole, part)]
    assert rates[1] == pytest.approx(rates[0], rel=0.03)
    assert whole.n_states >= 32 * 64 // 2


def test_threads_do_not_change_the_counts(cells: CellLibrary):
    netlist, trace = popcount(cells)
    timing = Timing(netlist, cells, Environment())
    one, two = (glitches(netlist, timing, trace, threads=threads) for threads in (1, 2))
    assert np.array_equal(one.arcs, two.arcs)
    assert np.array_equal(one.rises, two.rises)


needs_icarus = pytest.mark.skipif(not icarus.available(), reason="Icarus Verilog is not installed")


def single(trace: Trace, stream: int) -> Trace:
    """A trace in which no stream but one moves."""
    return dataclasses.replace(trace, values=trace.values & np.uint64(1 << stream))


@needs_icarus
@pytest.mark.parametrize("stream", [0, 17])
def test_toggles_are_those_of_icarus_with_the_same_delays(cells: CellLibrary, stream: int):
    netlist, trace = popcount(cells, n_cycles=200)
    timing = Timing(netlist, cells, Environment())
    ours = glitches(netlist, timing, single(trace, stream), threads=1)
    theirs = icarus.run(netlist, timing, trace, stream=stream)
    compared = ~netlist.clock_nets()
    moves, its = ((a.rises + a.falls)[compared] for a in (ours, theirs))
    assert moves.sum() == pytest.approx(its.sum(), rel=0.05)
    assert np.corrcoef(moves, its)[0, 1] > 0.98
    last = trace.values[-1, :, 0] >> np.uint64(stream) & np.uint64(1)
    assert np.array_equal(theirs.last[trace.sources], last)


@needs_icarus
def test_the_engines_toggles_are_those_of_icarus(cells: CellLibrary):
    design, manifest, modules = engine("tiny")
    netlist = flatten(modules, "tiny", cells)
    trace = simulate(netlist, engine_workload(design, manifest, n_queries=8), n_queries=3)
    timing = Timing(netlist, cells, Environment())
    ours = glitches(netlist, timing, single(trace, 5), threads=1)
    theirs = icarus.run(netlist, timing, trace, stream=5)
    compared = ~netlist.clock_nets()
    moves, its = ((a.rises + a.falls)[compared].sum() for a in (ours, theirs))
    assert moves == pytest.approx(its, rel=0.05)
    # Flip-flops, clocked there by clock gates of their own, go through the same states.
    last = trace.values[-1, :, 0] >> np.uint64(5) & np.uint64(1)
    assert np.array_equal(theirs.last[trace.sources], last)
