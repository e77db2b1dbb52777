"""`hamming simulate`: vectors and random queries through the Verilog."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click
import numpy as np
import pytest

from hamming.golden.attention import Attention, attend
from hamming.sim.runner import simulator_version
from tests.hamming.command_line import TINY, assert_mistake, call, files, loaded, save_vectors

pytestmark = pytest.mark.usefixtures("inside_an_empty_folder")


@pytest.mark.parametrize("stalls", [[], ["--stalls", "--seed", "3"]])
def test_simulate_gives_what_the_golden_model_gives(stalls):
    arrays = save_vectors(n_valid=np.array([[0, 1, 3, 4, 16]]))
    result = call("simulate", "tiny", "--vectors", "vectors.npz", "--output", "out", "--json", "new/r.json", *stalls)
    assert result.exit_code == 0, result.output
    expected = attend(TINY.spec, **arrays)
    with np.load("out") as found:
        assert set(found.files) == {"out", "index", "is_empty", "cycles"}
        for name in ("out", "index", "is_empty"):
            assert np.array_equal(found[name], getattr(expected, name))
        assert found["cycles"].shape == (2, 5)
        assert (found["cycles"] > 0).all()
    facts = json.loads(Path("new/r.json").read_text())
    assert (facts["spec"], facts["engine"]) == (TINY.spec.to_dict(), TINY.config.to_dict())
    assert (facts["queries"], facts["n_mismatches"], facts["passed"]) == (10, 0, True)
    rows = [line.split() for line in result.stdout.splitlines()]
    for row in (["result", "passed"], ["queries", "10"], ["mismatches", "0"]):
        assert row in rows
    assert files() == {"vectors.npz", "out", "new", "new/r.json"}


def test_simulate_leaves_out_what_the_engine_does_not_expose():
    save_vectors()
    call("simulate", "tiny", "--vectors", "vectors.npz", "--output", "out.npz", "--set", "engine.expose_index=false")
    with np.load("out.npz") as found:
        assert set(found.files) == {"out", "is_empty", "cycles"}


def test_simulate_sends_random_queries_and_leaves_waves():
    result = call("simulate", "tiny", "--queries", "40", "--waves", "new/waves.vcd")
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["result", "passed"] in rows
    assert any(row[:1] == ["queries"] and int(row[1]) >= 40 for row in rows)
    assert Path("new/waves.vcd").stat().st_size > 1000


def test_simulate_ends_with_status_1_where_something_differs(monkeypatch):
    """The golden model is made wrong, so that the Verilog differs from it."""
    save_vectors()

    def wrong(*arguments: object, **settings: object) -> Attention:
        found = attend(*arguments, **settings)  # pyright: ignore[reportArgumentType]
        return dataclasses.replace(found, out=found.out + 1)

    monkeypatch.setattr("hamming.sim.simulate.attend", wrong)
    result = call("simulate", "tiny", "--vectors", "vectors.npz", "--json", "report.json")
    assert result.exit_code == 1
    assert ["result", "FAILED"] in [line.split() for line in result.stdout.splitlines()]
    assert json.loads(Path("report.json").read_text())["n_mismatches"] == 10


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--output", "out.npz"], "--output goes with --vectors"),
        (["--no-stalls"], "--stalls and --no-stalls go with --vectors; random queries are sent both ways"),
        (["--vectors", "vectors.npz", "--queries", "9"], "--queries goes without --vectors"),
        (["--queries", "0"], "Invalid value for '--queries': 0 is not in the range 1<=x<=1000000."),
        (["--simulator", "vcs"], "Invalid value for '--simulator': 'vcs' is not one of 'verilator', 'icarus'."),
    ],
)
def test_simulate_says_which_options_go_together(options, message):
    assert_mistake(call("simulate", "tiny", *options), message, exit_code=2)
    assert files() == set()


def test_simulators_are_those_that_there_are():
    from hamming.sim.runner import SIMULATORS

    [option] = [option for option in loaded("simulate").params if option.name == "simulator"]
    assert isinstance(option.type, click.Choice)
    assert tuple(option.type.choices) == SIMULATORS


@pytest.mark.parametrize("options", [["--json", "new/r.json"], ["--vectors", "vectors.npz", "--output", "new/out.npz"]])
def test_missing_simulator_is_one_line_that_says_what_to_install(options, monkeypatch):
    save_vectors()
    monkeypatch.setenv("PATH", "/nowhere")
    simulator_version.cache_clear()
    result = call("simulate", "tiny", "--simulator", "icarus", *options)
    assert_mistake(result, "Icarus Verilog is not installed; install it (Debian, Ubuntu: apt install iverilog)")
    assert files() == {"vectors.npz"}


def test_waves_that_cannot_be_written_are_found_before_the_work():
    Path("file").touch()
    result = call("simulate", "tiny", "--waves", "file/waves.vcd")
    assert_mistake(result, "cannot write 'file/waves.vcd': Not a directory")


def test_waves_named_after_another_format_are_refused():
    result = call("simulate", "tiny", "--waves", "waves.fst")
    assert_mistake(result, "verilator writes waves as .vcd, so the file must not be named 'waves.fst'")
    assert files() == set()
