"""The presets that the command line lists and prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from hamming.rtl.design import load_design, preset_names, preset_text
from tests.hamming.command_line import assert_mistake, call

pytestmark = pytest.mark.usefixtures("inside_an_empty_folder")


def test_presets_are_listed_with_their_numbers():
    lines = call("presets").stdout.splitlines()
    for preset in preset_names():
        design = load_design(preset)
        row = next(line.split() for line in lines if line.split()[:1] == [preset])
        cycles = max(design.dimensions.cycle_terms().values())
        sizes = (design.spec.d_head, design.spec.d_value, design.spec.n_keys, design.spec.top_k)
        assert row[1:] == [str(n) for n in (*sizes, design.config.n_lanes, design.config.n_macs, cycles)]
        assert any(line.split() == [preset, *preset_text(preset).splitlines()[0].split()[1:]] for line in lines)


def test_a_preset_is_printed_as_the_toml_that_it_is():
    result = call("presets", "minilm")
    assert result.stdout == preset_text("minilm")
    Path("copy.toml").write_text(result.stdout)
    assert load_design("copy.toml", ["engine.name=minilm"]) == load_design("minilm")


def test_unknown_preset():
    assert_mistake(
        call("presets", "minilmm"),
        "no preset 'minilmm'; presets: bert, deit, flagship, minilm, tiny; did you mean 'minilm'?",
    )
