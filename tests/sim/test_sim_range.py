"""Engines whose queries name a range, sinks and a table: random ones, windows, rings, and the heads of a layer."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from hamming.golden.attention import attend
from hamming.golden.fixture import load_minilm
from hamming.golden.score import matches
from hamming.golden.spec import AttentionSpec
from hamming.golden.values import quantize
from hamming.rtl.config import EngineConfig
from hamming.rtl.design import Design
from hamming.rtl.engine import Engine
from hamming.rtl.manifest import ports, streams
from hamming.rtl.verilog import emit
from hamming.sim.regression import regress
from hamming.sim.simulate import simulate
from hamming.sim.testbench import Case, Testbench

TABLES = ((60, 41, 41, 9, 3, 1), (63, 2, 2, 2, 1, 1), (5, 5, 5, 5, 5, 0))
SINKS = Design(
    AttentionSpec(d_head=5, d_value=6, n_keys=45, top_k=6, weights=TABLES, weight_bits=6, n_sinks=7),
    EngineConfig(name="sinks", n_lanes=4, n_macs=2, mask=True, table="loadable", range=True),
)
RANGES = Design(
    AttentionSpec(d_head=5, d_value=4, n_keys=32, top_k=3, weights=TABLES[0], weight_bits=6),
    EngineConfig(name="ranges", selector="insertion", range=True, memory="external", read_latency=2),
)


@pytest.mark.parametrize("design", [SINKS, RANGES], ids=["sinks", "ranges"])
def test_random_queries(design):
    outcome = regress(design, 1500, seed=3)
    assert outcome.report.mismatches == []
    assert outcome.report.violations == []
    assert outcome.missing == []
    assert outcome.passed


@pytest.mark.parametrize(("n_sinks", "cycles"), [(0, 16), (4, 17)])
def test_a_window_costs_its_own_rows_whatever_the_context(n_sinks, cycles, rng):
    """256 of 8,192 keys, in 16 rows of 16; sinks are in a row of their own."""
    spec = AttentionSpec.from_logit_scale(
        d_head=16, d_value=4, n_keys=8192, top_k=8, logit_scale=0.1, n_sinks=n_sinks, value_bits=4
    )
    config = EngineConfig(n_lanes=16, range=True)
    q, k = rng.integers(0, 2, (120, 16)), rng.integers(0, 2, (8192, 16))
    v = rng.integers(-8, 8, (8192, 4))
    first = 16 * rng.integers(1, 8192 // 16 - 15, 120)
    found = simulate(spec, config, q, k, v, first=first, n_valid=first + 256)
    assert found.report.passed
    assert np.array_equal(found.out, attend(spec, q, k, v, first=first, n_valid=first + 256).out)
    assert found.report.cycles_a_query is not None
    assert cycles <= found.report.cycles_a_query < cycles + 0.02  # a cycle over all queries
    assert (found.report.cycles_expected, found.report.cycles_bound) == (cycles, cycles)
    # As an engine of 256 keys that has no range.
    assert Design(dataclasses.replace(spec, n_keys=256, n_sinks=0), EngineConfig(n_lanes=16)).dimensions.bound() == 16


def test_a_thousand_steps_through_rings_that_hold_the_window():
    """Two sequences in one memory, each with its sinks and behind them a ring of its window."""
    n_sequences, n_steps, n_sinks, window, d_head = 2, 500, 3, 21, 24
    places = n_sinks + window
    spec = AttentionSpec.from_logit_scale(
        d_head=d_head, d_value=4, n_keys=n_sequences * places, top_k=6, logit_scale=0.05
    )
    config = EngineConfig(name="ring", n_lanes=4, n_macs=2, range=True, expose_index=False)
    rng = np.random.default_rng(11)
    q, k = (rng.integers(0, 2, (n_steps, n_sequences, d_head)) for _ in range(2))
    v = rng.integers(-128, 128, (n_steps, n_sequences, 4))
    step = np.arange(n_steps)
    place = np.where(step < n_sinks, step, n_sinks + (step - n_sinks) % window)
    n_held = np.minimum(step + 1, places)

    # Of the whole sequence, with a window that slides and sinks; and of what a ring holds, place by place.
    long = dataclasses.replace(spec, n_keys=n_steps, n_sinks=n_sinks)
    first = np.maximum(0, step - window + 1)
    expected = np.zeros((n_steps, n_sequences, 4), np.int64)
    n_alike = 0
    for s in range(n_sequences):
        of_sequence = attend(long, q[:, s], k[:, s], v[:, s], first=first, n_valid=step + 1)
        held_k, held_v = np.zeros((places, d_head), int), np.zeros((places, 4), int)
        for t in range(n_steps):
            held_k[place[t]], held_v[place[t]] = k[t, s], v[t, s]
            found = attend(spec, q[t, s][None], held_k, held_v, n_valid=n_held[t])
            expected[t, s] = found.out[0]
            # Where no tie at the cut is settled by place in place of age they are the same.
            kept = found.index[0][found.index[0] >= 0]
            score = matches(q[t, s][None], held_k)[0, : n_held[t]].astype(int)
            if (score >= score[kept].min()).sum() == len(kept):
                n_alike += 1
                assert np.array_equal(expected[t, s], of_sequence.out[t])
    assert n_alike > 300

    base = places * np.arange(n_sequences)
    arrays = {
        "q": q.reshape(-1, d_head),
        "k": k.reshape(-1, d_head),
        "v": v.reshape(-1, 4),
        "index": (place[:, None] + base).ravel(),
        "first": np.broadcast_to(base, (n_steps, n_sequences)).ravel(),
        "n_valid": (n_held[:, None] + base).ravel(),
        "expected_out": expected.reshape(-1, 4),
    }
    engine = Engine(spec, config)
    testbench = Testbench(
        emit(engine, "ring"),
        {"name": "ring", "ports": ports(engine), "streams": streams(engine)},
        "tests.sim.bench_ring",
    )
    fields = {"n_sequences": n_sequences, "watchdog": 1000}
    results = testbench.run([Case(fields=fields | {"stall": stall}, arrays=arrays) for stall in (0.0, 0.4)])
    for result in results:
        assert result.failures == []
        assert np.array_equal(result.arrays["out"], arrays["expected_out"])


def test_twelve_heads_of_a_layer_in_one_engine():
    """Each head a range of the memory and a table, queries in turn: a head's own outputs, in a head's own cycles."""
    layer = load_minilm(0)
    n_heads, n_tokens, d_head = layer.q.shape
    v = quantize(layer.v).integers
    fields: dict[str, Any] = {"d_head": d_head, "d_value": d_head, "top_k": 30, "weight_bits": 8}
    spec = AttentionSpec.from_logit_scale(**fields, n_keys=n_heads * n_tokens, logit_scale=layer.logit_scale)
    assert spec.n_tables == n_heads == 12
    tokens = np.arange(3, n_tokens, 8)
    head = np.tile(np.arange(n_heads), len(tokens))
    found = simulate(
        spec,
        EngineConfig(name="layer", n_lanes=2, n_macs=16, range=True),
        layer.q[:, tokens].swapaxes(0, 1).reshape(-1, d_head),
        layer.k.reshape(-1, d_head),
        v.reshape(-1, d_head),
        first=head * n_tokens,
        n_valid=(head + 1) * n_tokens,
        table=head,
    )
    assert found.report.passed
    assert found.index is not None
    for n in range(n_heads):
        alone = AttentionSpec.from_logit_scale(**fields, n_keys=n_tokens, logit_scale=float(layer.logit_scale[n]))
        expected = attend(alone, layer.q[n, tokens], layer.k[n], v[n])
        assert np.array_equal(found.out[head == n], expected.out)
        assert np.array_equal(found.index[head == n] - n * n_tokens, expected.index)
    one_head = Design(alone, EngineConfig(n_lanes=2, n_macs=16)).dimensions
    assert max(one_head.cycle_terms().values()) == 64
    assert found.report.cycles_a_query is not None
    assert 64 <= found.report.cycles_a_query < 64.02


def test_vectors_with_ranges_get_an_engine_with_one(rng):
    spec = AttentionSpec.from_logit_scale(d_head=4, d_value=2, n_keys=8, top_k=3, logit_scale=0.2)
    q, k, v = rng.integers(0, 2, (2, 5, 4)), rng.integers(0, 2, (2, 8, 4)), rng.integers(-9, 9, (2, 8, 2))
    found = simulate(spec, EngineConfig(), q, k, v, first=[[2], [8]])
    assert found.report.notes == ["the vectors have ranges: the engine was built with range = true"]
    assert found.report.passed
    assert np.array_equal(found.out, attend(spec, q, k, v, first=[[2], [8]]).out)
    assert found.is_empty.tolist() == [[False] * 5, [True] * 5]
