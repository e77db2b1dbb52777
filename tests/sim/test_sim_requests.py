"""Engines whose memories are asked, and answer when they like: answers, cycles, and memories that are wrong."""

import dataclasses
import shutil

import numpy as np
import pytest

from hamming.golden.attention import attend
from hamming.rtl.design import load_design
from hamming.sim import testbench
from hamming.sim.engine_testbench import EngineTestbench, Traffic
from hamming.sim.fuzz import fuzz, play
from hamming.sim.fuzz.check import check
from hamming.sim.harness import MEMORY
from hamming.sim.regression import regress
from hamming.sim.simulate import simulate
from hamming.sim.stimulus import random_vectors

#: Two keys a word, a last word of one; slices of half a value vector.
CHANGES = ["engine.n_lanes=2", "engine.mask=true", "spec.n_keys=13"]
MIXES = {
    "both": ["engine.memory=request"],
    "keys": ["engine.key_memory=request", "engine.outstanding=4"],
    "values": ["engine.value_memory=request", "engine.table=loadable", "engine.selector=insertion"],
    "beside external": ["engine.memory=request", "engine.value_memory=external", "engine.read_latency=2"],
}


def design_of(mix):
    return load_design("tiny", [*CHANGES, *MIXES[mix]])


@pytest.mark.parametrize("mix", MIXES)
def test_random_queries(mix):
    outcome = regress(design_of(mix), 800, seed=7)
    assert outcome.report.mismatches == []
    assert outcome.report.violations == []
    assert outcome.missing == []
    assert outcome.passed


@pytest.mark.parametrize("lead", [(), (3,)])
def test_vectors_of_a_user(lead, rng):
    """Words read are counted for each memory, not for each head or query."""
    design = design_of("values")
    q, k = (rng.integers(0, 2, (*lead, n, design.spec.d_head)) for n in (4, design.spec.n_keys))
    v = rng.integers(-8, 8, (*lead, design.spec.n_keys, design.spec.d_value))
    result, expected = simulate(design.spec, design.config, q, k, v), attend(design.spec, q, k, v)
    assert result.report.passed
    assert np.array_equal(result.out, expected.out)
    assert result.cycles.shape == (*lead, 4)


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")
def test_icarus_has_no_objection():
    assert regress(design_of("both"), 120, seed=3, simulator="icarus").passed


def test_a_slow_memory_is_no_hang():
    """A query's words, four at a time and each after 800 cycles, take longer than a bench waits for a fast engine."""
    design = load_design("tiny", ["engine.memory=request", "engine.outstanding=4", "engine.n_lanes=1"])
    vectors = random_vectors(
        design.spec, np.random.default_rng(2), n_heads=1, n_queries=3, has_mask=False, all_valid=True
    )
    [result] = EngineTestbench(design).run(
        [Traffic(vectors=vectors, memory={"latency_least": 800, "latency_most": 800})]
    )
    assert result.failures == []
    assert result.arrays["cycles"].min() >= 3000  # 16 keys


def cycles_a_query(design, memory):
    vectors = random_vectors(
        design.spec, np.random.default_rng(0), n_heads=1, n_queries=200, has_mask=False, all_valid=True
    )
    [result] = EngineTestbench(design).run([Traffic(vectors=vectors, memory=memory)])
    assert result.failures == []
    return float(result.arrays["cycles"][:, 1:].mean())


def test_latency_hides_behind_enough_requests():
    """Seven rows a query, a memory of 40 cycles: one word in 42 / outstanding cycles, or one a cycle."""
    slow = {"latency_least": 40}
    design = load_design("tiny", [*CHANGES[:1], "engine.mask=false", "spec.n_keys=13", *MIXES["both"]])
    few, enough = (
        dataclasses.replace(design, config=dataclasses.replace(design.config, outstanding=n)) for n in (21, 42)
    )
    at_once = cycles_a_query(enough, {"latency_least": 1})
    assert at_once == pytest.approx(max(design.dimensions.cycle_terms().values()), rel=0.02)
    assert cycles_a_query(enough, slow) == pytest.approx(at_once, rel=0.02)
    assert cycles_a_query(few, slow) > 1.5 * at_once


#: What a memory owes, and one that does not do it.
FAULTS = {
    "responses come in order": ("words[asked[first]][lane", "words[asked[(free + 4095) % QUEUE]][lane"),
    "each request has its own": ("asked[free] = request_address;", "if (free % 7 != 0) asked[free] = request_address;"),
    "a write is done when it is transferred": (
        "written_at[write_address] = cycle;",
        "written_at[write_address] = cycle + 40;",
    ),
    "the parts beside it stay": (
        "words[write_address / LANES][write_address % LANES * PART_BITS +: PART_BITS] = write_data;",
        "words[write_address / LANES] = {LANES{write_data}};",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_memory_that_is_wrong_is_noticed(fault, monkeypatch):
    files = testbench.library()
    before, after = FAULTS[fault]
    text = files[f"{MEMORY}.v"]
    assert text.count(before) == 1
    monkeypatch.setattr(testbench, "library", lambda: files | {f"{MEMORY}.v": text.replace(before, after)})
    assert regress(design_of("both"), 200).report.n_mismatches > 0


@pytest.mark.parametrize("mix", MIXES)
def test_anything_on_every_port(mix):
    report = fuzz(design_of(mix), 100_000, 11)
    assert report.messages == []
    kinds = [
        kind
        for kind, memory in zip(("key", "value"), design_of(mix).config.memories, strict=True)
        if memory == "request"
    ]
    errors = [f"error {kind}_{what}" for kind in kinds for what in ("response", "unasked")]
    names = ["queries", "selections compared", "outputs compared", "lone queries", *errors]
    assert [name for name in names if not report.counts.get(name)] == []


def test_what_a_memory_did_wrong_must_be_told():
    design = design_of("both")
    described, log = play(design, 30_000, 11)
    log.wrongs["key_unasked"] = log.wrongs["key_unasked"][1:]
    log.broken = log.resets[:1]
    messages = check(design, described, log).messages
    assert any(message.startswith("error key_unasked rises") for message in messages)
    assert any("a stream of a memory breaks the protocol" in message for message in messages)
