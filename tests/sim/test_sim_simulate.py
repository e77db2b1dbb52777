"""`simulate`: a user's own vectors through the Verilog, shaped as golden's result, and what is said about them."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from hamming.golden.attention import attend
from hamming.rtl.config import EngineConfig
from hamming.rtl.design import Design, load_design
from hamming.sim.report import Report, hold_cycles
from hamming.sim.simulate import simulate
from hamming.sim.stimulus import random_vectors
from hamming.sim.testbench import Result

# The preset, and the same with a mask and without the indices: both are compiled by other tests, too.
TINY = load_design("tiny")
MASKED = load_design("tiny", ["engine.mask=true"])


@pytest.fixture
def vectors(rng):
    return random_vectors(TINY.spec, rng, n_heads=3, n_queries=12, has_mask=True)


def test_heads(vectors):
    result = simulate(TINY.spec, TINY.config, vectors.q, vectors.k, vectors.v, n_valid=vectors.n_valid)
    expected = attend(TINY.spec, vectors.q, vectors.k, vectors.v, n_valid=vectors.n_valid)
    assert np.array_equal(result.out, expected.out)
    assert result.index is not None
    assert np.array_equal(result.index, expected.index)
    assert np.array_equal(result.is_empty, expected.is_empty)
    assert result.out.dtype == result.cycles.dtype == np.int64
    assert result.is_empty.dtype == bool
    assert result.cycles.shape == (3, 12)
    assert result.cycles.min() >= 1
    assert result.report.passed
    assert result.report.queries == 36
    assert result.report.notes == []


def test_no_heads_and_fewer_keys_than_the_engine_holds(vectors):
    k, v = vectors.k[0, :9], vectors.v[0, :9]
    result = simulate(TINY.spec, TINY.config, vectors.q[0], k, v)
    expected = attend(TINY.spec, vectors.q[0], k, v)
    assert result.report.passed
    assert np.array_equal(result.out, expected.out)
    assert result.index is not None
    assert result.index.shape == (12, TINY.spec.top_k)
    assert result.is_empty.shape == result.cycles.shape == (12,)


def test_keys_shared_by_heads(vectors):
    result = simulate(TINY.spec, TINY.config, vectors.q, vectors.k[0], vectors.v[0])
    assert result.report.passed
    assert np.array_equal(result.out, attend(TINY.spec, vectors.q, vectors.k[0], vectors.v[0]).out)


@pytest.mark.parametrize("lead", [(), (3,), (0,), (2, 0)])
def test_no_queries(lead, monkeypatch):
    """Nothing to simulate: an empty result that says so, without a build."""
    monkeypatch.setattr("hamming.sim.simulate.EngineTestbench", None)
    n_queries = 0 if 0 not in lead else 5
    q = np.zeros((*lead, n_queries, 8), np.uint8)
    result = simulate(TINY.spec, TINY.config, q, np.zeros((16, 8), np.uint8), np.zeros((16, 8), np.int8))
    assert result.report.passed
    assert result.report.notes == ["the vectors have no queries: nothing was simulated"]
    assert result.out.shape == (*lead, n_queries, TINY.spec.d_value)
    assert result.index is not None
    assert result.index.shape == (*lead, n_queries, TINY.spec.top_k)
    assert result.is_empty.shape == result.cycles.shape == (*lead, n_queries)


def test_no_keys(vectors):
    result = simulate(TINY.spec, TINY.config, vectors.q, vectors.k[:, :0], vectors.v[:, :0])
    assert result.report.passed
    assert result.is_empty.all()
    assert not result.out.any()


def test_leading_axes_broadcast_and_come_back(rng):
    """Two batches of four heads, each two of which share keys and values."""
    q = rng.integers(0, 2, (2, 2, 2, 5, 8))
    k = rng.integers(0, 2, (2, 2, 1, 16, 8))
    v = rng.integers(-128, 128, (2, 1, 16, 8))
    n_valid = rng.integers(0, 17, (1, 2, 1, 5))
    result = simulate(TINY.spec, TINY.config, q, k, v, n_valid=n_valid)
    expected = attend(TINY.spec, q, k, v, n_valid=n_valid)
    assert result.report.passed
    assert result.report.queries == 40
    assert np.array_equal(result.out, expected.out)
    assert np.array_equal(result.is_empty, expected.is_empty)
    assert result.index is not None
    assert np.array_equal(result.index, expected.index)
    assert result.cycles.shape == (2, 2, 2, 5)


def test_a_mask_turns_the_mask_on_and_is_noted(vectors):
    result = simulate(TINY.spec, TINY.config, vectors.q, vectors.k, vectors.v, mask=vectors.mask)
    assert result.report.passed
    assert result.report.notes == ["the vectors have a mask: the engine was built with mask = true"]
    assert np.array_equal(result.out, attend(TINY.spec, vectors.q, vectors.k, vectors.v, mask=vectors.mask).out)


def test_no_mask_for_an_engine_that_wants_one(vectors):
    result = simulate(MASKED.spec, MASKED.config, vectors.q, vectors.k, vectors.v)
    assert result.report.passed
    assert result.report.notes == []


def test_no_index_where_the_engine_shows_none(vectors):
    config = dataclasses.replace(TINY.config, expose_index=False)
    result = simulate(TINY.spec, config, vectors.q, vectors.k, vectors.v)
    assert result.report.passed
    assert result.index is None


def test_stalls_change_cycles_and_nothing_else(vectors):
    def run(**how):
        return simulate(TINY.spec, TINY.config, vectors.q, vectors.k, vectors.v, **how)

    plain, stalled, again = run(), run(stalls=True, seed=1), run(stalls=True, seed=1)
    assert np.array_equal(plain.out, stalled.out)
    assert stalled.cycles.sum() > plain.cycles.sum()
    assert np.array_equal(stalled.cycles, again.cycles)
    assert plain.report.cycles_a_query is not None
    assert stalled.report.cycles_a_query is None


def test_progress_ends_at_all_queries(vectors):
    seen = []
    simulate(TINY.spec, TINY.config, vectors.q, vectors.k, vectors.v, progress=lambda *now: seen.append(now))
    assert seen[-1] == (36, 36)
    assert seen == sorted(seen)


def test_report_is_json():
    report = Report(simulator="Verilator 5", queries=3, coverage={"weight_0": 1}).to_dict()
    assert report["passed"] is True
    assert Report(simulator="Verilator 5", n_mismatches=1).to_dict()["passed"] is False
    assert Report(simulator="Verilator 5", violations=["o_out: ..."]).to_dict()["passed"] is False


def test_waves_lie_where_they_were_asked_for(vectors, tmp_path):
    file = tmp_path / "new" / "tiny.vcd"
    result = simulate(TINY.spec, TINY.config, vectors.q[0], vectors.k[0], vectors.v[0], waves=file)
    assert result.report.passed
    assert result.report.waves == str(file)
    text = file.read_text()
    # Inner signals are there, by the components' names.
    assert "$scope module selector $end" in text
    assert text.count("\n#") > 100


def test_waves_named_as_another_format_are_refused(vectors):
    with pytest.raises(ValueError, match=r"verilator writes waves as \.vcd, so the file must not be named 'x\.fst'"):
        simulate(TINY.spec, TINY.config, vectors.q, vectors.k, vectors.v, waves=Path("x.fst"))


def test_vectors_are_checked_before_anything_is_built(vectors):
    with pytest.raises(ValueError, match="n_valid must be 0 to 31, not 32"):
        simulate(TINY.spec, TINY.config, vectors.q, vectors.k, vectors.v, n_valid=32, simulator="none")


def test_unknown_simulator(vectors):
    with pytest.raises(ValueError, match="simulator must be one of verilator, icarus, not 'modelsim'"):
        simulate(TINY.spec, TINY.config, vectors.q, vectors.k, vectors.v, simulator="modelsim")


def test_cycles_are_held_against_the_configuration():
    """Of queries that see 16, 8 and 4 keys on one lane; a head's first one does not count."""
    design = Design(TINY.spec, EngineConfig())
    cycles = np.array([[90, 17, 8], [90, 16, 4]])
    n_valid = np.array([[16, 16, 8], [4, 16, 4]])
    vectors = random_vectors(design.spec, np.random.default_rng(0), n_heads=2, n_queries=3, has_mask=False)
    result = Result(arrays={"cycles": cycles}, mismatches=[], n_mismatches=0, violations=[], coverage={}, cycles=200)
    report = Report(simulator="none")
    hold_cycles(report, design, dataclasses.replace(vectors, n_valid=n_valid), result)
    assert report.cycles_a_query == (17 + 8 + 16 + 4) / 4
    # Scoring takes n_valid cycles, summing 4 (top_k, no fold).
    assert report.cycles_bound == (16 + 8 + 16 + 4) / 4
    # On one lane nothing else takes longer but selecting, which the histogram does behind the scoring.
    assert report.cycles_expected == np.mean([max(design.dimensions.cycle_terms(n).values()) for n in (16, 8, 16, 4)])


@pytest.mark.parametrize(
    ("changes", "n_valid", "cycles"),
    [
        (["engine.n_macs=4", "engine.n_lanes=8", "spec.top_k=2", "engine.fabric=luts"], 16, 5),
        (["engine.n_macs=4", "engine.n_lanes=8", "spec.top_k=3", "engine.fabric=luts"], 16, 6),
        (["spec.d_value=1", "engine.n_macs=1"], 1, 3),
        (["spec.d_value=1", "engine.n_macs=1"], 2, 4),
    ],
    ids=["two kept, in chains", "three kept", "one group of several, a key", "two keys"],
)
def test_few_keys_take_the_cycles_that_are_stated(changes, n_valid, cycles, rng):
    design = load_design("tiny", changes)
    q, k = rng.integers(0, 2, (60, 8)), rng.integers(0, 2, (16, 8))
    report = simulate(
        design.spec, design.config, q, k, rng.integers(-9, 9, (16, design.spec.d_value)), n_valid=n_valid
    ).report
    assert report.passed
    assert report.cycles_expected == cycles
    assert report.cycles_a_query == pytest.approx(cycles, abs=0.1)
