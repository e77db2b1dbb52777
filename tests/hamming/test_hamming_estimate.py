"""`hamming estimate`: every figure with its error, at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hamming.rtl.design import load_design
from hamming.synth.estimate import estimate
from tests.hamming.command_line import assert_mistake, call, files

pytestmark = pytest.mark.usefixtures("inside_an_empty_folder")

BERT = load_design("bert")


def test_the_table_and_the_file_have_what_was_estimated():
    result = call("estimate", "bert", "--json", "new/bert.json")
    assert result.exit_code == 0, result.output
    found, facts = estimate(BERT), json.loads(Path("new/bert.json").read_text())
    assert (facts["spec"], facts["engine"]) == (BERT.spec.to_dict(), BERT.config.to_dict())
    assert facts["estimate"] == json.loads(json.dumps(found.to_dict()))
    logic = result.stdout.partition("memories, modelled")[0]
    rows = {line.split("│")[1].strip(): line for line in logic.splitlines() if line.startswith("│")}
    for block in found.blocks:
        assert f"{block.area:,.0f}" in rows[block.name]
        if block.area_error is not None:
            assert f"{block.area_error:.0%}" in rows[block.name]
    assert f"{found.area:,.0f}" in rows["logic"]
    assert f"{found.errors['energy']['mean']:.0%}" in rows["logic"]
    text = " ".join(result.stdout.split())
    assert f"{1 / found.period:.2f} GHz ± {found.errors['period']['mean']:.0%}" in text
    assert f"period {found.errors['period']['worst']:.0%}" in text


def test_banks_are_one_row():
    result = call("estimate", "flagship")
    assert "value_memory, 8 banks" in " ".join(result.stdout.split())


def test_what_is_beyond_is_said_in_place_of_an_error():
    result = call("estimate", "bert", "--set", "spec.n_keys=65536")
    rows = {line.split("│")[1].strip(): line for line in result.stdout.splitlines() if line.startswith("│")}
    assert rows["selector"].count("beyond") == 2
    assert "beyond" not in rows["weighted_sum"]
    assert "n_keys 65,536 is outside of" in result.stdout


def test_a_file_of_yours_with_changes():
    Path("mine.toml").write_text(call("presets", "bert").stdout)
    result = call("estimate", "mine.toml", "--set", "engine.n_lanes=4", "--json", "mine.json")
    assert result.exit_code == 0, result.output
    area = json.loads(Path("mine.json").read_text())["estimate"]["area"]
    assert area == estimate(load_design("bert", ["engine.n_lanes=4"])).area


def test_mistakes():
    before = files()
    assert_mistake(
        call("estimate", "bert", "--set", "engine.n_engines=2", "--json", "a.json"),
        "there is no estimate for engine.n_engines = 2, only for 1; synthesize measures it",
    )
    assert_mistake(
        call("estimate", "brt"),
        "no preset or file 'brt'; presets: bert, deit, flagship, minilm, tiny; did you mean 'bert'?",
    )
    assert files() == before
