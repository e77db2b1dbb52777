"""Engines in a chain, and partial results: the Verilog against golden over all keys, in every kind of traffic."""

from __future__ import annotations

import dataclasses
import shutil

import numpy as np
import pytest

from hamming.golden.attention import attend
from hamming.golden.spec import AttentionSpec
from hamming.rtl.config import OUTPUTS, EngineConfig
from hamming.rtl.design import Design, load_design
from hamming.sim.chain_length import design_of, markdown, read
from hamming.sim.engine_beats import masks_of_engines
from hamming.sim.engine_testbench import EngineTestbench
from hamming.sim.many_engines import engine_of
from hamming.sim.regression import regress
from hamming.sim.runner import SimulationFailed
from hamming.sim.simulate import simulate
from hamming.sim.stimulus import random_chain, random_design

DESIGNS = {
    "two engines": ["engine.n_engines=2"],
    "three, every option": [
        "spec.n_keys=21",
        "spec.top_k=9",
        "spec.logit_scale=[0.1, 0.3]",
        "spec.n_sinks=5",
        "engine.n_engines=3",
        "engine.n_lanes=2",
        "engine.range=true",
        "engine.mask=true",
        "engine.table=loadable",
        "engine.score_stages=1",
    ],
    "as many kept as there are": ["spec.top_k=16", "engine.n_engines=4", "engine.n_lanes=4", "engine.n_macs=8"],
    "more kept than an engine holds": ["spec.top_k=11", "engine.n_engines=4", "engine.expose_index=false"],
    "macros": [
        "engine.n_engines=3",
        "spec.n_keys=21",
        "engine.memory=external",
        "engine.read_latency=3",
        "engine.n_lanes=2",
    ],
    "requests": ["engine.n_engines=2", "engine.memory=request", "engine.outstanding=8", "engine.n_lanes=2"],
    "partial": ["engine.output=partial", "engine.mask=true"],
    "partial of two": ["engine.output=partial", "engine.n_engines=2"],
}


@pytest.mark.parametrize("changes", DESIGNS.values(), ids=DESIGNS)
def test_random_traffic(changes: list[str]) -> None:
    outcome = regress(load_design("tiny", changes), 250, seed=3)
    assert not outcome.report.mismatches
    assert not outcome.report.violations
    assert outcome.is_fast
    assert not [name for name in outcome.missing if name.startswith(("tie", "no_valid", "stalled_o"))]


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")
def test_a_word_that_no_key_asked_for_is_nothing() -> None:
    """An engine may keep no key of a query: in Icarus its word is X, and so is 0 times that."""
    config = EngineConfig(
        name="engines", n_engines=2, n_lanes=2, n_macs=4, fabric="luts", product="dsp", value_memory="request"
    )
    spec = AttentionSpec(
        d_head=5, d_value=4, n_keys=16, top_k=2, weights=(3, 2, 1, 1, 0, 0), weight_bits=2, value_bits=3
    )
    outcome = regress(Design(spec, config), 30, seed=1, simulator="icarus")
    assert not outcome.report.mismatches
    assert not outcome.report.violations


def test_vectors_of_a_user(rng: np.random.Generator) -> None:
    design = load_design("tiny", ["engine.n_engines=2", "engine.mask=true"])
    spec = design.spec
    q, k = rng.integers(0, 2, (2, 9, spec.d_head)), rng.integers(0, 2, (2, 13, spec.d_head))
    v = rng.integers(-128, 128, (2, 13, spec.d_value))
    mask = rng.random((2, 9, 13)) < 0.4
    found = simulate(spec, design.config, q, k, v, mask=mask)
    expected = attend(spec, q, k, v, mask=mask)
    assert found.report.passed
    np.testing.assert_array_equal(found.out, expected.out)
    np.testing.assert_array_equal(found.index, expected.index)


def test_each_engine_has_the_mask_of_its_keys() -> None:
    design = load_design("tiny", ["engine.n_engines=4", "engine.n_lanes=2", "engine.mask=true"])
    mask = np.arange(16).reshape(1, 16) % 5 == 0
    named = {"n_valid": np.array([11]), "first": np.array([0]), "base": np.array([0])}
    got = masks_of_engines(design.config, 16, design.spec, named, mask, np.random.default_rng(0))
    assert [len(beats) for beats in got] == [2, 2, 2, 1]
    assert got[0] == [0b01, 0b00]
    assert got[1] == [0b10, 0b00]
    assert got[2][0] == 0b00
    assert got[2][1] & 1 == 1


def test_one_engine_of_a_chain_is_not_simulated_alone() -> None:
    design = load_design("tiny", ["engine.n_engines=2", "engine.chain=true"])
    with pytest.raises(SimulationFailed, match="answers nothing without the others; without chain = true"):
        EngineTestbench(design)


@pytest.mark.parametrize("number", range(20))
def test_random_chains_fit(number: int) -> None:
    rng = np.random.default_rng(number)
    design = random_chain(random_design(rng), rng)
    assert design.config.n_engines > 1
    assert design.spec.n_keys == design.config.n_engines * design.dimensions.part.spec.n_keys


def test_every_fourth_random_engine_is_a_chain() -> None:
    designs = [engine_of(number, 0) for number in range(8)]
    assert [design.config.n_engines > 1 for design in designs] == [n % 4 == 3 for n in range(8)]
    for number in (0, 2):
        assert designs[number] == random_design(np.random.default_rng([0, number]))
    assert {design.config.output for design in designs} == set(OUTPUTS)


def test_what_was_measured_is_of_the_engines_of_today() -> None:
    rows = read()
    for row in rows:
        dims = design_of(row["n_engines"], row["n_keys"]).dimensions
        assert row["stored"] == dims.n_stored
        least = row["n_keys"] / (row["n_lanes"] * row["n_engines"])
        assert least / row["cycles"] >= 0.95
        assert row["latency"] <= dims.latency()
    assert len(markdown(rows).splitlines()) == 2 + len(rows)


def test_a_chain_is_a_design_like_another() -> None:
    design = load_design("flagship", ["engine.n_engines=4"])
    again = Design(design.spec, dataclasses.replace(design.config))
    assert again.dimensions.cycle_terms() == {
        "score": 16,
        "select": 48,
        "sum": 64,
        "divide": 64,
        "agree": 65,
        "index": 32,
    }
