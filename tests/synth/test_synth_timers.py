"""A mapped engine by OpenSTA and by ABC, end by end, and the reports of all three timers."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest

from hamming.rtl import verilog
from hamming.rtl.design import load_design
from hamming.rtl.engine import Engine
from hamming.synth.checks import opensta
from hamming.synth.checks.abc_timer import time_with_abc
from hamming.synth.checks.opensta import time_with_opensta
from hamming.synth.library.cell_model import CellLibrary
from hamming.synth.library.libraries import load_library
from hamming.synth.mapping.area import Mapped, map_design
from hamming.synth.memory.sram import SramModel, memory_delays
from hamming.synth.netlist.flattening import flatten
from hamming.synth.netlist.netlist import Netlist
from hamming.synth.studies import timings
from hamming.synth.timing.analysis import Environment, Timing, TimingReport, time_design
from hamming.synth.yosys.process import SynthesisError
from tests.synth.netlists import nangate_cells
from tests.synth.timing_toys import netlist


@pytest.fixture(scope="module")
def nangate() -> CellLibrary:
    return nangate_cells()


@pytest.fixture(scope="module")
def mapped() -> Mapped:
    design = load_design("tiny")
    text = verilog.emit(Engine(design.spec, design.config), "tiny")
    return map_design(text, top="tiny", library=load_library(), mapping="adders", clock_ns=1.0, cache=False)


@pytest.fixture(scope="module")
def tiny(nangate: CellLibrary, mapped: Mapped) -> Netlist:
    return flatten(mapped.netlist, "tiny", nangate)


@pytest.mark.parametrize(
    ("environment", "tolerance"),
    [
        # Without wires it is the same calculation. With them OpenSTA reckons with their resistance.
        (Environment(wire_load=None, untimed=()), 0.002),
        (Environment(), 0.01),
        (Environment(driving_cell=None, input_slew=0.1, output_load=20.0, memory_delays={"key_memory": 0.6}), 0.01),
    ],
    ids=["no wires", "default", "other"],
)
def test_opensta_finds_the_same_at_every_end(nangate, tiny, environment: Environment, tolerance: float):
    if not opensta.is_installed():
        pytest.skip("OpenSTA is not installed: apt install opensta")
    theirs = time_with_opensta(tiny, nangate, load_library(), environment)
    timing = Timing(tiny, nangate, environment)
    ours = {}
    for ends in timing.ends:
        for row, period in enumerate((timing.arrival[ends.net] + ends.setup).max(axis=1)):
            ours[f"{ends.prefix}_{row}" + (f"/{ends.pin}" if ends.pin else "")] = period
    assert len(theirs.ends) > 700
    assert {"FA_X1", "CLKGATE_X1"} <= tiny.groups.keys()
    assert theirs.ends.keys() == {end for end, period in ours.items() if period > -np.inf}
    for end, period in theirs.ends.items():
        assert ours[end] == pytest.approx(period, rel=tolerance, abs=0.002), end
    report = timing.report()
    assert report.period == pytest.approx(theirs.period, rel=0.005)
    # Pins at the cells' outputs, one a step, where OpenSTA has two.
    assert theirs.steps[-1][1] == pytest.approx(report.critical_path.arrival, rel=0.005)


@pytest.mark.parametrize("wire_load", ["default", None])
def test_abc_finds_nearly_the_same(nangate, tiny, wire_load: str | None):
    environment = Environment(wire_load=wire_load)
    theirs = time_with_abc(tiny, nangate, load_library(), environment)
    ours = time_design(tiny, nangate, environment)
    assert theirs.period == pytest.approx(ours.period, rel=0.02)
    assert theirs.fmax == pytest.approx(1000 / theirs.period)
    assert theirs.wire_load == ("5K_hvratio_1_1" if wire_load else None)
    names = {ends.name(row) for ends in Timing(tiny, nangate, environment).ends for row in range(len(ends.net))}
    assert theirs.end in names
    assert theirs.steps[-1].arrival == pytest.approx(theirs.period, abs=1e-4)


def test_abc_loads_a_full_adders_inputs_once(nangate: CellLibrary):
    cell = {"A": 3, "B": 4, "CI": 5, "CO": 6, "S": 7}
    design = netlist(nangate, [("INV_X1", {"A": 8, "ZN": 3}), ("FA_X1", cell)], "b:4 c:5 a:8", "x:6 y:7")
    environment = Environment(wire_load=None)
    theirs = time_with_abc(design, nangate, load_library(), environment)
    assert [step.cell for step in theirs.steps] == ["pi", "INV_X1", "FA_X1_S_TOO", "PORT"]
    # The capacitance of pin A, between rising and falling, and not twice that.
    assert 3.605599 - 0.05 <= theirs.steps[1].load <= 3.745709 + 0.05


def test_without_opensta_or_abc_it_is_said_how_to_get_it(nangate, tiny, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(opensta.shutil, "which", lambda name: None)
    with pytest.raises(SynthesisError, match=r"^OpenSTA is not installed: apt install opensta$"):
        time_with_opensta(tiny, nangate, load_library())
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SynthesisError, match=r"^this needs the ABC in pyosys: pip install pyosys$"):
        time_with_abc(tiny, nangate, load_library())


def test_abc_has_no_choice_of_wires(nangate, tiny):
    with pytest.raises(ValueError, match=r"^wire_load must be default or None for ABC, not '1K_hvratio_1_1'$"):
        time_with_abc(tiny, nangate, load_library(), Environment(wire_load="1K_hvratio_1_1"))


def test_the_command_prints_what_the_timers_find(nangate, mapped, tiny, monkeypatch: pytest.MonkeyPatch, capsys):
    asked = []
    monkeypatch.setattr(timings, "load_cells", lambda library: nangate)
    monkeypatch.setattr(timings, "map_design", lambda text, **options: asked.append(options) or mapped)
    timings.main(["tiny", "--clock-ns", "1.5", "--paths"])
    header, _, row, *rest = capsys.readouterr().out.splitlines()
    assert (asked[0]["clock_ns"], asked[0]["top"]) == (1.5, "tiny")
    found = dict(zip(header.split(" | "), row.split(" | "), strict=True))
    # A memory of 16 words of 8 bits, by the model.
    delays = memory_delays(tiny)
    assert delays["key_memory"] == SramModel().access_time(16, 8)
    environment = Environment(memory_delays=delays)
    report = time_design(tiny, nangate, environment)
    assert float(found["period, ns"]) == pytest.approx(report.period, abs=5e-4)
    assert float(found["MHz"]) == pytest.approx(report.fmax, abs=0.5)
    by_abc = time_with_abc(tiny, nangate, load_library(), environment)
    assert float(found["ABC, ns"]) == pytest.approx(by_abc.period, abs=5e-4)
    if not opensta.is_installed():
        assert found["OpenSTA, ns"] == "not installed"
    else:
        by_opensta = time_with_opensta(tiny, nangate, load_library(), environment)
        assert float(found["OpenSTA, ns"]) == pytest.approx(by_opensta.period, abs=5e-4)
    for path in report.paths:
        assert timings.path_lines(path)[0] in rest
        assert timings.path_lines(path)[-1] in rest


def test_a_report_goes_through_json(nangate, tiny):
    report = time_design(tiny, nangate, Environment(memory_delays={"key_memory": 0.5}))
    text = json.dumps(report.to_dict())
    assert TimingReport.from_dict(json.loads(text)) == report
    assert json.loads(text)["period"] == report.period
    periods = [path.period for path in report.paths]
    assert periods == sorted(periods, reverse=True)
    assert {"weighted_sum", "normalizer", "selector", "key_memory"} <= {path.end_block for path in report.paths}
    with pytest.raises(ValueError, match=r"^a timing report has format 1, not 7$"):
        TimingReport.from_dict({**report.to_dict(), "format": 7})
