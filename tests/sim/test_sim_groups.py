"""Engines whose queries share rows of keys: random ones, a layer's prefill, rows that are read once."""

import dataclasses
import shutil

import numpy as np
import pytest

from hamming.golden.attention import attend
from hamming.golden.spec import AttentionSpec
from hamming.rtl.config import EngineConfig
from hamming.rtl.design import Design
from hamming.rtl.dimensions import Dimensions
from hamming.sim.engine_testbench import EngineTestbench, Traffic
from hamming.sim.regression import regress
from hamming.sim.simulate import simulate
from hamming.sim.stimulus import random_vectors

TABLES = ((60, 41, 41, 9, 3, 1), (63, 2, 2, 2, 1, 1), (5, 5, 5, 5, 5, 0))
#: All that a query may bring; and little, behind memories that are asked.
MUCH = Design(
    AttentionSpec(d_head=5, d_value=6, n_keys=45, top_k=6, weights=TABLES, weight_bits=6),
    EngineConfig(
        name="much", n_lanes=4, n_macs=2, mask=True, table="loadable", range=True, n_queries_a_row=3, spare_places=True
    ),
)
LITTLE = Design(
    AttentionSpec(d_head=5, d_value=4, n_keys=32, top_k=3, weights=TABLES[0], weight_bits=6),
    EngineConfig(name="little", selector="insertion", memory="request", n_queries_a_row=4, expose_index=False),
)


@pytest.mark.parametrize("design", [MUCH, LITTLE], ids=["much", "little"])
def test_random_queries(design):
    outcome = regress(design, 1500, seed=3)
    assert outcome.report.mismatches == []
    assert outcome.report.violations == []
    assert outcome.missing == []
    assert outcome.passed


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")
@pytest.mark.parametrize("changes", [{"range": True}, {"n_queries_a_row": 2}], ids=["range", "group"])
def test_rows_that_come_before_a_query_are_taken(changes):
    """In Icarus, where a register without a reset holds X: whether rows wait for a read is known before any query."""
    config = EngineConfig(name="early", fabric="luts", n_lanes=2, n_macs=6, **changes)
    design = Design(dataclasses.replace(MUCH.spec, n_keys=32, top_k=3), config)
    outcome = regress(design, 40, seed=1, simulator="icarus")
    assert outcome.report.violations == []
    assert outcome.report.mismatches == []


def test_a_users_queries_need_fill_no_group(rng):
    """Five causal queries of two heads in groups of three; what fills the second group is not the user's."""
    q, k = rng.integers(0, 2, (2, 5, 5)), rng.integers(0, 2, (2, 45, 5))
    v, n_valid = rng.integers(-128, 128, (2, 45, 6)), np.array([[3, 4, 5, 6, 0]])
    found = simulate(MUCH.spec, MUCH.config, q, k, v, n_valid=n_valid, stalls=True)
    expected = attend(MUCH.spec, q, k, v, n_valid=n_valid)
    assert found.report.passed
    assert found.report.queries == 10
    for name in ("out", "is_empty", "index"):
        assert np.array_equal(getattr(found, name), getattr(expected, name))
    assert found.cycles.shape == (2, 5)


@pytest.mark.parametrize("n_queries_a_row", [1, 2, 4])
def test_a_row_is_read_once_for_its_queries(n_queries_a_row, rng):
    """Keys and the fewest cycles by one over the group; values are read for each query, by wider words."""
    spec = AttentionSpec.from_logit_scale(d_head=16, d_value=8, n_keys=128, top_k=8, logit_scale=0.1, value_bits=4)
    config = EngineConfig(n_macs=2 * n_queries_a_row, memory="request", n_queries_a_row=n_queries_a_row)
    design = Design(spec, config)
    vectors = random_vectors(spec, rng, n_heads=1, n_queries=24, has_mask=False, all_valid=True)
    [result] = EngineTestbench(design).run([Traffic(vectors=vectors)])
    assert result.failures == []
    n_kept = np.minimum((attend(spec, vectors.q, vectors.k, vectors.v).weight > 0).sum(), 24 * 8)
    keys, values = result.arrays["words_read"].tolist()
    assert keys == 24 * 128 // n_queries_a_row
    assert values == n_kept * design.dimensions.fold
    assert max(design.dimensions.cycle_terms().values()) == 128
    cycles = result.arrays["cycles"][0, n_queries_a_row:]
    assert cycles.mean() == pytest.approx(128 / n_queries_a_row, rel=0.03)  # a few cycles over all queries


@pytest.mark.parametrize(("n_macs", "cycles"), [(1, 48), (8, 37)], ids=["sums take longer", "rows take longer"])
def test_no_row_waits_for_the_sums_of_a_query_of_its_group(n_macs, cycles, rng):
    """Two queries of 37 keys, one a cycle; each sums 3 kept keys in 8 passes, or in 1: the longer of both counts."""
    spec = AttentionSpec.from_logit_scale(d_head=8, d_value=8, n_keys=37, top_k=3, logit_scale=0.1, value_bits=4)
    config = EngineConfig(n_macs=n_macs, selector="insertion", n_queries_a_row=2)
    q, k, v = rng.integers(0, 2, (40, 8)), rng.integers(0, 2, (37, 8)), rng.integers(-8, 8, (37, 8))
    found = simulate(spec, config, q, k, v)
    assert found.report.passed
    assert found.report.cycles_a_query == pytest.approx(cycles / 2, abs=0.1)


def test_a_window_of_a_group_reads_what_any_of_its_queries_sees(rng):
    """Windows of 32 keys that slide by one: 32 + 3 keys in rows of 4, from where the first begins."""
    spec = AttentionSpec.from_logit_scale(d_head=16, d_value=4, n_keys=256, top_k=2, logit_scale=0.1, value_bits=4)
    config = EngineConfig(n_lanes=4, range=True, key_memory="request", n_queries_a_row=4, n_dividers=4)
    q, k = rng.integers(0, 2, (40, 16)), rng.integers(0, 2, (256, 16))
    v, first = rng.integers(-8, 8, (256, 4)), np.arange(40)
    found = simulate(spec, config, q, k, v, first=first, n_valid=first + 32)
    assert found.report.passed
    assert np.array_equal(found.out, attend(spec, q, k, v, first=first, n_valid=first + 32).out)
    rows = Dimensions(spec, config).rows_read_for([(n + 32, n, 0) for n in range(4, 8)])
    assert rows == 9
    assert found.report.cycles_bound == 9 / 4
    assert found.report.cycles_a_query == pytest.approx(9 / 4, rel=0.1)
