"""`hamming synthesize`: areas by block."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from tests.hamming.command_line import TINY, call, files, loaded

pytestmark = pytest.mark.usefixtures("inside_an_empty_folder")


def test_synthesize_prints_and_saves_areas():
    result = call("synthesize", "tiny", "--json", "new/area.json")
    assert result.exit_code == 0, result.output
    facts = json.loads(Path("new/area.json").read_text())
    assert (facts["spec"], facts["engine"]) == (TINY.spec.to_dict(), TINY.config.to_dict())
    blocks = {block["name"] for block in facts["area"]["blocks"]}
    assert {"selector", "softmax", "weighted_sum", "normalizer"} <= blocks
    assert all(block in result.stdout for block in blocks)


def test_mappings_are_those_that_there_are():
    from hamming.synth.mapping.area import MAPPINGS

    [option] = [option for option in loaded("synthesize").params if option.name == "mapping"]
    assert isinstance(option.type, click.Choice)
    assert tuple(option.type.choices) == MAPPINGS


def test_unknown_library_is_one_line():
    result = call("synthesize", "tiny", "--library", "sky130", "--json", "new/area.json")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert "sky130" in result.stderr
    assert "nangate45" in result.stderr
    assert result.stderr.count("\n") == 1
    assert files() == set()
