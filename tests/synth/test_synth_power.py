from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping

import numpy as np
import pytest

from hamming.synth.checks import opensta
from hamming.synth.checks.opensta_power import power_with_opensta
from hamming.synth.energy.block_energy import energy
from hamming.synth.energy.gatesim import simulate
from hamming.synth.energy.glitches import glitches
from hamming.synth.energy.power import measure
from hamming.synth.energy.report import KINDS, BlockEnergy, EnergyReport
from hamming.synth.energy.trace import Trace
from hamming.synth.energy.workload import engine_workload
from hamming.synth.library.cell_model import CellLibrary
from hamming.synth.library.libraries import load_library
from hamming.synth.netlist.flattening import flatten
from hamming.synth.netlist.netlist import Netlist
from hamming.synth.timing.analysis import Timing
from hamming.synth.timing.report import Environment
from tests.synth.netlists import engine, flat, nangate_cells

#: No drivers, no wires: what a hand can work out from the tables.
PLAIN = Environment(driving_cell=None, input_slew=0.01, clock_slew=0.02, wire_load=None, output_load=0.0)


@pytest.fixture(scope="module")
def cells() -> CellLibrary:
    return nangate_cells()


def trace_of(sources: np.ndarray, *states: tuple[int, ...]) -> Trace:
    """Every stream goes through the same states of the sources, one a cycle."""
    values = np.where(np.array(states)[:, :, None], ~np.uint64(0), np.uint64(0))
    return Trace(sources=sources, values=values, n_streams=64, n_queries=64, accesses={})


def spent(netlist: Netlist, cells: CellLibrary, trace: Trace, clock_ns: float = 1.0) -> Mapping[str, float]:
    """Energy of all cycles of a stream, fJ."""
    timing = Timing(netlist, cells, PLAIN)
    activity = glitches(netlist, timing, trace, threads=1)
    found = energy(netlist, cells, timing, activity, clock_ns=clock_ns)
    return {kind: float(amount.sum()) * trace.n_cycles for kind, amount in found.items()}


# --- worked by hand, from tables that are read here without the parser


class Text:
    """A group of the Liberty file, as text."""

    def __init__(self, text: str):
        self.text = text

    def within(self, opening: str, holding: str = "") -> Text:
        """Return the first group inside that opens like this and holds that, both patterns."""
        for found in re.finditer(rf"{opening}[^\n{{]*{{", self.text[1:]):
            start, depth = found.start() + 1, 0
            for place in range(found.end(), len(self.text)):
                depth += {"{": 1, "}": -1}.get(self.text[place], 0)
                if depth == 0:
                    break
            group = Text(self.text[start : place + 1])
            if re.search(holding, group.text):
                return group
        raise AssertionError(opening, holding)

    def pin(self, name: str) -> Text:
        return self.within(rf"pin \({name}\)")

    def number(self, attribute: str) -> float:
        found = re.search(rf"\b{attribute}\s*:\s*([\d.]+)", self.text)
        assert found
        return float(found[1])

    def numbers(self, attribute: str) -> np.ndarray:
        found = re.search(rf"{attribute}\s*\(([^)]*)\)", self.text)
        assert found
        return np.array([float(x) for x in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", found[1])])

    def table(self, name: str, slew: float, load: float = 0.0) -> float:
        """Look up a table inside, one axis after the other; below the first load its first interval goes on."""
        table = self.within(name)
        if "scalar" in table.text:
            return float(table.numbers("values")[0])
        rows, values = table.numbers("index_1"), table.numbers("values")
        if "index_2" not in table.text:
            return float(np.interp(slew, rows, values))
        columns = table.numbers("index_2")
        by_column = [np.interp(slew, rows, line) for line in values.reshape(len(rows), len(columns)).T]
        if load < columns[0]:
            slope = (by_column[1] - by_column[0]) / (columns[1] - columns[0])
            return float(by_column[0] + (load - columns[0]) * slope)
        return float(np.interp(load, columns, by_column))

    def leakage(self, when: str) -> float:
        return self.within("leakage_power", rf'"{re.escape(when)}"').number("value")


@pytest.fixture(scope="module")
def library() -> Text:
    return Text(load_library().path.read_text(encoding="utf-8", errors="replace"))


def cell(library: Text, name: str) -> Text:
    return library.within(rf"cell \({name}\)")


def charge(pin: Text) -> float:
    """What a rise and a fall of a clock pin cost outside the cell."""
    return 0.5 * 1.1**2 * (pin.number("rise_capacitance") + pin.number("fall_capacitance"))


def test_a_nand_and_an_inverter_are_as_worked_by_hand(cells: CellLibrary, library: Text):
    """A2 is 1; A1 rises and falls: ZN falls and rises into the inverter's pin, whose output drives nothing."""
    netlist = flat(
        cells,
        [("NAND2_X1", {"A1": 2, "A2": 3, "ZN": 4}), ("INV_X1", {"A": 4, "ZN": 5})],
        i=("input", [2, 3]),
    )
    found = spent(netlist, cells, trace_of(netlist.inputs["i"], (0, 1), (1, 1), (0, 1)), clock_ns=2.0)
    nand, inverter = cell(library, "NAND2_X1"), cell(library, "INV_X1")
    # Two transitions of A1 and of ZN; the inverter's output has no capacitance.
    pins = nand.pin("A1").number("capacitance") + inverter.pin("A").number("capacitance")
    assert found["switching"] == pytest.approx(2 * 0.5 * 1.1**2 * pins, rel=1e-6)

    rise, fall = (inverter.pin("A").number(f"{edge}_capacitance") for edge in ("rise", "fall"))
    power = nand.pin("ZN").within("internal_power", r'related_pin\s*:\s*"A1"')
    inside = power.table("fall_power", 0.01, fall) + power.table("rise_power", 0.01, rise)
    # The slew of a net is the worst of the arcs that lead to it.
    arcs = [nand.pin("ZN").within("timing", rf'related_pin\s*:\s*"{pin}"') for pin in ("A1", "A2")]
    falling = max(arc.table("fall_transition", 0.01, fall) for arc in arcs)
    rising = max(arc.table("rise_transition", 0.01, rise) for arc in arcs)
    power = inverter.pin("ZN").within("internal_power")
    inside += power.table("rise_power", falling, 0.0) + power.table("fall_power", rising, 0.0)
    assert found["internal"] == pytest.approx(inside, rel=1e-4)
    assert found["settled"] == pytest.approx(found["switching"] + found["internal"])
    assert found["clock"] == 0

    states = [nand.leakage("A1 & A2"), inverter.leakage("!A"), nand.leakage("!A1 & A2"), inverter.leakage("A")]
    assert found["leakage"] == pytest.approx(sum(states) * 2.0 * 1e-3, rel=1e-6)


def flop(cells: CellLibrary) -> Netlist:
    return flat(cells, [("DFF_X1", {"CK": 2, "D": 3, "Q": 4, "QN": 5})], clk=("input", [2]), d=("input", [3]))


def test_a_flip_flop_that_keeps_its_value_pays_for_the_clock_alone(cells: CellLibrary, library: Text):
    netlist = flop(cells)
    sources = np.concatenate([netlist.groups["DFF_X1"].outputs[0], netlist.inputs["d"]])
    found = spent(netlist, cells, trace_of(sources, (0, 1, 0), (0, 1, 0), (0, 1, 0)))
    text = cell(library, "DFF_X1")
    power = text.pin("CK").within("internal_power", '"!D & !Q & QN"')
    inside = power.table("rise_power", 0.02) + power.table("fall_power", 0.02)
    assert found["clock"] == pytest.approx(2 * (charge(text.pin("CK")) + inside), rel=1e-6)
    assert (found["switching"], found["internal"]) == (0, 0)
    halves = [text.leakage(f"{ck} & !D & !Q & QN") for ck in ("CK", "!CK")]
    assert found["leakage"] == pytest.approx(2 * np.mean(halves) * 1e-3, rel=1e-6)


def test_a_flip_flop_that_takes_a_new_value_pays_at_its_outputs(cells: CellLibrary, library: Text):
    netlist = flop(cells)
    sources = np.concatenate([netlist.groups["DFF_X1"].outputs[0], netlist.inputs["d"]])
    found = spent(netlist, cells, trace_of(sources, (0, 1, 1), (1, 0, 1)))
    text = cell(library, "DFF_X1")
    # Q rises and QN falls, without loads; the clock's rise costs what the state D & !Q says, its fall D & Q.
    outputs = [
        text.pin(pin).within("internal_power").table(edge, 0.02, 0.0)
        for pin, edge in (("Q", "rise_power"), ("QN", "fall_power"))
    ]
    assert found["internal"] == pytest.approx(sum(outputs), rel=1e-4)
    inside = text.pin("CK").within("internal_power", '"D & !Q & QN"').table("rise_power", 0.02)
    inside += text.pin("CK").within("internal_power", '"D & Q & !QN"').table("fall_power", 0.02)
    assert found["clock"] == pytest.approx(charge(text.pin("CK")) + inside, rel=1e-6)


@pytest.mark.parametrize("stored", [0, 1])
def test_data_that_move_at_a_flip_flop_cost_there(cells: CellLibrary, library: Text, stored: int):
    """D moves while the flip-flop keeps its value; the clock is either half of the time."""
    netlist = flop(cells)
    sources = np.concatenate([netlist.groups["DFF_X1"].outputs[0], netlist.inputs["d"]])
    state = (stored, 1 - stored)
    found = spent(netlist, cells, trace_of(sources, (*state, 0), (*state, 1), (*state, 0)))
    data = cell(library, "DFF_X1").pin("D")
    when = "Q & !QN" if stored else "!Q & QN"
    powers = [data.within("internal_power", f'"{ck} & {when}"') for ck in ("!CK", "CK")]
    each = [power.table(edge, 0.01) for power in powers for edge in ("rise_power", "fall_power")]
    assert found["internal"] == pytest.approx(sum(each) / 2, rel=1e-6)
    assert found["switching"] == pytest.approx(1.1**2 * data.number("capacitance"), rel=1e-6)


def gated(cells: CellLibrary) -> Netlist:
    parts = [("CLKGATE_X1", {"CK": 2, "E": 3, "GCK": 4})]
    parts += [("DFF_X1", {"CK": 4, "D": 6 + n, "Q": 20 + n}) for n in range(8)]
    return flat(cells, parts, clk=("input", [2]), enable=("input", [3]), d=("input", list(range(6, 14))))


def test_a_closed_clock_gate_spares_its_flip_flops(cells: CellLibrary, library: Text):
    netlist = gated(cells)
    outputs = netlist.groups["DFF_X1"].outputs
    sources = np.concatenate([outputs[:, 0], outputs[:, 1], netlist.inputs["enable"], netlist.inputs["d"]])

    def clock(enable: int) -> float:
        state = (0,) * 8 + (1,) * 8 + (enable,) + (0,) * 8
        return spent(netlist, cells, trace_of(sources, state, state))["clock"]

    gate, flip_flop = cell(library, "CLKGATE_X1"), cell(library, "DFF_X1")
    closed = gate.pin("CK").within("internal_power", '"!E & !GCK"')
    inside = closed.table("rise_power", 0.02) + closed.table("fall_power", 0.02)
    assert clock(0) == pytest.approx(charge(gate.pin("CK")) + inside, rel=1e-6)

    load = 8 * flip_flop.pin("CK").number("capacitance")
    while_on, while_off = (gate.pin("GCK").within("internal_power", rf'when\s*:\s*"{e}"') for e in ("E", "!E"))
    opened = while_on.table("rise_power", 0.02, load)
    opened += np.mean([power.table("fall_power", 0.02, load) for power in (while_on, while_off)])
    kept = flip_flop.pin("CK").within("internal_power", '"!D & !Q & QN"')
    each = charge(flip_flop.pin("CK")) + kept.table("rise_power", 0.02) + kept.table("fall_power", 0.02)
    assert clock(1) == pytest.approx(charge(gate.pin("CK")) + opened + 8 * each, rel=1e-6)


# --- an engine


@pytest.fixture(scope="module")
def tiny(cells: CellLibrary):
    design, manifest, modules = engine("tiny")
    netlist = flatten(modules, "tiny", cells)
    return (
        netlist,
        Timing(netlist, cells, Environment()),
        lambda **options: engine_workload(design, manifest, **options),
    )


@pytest.fixture(scope="module")
def report(cells: CellLibrary, tiny) -> EnergyReport:
    netlist, timing, workload = tiny
    return measure(netlist, cells, timing, workload(n_queries=8), clock_ns=2.0)


def test_the_report_is_whole(report: EnergyReport):
    assert set(list(report.blocks)[:2]) == {"normalizer", "weighted_sum"}
    assert report.total.total == pytest.approx(sum(block.total for block in report.blocks.values()))
    assert all(getattr(block, kind) >= 0 for block in report.blocks.values() for kind in KINDS)
    assert report.cycles_a_query == 16
    assert report.power_mw == pytest.approx(report.total.total / (16 * 2.0))
    assert (report.n_streams, report.n_queries, report.n_samples) == (64, 128, 32 * 64)
    assert report.vectors == "vectors of all-MiniLM-L6-v2"
    assert 0 < report.total.glitch_share < 1
    assert report.total.clock > report.total.leakage > 0
    assert report.blocks["score"].clock == 0
    assert any("clock tree" in line for line in report.left_out)


def test_a_report_survives_json(report: EnergyReport):
    assert EnergyReport.from_dict(json.loads(json.dumps(report.to_dict()))) == report
    with pytest.raises(ValueError, match="an energy report has format 1, not 2"):
        EnergyReport.from_dict(report.to_dict() | {"format": 2})


def test_leakage_alone_depends_on_the_clock(cells: CellLibrary, tiny, report: EnergyReport):
    netlist, timing, workload = tiny
    faster = measure(netlist, cells, timing, workload(n_queries=8), clock_ns=1.0).total
    assert faster.leakage == pytest.approx(report.total.leakage / 2)
    assert dataclasses.replace(faster, leakage=0) == dataclasses.replace(report.total, leakage=0)


def test_progress_ends_at_one(cells: CellLibrary, tiny):
    netlist, timing, workload = tiny
    seen: list[float] = []
    measure(netlist, cells, timing, workload(n_queries=8), max_samples=512, threads=1, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1)


def test_blocks_add_up():
    a = BlockEnergy(switching=1, internal=2, clock=3, leakage=4, settled=2)
    assert (a + a) == BlockEnergy(switching=2, internal=4, clock=6, leakage=8, settled=4)
    assert (a.total, a.glitch_share) == (10, pytest.approx(1 / 3))
    assert BlockEnergy().glitch_share == 0


@pytest.mark.skipif(not opensta.is_installed(), reason="OpenSTA is not installed")
def test_switching_and_leakage_are_those_of_opensta(cells: CellLibrary, tiny):
    netlist, timing, workload = tiny
    trace = simulate(netlist, workload(n_queries=8))
    activity = glitches(netlist, timing, trace, threads=1)
    theirs = power_with_opensta(netlist, cells, load_library(), activity)
    loads = netlist.load(cells)[theirs.nets]
    ours = 0.5 * cells.voltage**2 * loads * (activity.rises + activity.falls)[theirs.nets] / activity.n_samples
    assert ours.sum() == pytest.approx(theirs.switching.sum(), rel=0.02)
    assert np.allclose(ours, theirs.switching, rtol=0.02, atol=0.01)
    # It does not look at states: its figure is that of states which are all as likely.
    uniform = {name: np.ones_like(counts) for name, counts in activity.states.items()}
    uniform["DFF_X1"] = uniform["DFF_X1"] * np.array([q != qn for qn in (0, 1) for q in (0, 1) for _ in (0, 1)])
    total = 0.0
    for name, counts in uniform.items():
        one = dataclasses.replace(activity, states=uniform, n_states=int(counts[0].sum()))
        own = dataclasses.replace(netlist, groups={name: netlist.groups[name]})
        total += energy(own, cells, timing, one, clock_ns=1.0)["leakage"].sum() * 1000
    assert total == pytest.approx(theirs.leakage, rel=0.02)
