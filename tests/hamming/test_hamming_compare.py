"""`hamming compare`: what it asks for, and what it writes and prints. The measuring is put in its place here."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hamming.cli import main
from hamming.rtl.design import load_design
from hamming.synth.compare.comparison import Comparison
from hamming.synth.mapping.area import Progress, SynthesisError
from tests.synth.comparison_sample import sample


@pytest.fixture(autouse=True)
def asked(tmp_path, monkeypatch) -> list[dict[str, Any]]:
    """Stand in for `synth.compare.experiment`, inside an empty folder; gives what it was asked for."""
    requests = []

    def compare(design, *, progress, **settings):
        requests.append({"design": design, **settings})
        progress(Progress("synthesizing", 0.5))
        if design.spec.top_k == 3:
            raise SynthesisError("no cell for it")
        return sample()

    module = ModuleType("hamming.synth.compare.experiment")
    module.__dict__["compare"] = compare
    monkeypatch.setitem(sys.modules, "hamming.synth.compare.experiment", module)
    monkeypatch.chdir(tmp_path)
    return requests


def call(*arguments: str) -> Result:
    result = CliRunner().invoke(main, ["compare", *arguments], env={"COLUMNS": "120"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def files() -> set[str]:
    return {str(path) for path in Path().rglob("*")}


def test_it_prints_tables_and_writes_both_files(asked):
    result = call("tiny", "--json", "new/found.json", "--html", "new/found.html")
    assert result.exit_code == 0
    assert files() == {"new", "new/found.json", "new/found.html"}
    assert Comparison.from_dict(json.loads(Path("new/found.json").read_text())) == sample()
    assert Path("new/found.html").read_text().startswith("<!DOCTYPE html>")
    assert "this engine against standard attention, int8" in result.stdout
    assert "published: HAD" in result.stdout


def test_it_asks_for_what_is_set(asked):
    call("tiny", "--set", "spec.top_k=2", "--clock", "0.8", "--vectors", "random", "--baseline", "bf16")
    (request,) = asked
    assert request["design"] == load_design("tiny", ["spec.top_k=2"])
    assert (request["clock"], request["vectors"], request["library"].name) == (0.8, "random", "nangate45")
    assert request["baseline"] == "bf16"
    call("tiny")
    assert (asked[1]["clock"], asked[1]["vectors"], asked[1]["baseline"]) == (1.0, "real", "int8")
    assert files() == set()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--clock", "0"], "Invalid value for '--clock': 0.0 is not in the range 0.001<=x<=100."),
        (["--vectors", "true"], "Invalid value for '--vectors': 'true' is not one of 'real', 'random'."),
        (["--baseline", "fp8"], "Invalid value for '--baseline': 'fp8' is not one of 'int8', 'int4', 'bf16', 'sparse"),
        (["--library", "none.lib"], "no cell library 'none.lib'"),
        (["--set", "spec.top_k=3"], "no cell for it"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_file(arguments, message):
    result = call("tiny", *arguments, "--json", "found.json", "--html", "found.html")
    assert result.exit_code != 0
    assert result.stdout == ""
    assert result.stderr.splitlines()[-1].startswith(f"Error: {message}")
    assert files() == set()
