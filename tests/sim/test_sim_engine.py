"""The engine's emitted Verilog on its bench: directed and random queries, stalls, cycles, and what the bench finds."""

import dataclasses
import shutil

import numpy as np
import pytest

from hamming.golden.attention import attend
from hamming.golden.spec import AttentionSpec
from hamming.rtl.config import EngineConfig
from hamming.rtl.design import Design, load_design
from hamming.sim.engine_testbench import EngineTestbench, Traffic
from hamming.sim.regression import regress
from hamming.sim.stimulus import Vectors, random_vectors

TINY = load_design("tiny", ["engine.mask=true"])

# Every option away from its default, sizes that fit nothing, more lanes than many a query has keys.
ODD = Design(
    AttentionSpec(
        d_head=5,
        d_value=6,
        n_keys=19,
        top_k=7,
        weights=(60, 41, 41, 9, 0, 0),
        value_bits=5,
        weight_bits=6,
        out_frac_bits=3,
    ),
    EngineConfig(
        name="odd",
        n_lanes=8,
        n_macs=2,
        selector="insertion",
        score_stages=3,
        n_dividers=1,
        memory="external",
        table="loadable",
        mask=True,
    ),
)

# Nothing exposed, one key kept of many lanes: selection and summing are short, division is not.
BARE = Design(
    AttentionSpec.from_logit_scale(d_head=33, d_value=1, n_keys=64, top_k=1, logit_scale=0.1, value_bits=16),
    EngineConfig(name="bare", n_lanes=16, scan_rows=2, memory="external", table="loadable", expose_index=False),
)
# As an FPGA has it, with a slice in every other cycle.
LUTS = Design(
    AttentionSpec.from_logit_scale(d_head=5, d_value=3, n_keys=50, top_k=2, logit_scale=0.1),
    EngineConfig(name="luts", n_lanes=4, n_macs=1, fabric="luts", product="dsp", mask=True),
)
DESIGNS = {"tiny": TINY, "odd": ODD, "bare": BARE, "luts": LUTS}


@pytest.fixture(scope="module")
def tiny():
    return EngineTestbench(TINY)


def check(results):
    assert [failure for result in results for failure in result.failures] == []


@pytest.mark.parametrize("design", DESIGNS.values(), ids=DESIGNS)
def test_random_queries(design):
    """Everything random at once: stalls of all kinds, appended rows, masks, a reset in the middle of things."""
    outcome = regress(design, 800, seed=1)
    assert outcome.report.mismatches == []
    assert outcome.report.violations == []
    assert outcome.report.queries >= 800
    assert outcome.missing == []
    assert outcome.is_fast
    assert outcome.passed


def directed(spec, **changes):
    """All keys and queries equal, values that tell the keys apart."""
    values = np.arange(spec.n_keys)[:, None] - spec.n_keys // 2 + np.zeros((1, spec.d_value), int)
    whole = {
        "q": np.ones((1, 1, spec.d_head), np.uint8),
        "k": np.ones((1, spec.n_keys, spec.d_head), np.uint8),
        "v": values[None],
        "n_valid": np.full((1, 1), spec.n_keys),
        **changes,
    }
    return Vectors(**whole)


@pytest.mark.parametrize("stall", [0.0, 0.5])
def test_no_valid_key_is_empty_and_zero(tiny, stall):
    [result] = tiny.run([Traffic(vectors=directed(TINY.spec, n_valid=np.zeros((1, 1), int)), stall=stall)])
    check([result])
    assert result.arrays["is_empty"].tolist() == [[True]]
    assert not result.arrays["out"].any()
    assert result.arrays["index"].tolist() == [[[-1] * TINY.spec.top_k]]


def test_all_masked_is_empty_and_zero(tiny):
    mask = np.ones((1, 1, TINY.spec.n_keys), bool)
    [result] = tiny.run([Traffic(vectors=directed(TINY.spec, mask=mask))])
    check([result])
    assert result.arrays["is_empty"].tolist() == [[True]]
    assert not result.arrays["out"].any()


def test_one_valid_key_is_passed_through(tiny):
    spec = TINY.spec
    [result] = tiny.run([Traffic(vectors=directed(spec, n_valid=np.ones((1, 1), int)))])
    check([result])
    assert result.arrays["index"][0, 0].tolist() == [0] + [-1] * (spec.top_k - 1)
    # Whatever its weight, the mean of one value is that value.
    assert result.arrays["out"][0, 0].tolist() == [-(spec.n_keys // 2) << spec.out_frac_bits] * spec.d_value


def test_ties_at_the_cut_go_to_the_lowest_indices(tiny):
    spec = TINY.spec
    vectors = directed(spec)
    vectors.k[0, ::2] = 0  # even keys differ from the query in every element, odd ones in none
    [result] = tiny.run([Traffic(vectors=vectors)])
    check([result])
    assert result.arrays["index"][0, 0].tolist() == [1, 3, 5, 7][: spec.top_k]


def test_mask_takes_the_best_keys_out(tiny):
    spec = TINY.spec
    mask = np.zeros((1, 1, spec.n_keys), bool)
    mask[..., :3] = True
    [result] = tiny.run([Traffic(vectors=directed(spec, mask=mask))])
    check([result])
    assert result.arrays["index"][0, 0].tolist() == list(range(3, 3 + spec.top_k))


def test_fewer_keys_than_lanes():
    spec = ODD.spec
    n_valid = np.arange(1, ODD.config.n_lanes)[None]
    q = np.ones((1, n_valid.size, spec.d_head), np.uint8)
    check(
        EngineTestbench(ODD).run([Traffic(vectors=directed(spec, q=q, n_valid=n_valid), stall=s) for s in (0.0, 0.5)])
    )


def test_decoding_appends_a_row_and_asks(tiny, rng):
    """A row, a query that sees it, the next row: rows are written while queries are on their way."""
    spec = TINY.spec
    vectors = random_vectors(spec, rng, n_heads=4, n_queries=spec.n_keys, has_mask=False)
    vectors = dataclasses.replace(vectors, n_valid=np.tile(np.arange(1, spec.n_keys + 1), (4, 1)))
    results = tiny.run([Traffic(vectors=vectors, append=True, stall=stall) for stall in (0.0, {"i_row": 0.9}, 0.5)])
    check(results)
    assert all(result.coverage["row_beside_query"] > 0 for result in results)


@pytest.mark.parametrize("name", ["o_out", "o_selected"])
def test_output_that_stands_still_most_of_the_time(tiny, rng, name):
    vectors = random_vectors(TINY.spec, rng, n_heads=1, n_queries=40, has_mask=True)
    [result] = tiny.run([Traffic(vectors=vectors, stall={name: 0.97})])
    check([result])
    assert result.coverage[f"stalled_{name}"] > 40


@pytest.mark.parametrize("name", ["tiny", "flagship"])
def test_back_to_back_costs_what_the_manifest_states(name, rng):
    design = load_design(name)
    bench = EngineTestbench(design)
    vectors = random_vectors(design.spec, rng, n_heads=1, n_queries=100, has_mask=False, all_valid=True)
    [result] = bench.run([Traffic(vectors=vectors)])
    check([result])
    stated = bench.manifest["cycles"]
    mean = result.arrays["cycles"][0, 1:].mean()
    assert 0.99 * stated["a_query"] <= mean <= 1.01 * stated["a_query"]
    assert stated["bound"] / mean >= 0.95


def test_lone_query_takes_the_stated_latency_at_most(tiny, rng):
    vectors = random_vectors(TINY.spec, rng, n_heads=20, n_queries=1, has_mask=True, all_valid=True)
    [result] = tiny.run([Traffic(vectors=vectors)])
    check([result])
    stated = tiny.manifest["cycles"]["latency"]["cycles"]
    assert stated // 2 <= result.arrays["cycles"].max() <= stated


def test_wrong_expectation_is_found_and_named(tiny, rng):
    vectors = random_vectors(TINY.spec, rng, n_heads=1, n_queries=20, has_mask=True, all_valid=True)
    right = attend(TINY.spec, vectors.q, vectors.k, vectors.v, n_valid=vectors.n_valid)
    out, index = right.out.copy(), right.index.copy()
    out[0, 13, 2] += 1
    index[0, 17, 0] ^= 1
    wrong = dataclasses.replace(right, out=out, index=index)
    [result] = tiny.run([Traffic(vectors=vectors, expected=wrong)])
    assert result.n_mismatches == 2
    expected, got = out[0, 13, 2], right.out[0, 13, 2]
    assert result.mismatches[0].startswith(f"o_out: query 13, value[2]: expected {expected}, got {got} (cycle ")
    assert result.mismatches[1].startswith("o_selected: query 17, ")
    # What is returned is what the Verilog said.
    assert np.array_equal(result.arrays["out"], right.out)
    assert np.array_equal(result.arrays["index"], right.index)


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")
@pytest.mark.parametrize("design", [TINY, ODD], ids=["tiny", "odd"])
def test_icarus_sees_the_same_cycle_by_cycle(design, rng):
    vectors = random_vectors(design.spec, rng, n_heads=2, n_queries=20, has_mask=True)
    traffic = [Traffic(vectors=vectors, stall=stall, append=True, seed=4) for stall in (0.0, 0.5)]
    verilator, icarus = (EngineTestbench(design, simulator=name).run(traffic) for name in ("verilator", "icarus"))
    check(icarus)
    for one, other in zip(verilator, icarus, strict=True):
        assert one.coverage == other.coverage
        assert all(np.array_equal(one.arrays[name], other.arrays[name]) for name in one.arrays)
