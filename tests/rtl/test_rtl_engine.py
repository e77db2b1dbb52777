"""The whole engine, small, in Amaranth's simulator against the golden model; `tests/sim` runs the emitted Verilog."""
# amaranth: UnusedElaboratable=no

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from hamming.golden.attention import attend
from hamming.golden.spec import AttentionSpec
from hamming.rtl.config import EngineConfig
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.engine import Engine
from tests.rtl.harness import Beats, pack, run


def check(
    spec: AttentionSpec, config: EngineConfig, rng: np.random.Generator, *, n_queries: int = 16, n_valid=None, **rhythm
) -> Beats:
    """Load random keys and values, send random queries, compare outputs and kept keys to the bit."""
    dims = Dimensions(spec, config)
    q, k = rng.integers(0, 2, (n_queries, spec.d_head)), rng.integers(0, 2, (spec.n_keys, spec.d_head))
    v = rng.integers(-(2 ** (spec.value_bits - 1)), 2 ** (spec.value_bits - 1), (spec.n_keys, spec.d_value))
    if n_valid is None:
        n_valid = rng.integers(0, spec.n_keys + 1, n_queries)
        n_valid[:3] = [0, 1, spec.n_keys]
    n_valid = np.broadcast_to(n_valid, n_queries)
    mask = rng.random((n_queries, spec.n_keys)) < 0.3 if config.mask else None
    golden = attend(spec, q, k, v, n_valid=n_valid, mask=mask)

    inputs: dict = {
        "i_row": [{"index": int(j), "key": pack(k[j]), "value": v[j].tolist()} for j in rng.permutation(spec.n_keys)],
        "i_query": [{"query": pack(bits), "n_valid": int(n)} for bits, n in zip(q, n_valid, strict=True)],
    }
    after = {"i_query": "i_row"}
    if config.table == "loadable":
        inputs["i_weight"] = [{"index": t, "weight": w} for t, w in enumerate(spec.weights)]
        after["i_row"] = "i_weight"
    if mask is not None:
        padded = np.zeros((n_queries, dims.n_rows * dims.n_lanes), bool)
        padded[:, : spec.n_keys] = mask
        inputs["i_mask"] = [
            pack(padded[i, r * dims.n_lanes : (r + 1) * dims.n_lanes])
            for i in range(n_queries)
            for r in range(max(1, -(-n_valid[i] // dims.n_lanes)))
        ]
    n_beats = spec.d_value // dims.n_dividers
    outputs = {"o_out": n_queries * n_beats}
    if config.expose_index:
        outputs["o_selected"] = int(np.maximum(1, (golden.index >= 0).sum(axis=-1)).sum())

    beats = run(Engine(spec, config), inputs, outputs, after=after, **rhythm)
    answers = beats.payloads["o_out"]
    out = np.array([[beat.value[n] for n in range(dims.n_dividers)] for beat in answers]).reshape(n_queries, -1)
    np.testing.assert_array_equal(out, golden.out)
    assert [beat.is_empty for beat in answers] == np.repeat(golden.is_empty, n_beats).tolist()
    assert [beat.last for beat in answers] == [n % n_beats == n_beats - 1 for n in range(len(answers))]
    if config.expose_index:
        kept: list[list[tuple[int, int]]] = [[]]
        for beat in beats.payloads["o_selected"]:
            if not beat.is_empty:
                kept[-1].append((beat.deficit, beat.index))
            if beat.last:
                kept.append([])
        assert [[j for _, j in sorted(keys)] for keys in kept[:-1]] == [
            [j for j in row if j >= 0] for row in golden.index
        ]
    return beats


SHAPES = [
    ({"d_head": 8, "d_value": 4, "n_keys": 12, "top_k": 4, "logit_scale": 0.3}, {"n_macs": 2}),
    ({"d_head": 5, "d_value": 6, "n_keys": 11, "top_k": 11, "logit_scale": 0.1}, {"n_lanes": 4, "mask": True}),
    ({"d_head": 1, "d_value": 1, "n_keys": 1, "top_k": 1, "logit_scale": 0.5}, {"table": "loadable"}),
    (
        {"d_head": 13, "d_value": 3, "n_keys": 9, "top_k": 1, "logit_scale": 0.0, "value_bits": 16, "out_frac_bits": 0},
        {"n_lanes": 2, "n_macs": 1, "score_stages": 2, "expose_index": False, "value_banks": 4},
    ),
    (
        {"d_head": 4, "d_value": 2, "n_keys": 16, "top_k": 5, "logit_scale": 1.5, "value_bits": 2, "weight_bits": 1},
        {"n_lanes": 8, "n_macs": 1, "table": "loadable", "mask": True},
    ),
]


@pytest.mark.parametrize("selector", ["histogram", "insertion"])
@pytest.mark.parametrize("shape", range(len(SHAPES)))
def test_equals_golden(shape: int, selector: str, rng: np.random.Generator) -> None:
    spec_fields, engine_fields = SHAPES[shape]
    spec = AttentionSpec.from_logit_scale(**spec_fields)
    config = EngineConfig(selector=selector, **engine_fields)
    check(spec, config, rng)
    check(spec, config, rng, pause=0.3, stall=0.3)


@pytest.mark.parametrize("selector", ["histogram", "insertion"])
@pytest.mark.parametrize("n_macs", [2, 4])
def test_back_to_back_at_the_bound(selector: str, n_macs: int, rng: np.random.Generator) -> None:
    """Queries that see all keys cost the largest of `cycle_terms`, which is the bound, and no cycle more.

    Queries are taken without a gap; the last output follows its query within the latency.
    """
    spec = AttentionSpec.from_logit_scale(d_head=8, d_value=4, n_keys=32, top_k=6, logit_scale=0.2)
    config = EngineConfig(selector=selector, n_macs=n_macs, expose_index=False)
    dims = Dimensions(spec, config)
    beats = check(spec, config, rng, n_queries=21, n_valid=spec.n_keys)
    reads = beats.cycles["i_query"]
    assert max(dims.cycle_terms().values()) == dims.bound()
    assert reads[-1] - reads[0] == 20 * dims.bound()
    assert beats.cycles["o_out"][-1] - reads[-1] <= dims.latency()


@pytest.mark.parametrize(("n_keys", "n_lanes", "d_value", "n_macs", "top_k"), [(128, 4, 16, 2, 4), (64, 1, 16, 1, 4)])
def test_many_passes_at_the_bound(
    n_keys: int, n_lanes: int, d_value: int, n_macs: int, top_k: int, rng: np.random.Generator
) -> None:
    """The next query's keys wait while this one's are gone through again, and still cost no cycle.

    The derived `scan_rows` see to that; with the fewest that would do if no key had to wait, it shows.
    """
    spec = AttentionSpec.from_logit_scale(d_head=8, d_value=d_value, n_keys=n_keys, top_k=top_k, logit_scale=0.2)
    config = EngineConfig(n_lanes=n_lanes, n_macs=n_macs, expose_index=False)
    dims = Dimensions(spec, config)
    assert max(dims.cycle_terms().values()) == dims.bound()

    def cycles(config: EngineConfig) -> float:
        reads = check(spec, config, rng, n_queries=21, n_valid=n_keys).cycles["i_query"]
        return (reads[-1] - reads[5]) / 15

    assert cycles(config) == dims.bound()
    slower = dataclasses.replace(config, scan_rows=2)
    assert dims.bound() < cycles(slower) <= Dimensions(spec, slower).cycle_terms()["select"]


@pytest.mark.parametrize("ways", [{"fabric": "cells"}, {"fabric": "luts"}, {"fabric": "luts", "spare_places": True}])
@pytest.mark.parametrize("selector", ["histogram", "insertion"])
@pytest.mark.parametrize(("n_macs", "n_lanes", "n_dividers"), [(1, 1, 1), (2, 2, 1), (4, 1, 1), (8, 1, 1), (8, 1, 8)])
def test_latency(
    selector: str, n_macs: int, n_lanes: int, n_dividers: int, ways: dict[str, Any], rng: np.random.Generator
) -> None:
    """A lone query takes `Dimensions.latency` at most, and that much where nothing is data-dependent."""
    spec = AttentionSpec.from_logit_scale(d_head=8, d_value=8, n_keys=8, top_k=8, logit_scale=0.2)
    config = EngineConfig(
        selector=selector, n_macs=n_macs, n_lanes=n_lanes, n_dividers=n_dividers, expose_index=False, **ways
    )
    dims = Dimensions(spec, config)
    beats = check(spec, config, rng, n_queries=1, n_valid=8)
    taken = beats.cycles["o_out"][-1] - beats.cycles["i_query"][0]
    assert taken <= dims.latency()
    if n_lanes == 1 and n_macs == spec.d_value:
        assert taken == dims.latency()


def test_appending_while_queries_run(rng: np.random.Generator) -> None:
    """Decoding: each query sees the row that was appended just before it."""
    spec = AttentionSpec.from_logit_scale(d_head=6, d_value=4, n_keys=10, top_k=3, logit_scale=0.2)
    k, q = rng.integers(0, 2, (10, 6)), rng.integers(0, 2, (10, 6))
    v = rng.integers(-128, 128, (10, 4))
    golden = attend(spec, q, k, v, n_valid=np.arange(1, 11))
    dut = Engine(spec, EngineConfig(n_lanes=2, n_macs=2, expose_index=False))
    out: list[int] = []

    async def feed(ctx):
        for j in range(10):
            for stream, payload in (
                (dut.i_row, {"index": j, "key": pack(k[j]), "value": v[j].tolist()}),
                (dut.i_query, {"query": pack(q[j]), "n_valid": j + 1}),
            ):
                ctx.set(stream.payload, payload)
                ctx.set(stream.valid, 1)
                ready = False
                while not ready:
                    *_, ready = await ctx.tick().sample(stream.ready)
                ctx.set(stream.valid, 0)

    async def drain(ctx):
        ctx.set(dut.o_out.ready, 1)
        for _ in range(2000):
            *_, valid, payload = await ctx.tick().sample(dut.o_out.valid, dut.o_out.payload)
            if valid:
                out.append(payload.value[0])
            if len(out) == 40:
                return

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(feed)
    simulator.add_testbench(drain)
    simulator.run()
    np.testing.assert_array_equal(np.reshape(out, (10, 4)), golden.out)
