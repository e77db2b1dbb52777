"""Engines in a chain, all together, against golden over all keys."""
# amaranth: UnusedElaboratable=no

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from amaranth.sim import Simulator

from hamming.golden.attention import attend
from hamming.golden.spec import AttentionSpec
from hamming.rtl.chain import Chain
from hamming.rtl.config import EngineConfig
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.engine import Engine
from hamming.rtl.memory import DualPortMemory, key_write_port, value_write_port
from tests.rtl.harness import pack, run


class InlineChain(Chain):
    """A chain whose engines are submodules, as Amaranth's simulator wants them."""

    def instance(self, m: Module, number: int) -> Any:
        m.submodules[f"engine_{number}"] = engine = Engine(self.spec, self.engine.config)
        return engine


class OutsideChain(InlineChain):
    """A chain whose engines have their memories outside: of keys a macro, of values one that is asked."""

    def instance(self, m: Module, number: int) -> Any:
        config = dataclasses.replace(self.engine.config, key_memory="external", value_memory="request", outstanding=5)
        engine: Any = Engine(self.spec, config)
        keys: Any = DualPortMemory(key_write_port(engine.dims.part))
        values: Any = DualPortMemory(value_write_port(engine.dims.part))
        for name, part in (("engine", engine), ("keys", keys), ("values", values)):
            m.submodules[f"{name}_{number}"] = part
        wiring.connect(m, engine.key_read, keys.read)
        wiring.connect(m, engine.key_write, keys.write)
        request, response, write = engine.value_request, engine.value_response, engine.value_write
        m.d.comb += [
            request.ready.eq(1),
            values.read.en.eq(request.valid),
            values.read.addr.eq(request.p.address),
            response.p.data.eq(values.read.data),
            write.ready.eq(1),
            values.write.en.eq(write.valid),
            values.write.addr.eq(write.p.address),
            values.write.data.eq(write.p.data),
        ]
        m.d.sync += response.valid.eq(request.valid)
        return engine


RANGE = {"range": True}
SHAPES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"d_head": 6, "d_value": 4, "n_keys": 12, "top_k": 4}, {"n_engines": 2, "n_macs": 2}),
    ({"d_head": 3, "d_value": 2, "n_keys": 15, "top_k": 9}, {"n_engines": 3, "n_lanes": 2, "mask": True}),
    ({"d_head": 4, "d_value": 1, "n_keys": 4, "top_k": 1}, {"n_engines": 4, "expose_index": False}),
    (
        {"d_head": 5, "d_value": 2, "n_keys": 24, "top_k": 3, "n_sinks": 5},
        {"n_engines": 3, "n_lanes": 2, "range": True},
    ),
]


@pytest.mark.parametrize(("pause", "stall"), [(0.0, 0.0), (0.2, 0.6)])
@pytest.mark.parametrize(("spec_fields", "engine_fields"), SHAPES)
def test_a_chain_equals_golden(
    spec_fields: dict, engine_fields: dict, pause: float, stall: float, rng: np.random.Generator
) -> None:
    check(spec_fields, engine_fields, rng, n=24, pause=pause, stall=stall)


def test_scores_wait_for_their_scan(rng: np.random.Generator) -> None:
    """Outputs that are hardly ever taken, and two engines that store two queries each."""
    shape: dict[str, Any] = {"d_head": 2, "d_value": 8, "n_keys": 128, "top_k": 8}
    config: dict[str, Any] = {"n_engines": 2, "expose_index": False}
    assert Dimensions(AttentionSpec.from_logit_scale(logit_scale=0.2, **shape), EngineConfig(**config)).n_stored == 2
    check(shape, config, rng, n=16, all_valid=True, pause=0.0, stall=0.96)


def test_engines_of_a_chain_have_memories_of_any_kind(rng: np.random.Generator) -> None:
    spec_fields, engine_fields = SHAPES[0]
    check(spec_fields, engine_fields, rng, n=20, pause=0.1, stall=0.3, component=OutsideChain)


def check(
    spec_fields: dict,
    engine_fields: dict,
    rng: np.random.Generator,
    *,
    n: int,
    all_valid: bool = False,
    component: type[Chain] = InlineChain,
    **rhythm,
) -> None:
    """Send random queries through all engines, and compare outputs and kept keys to the bit."""
    spec = AttentionSpec.from_logit_scale(logit_scale=0.2, **spec_fields)
    config = EngineConfig(**engine_fields)
    dims = Dimensions(spec, config)
    q, k = rng.integers(0, 2, (n, spec.d_head)), rng.integers(0, 2, (spec.n_keys, spec.d_head))
    v = rng.integers(-128, 128, (spec.n_keys, spec.d_value))
    n_valid = rng.integers(0, spec.n_keys + 1, n)
    n_valid[:3] = [0, 1, spec.n_keys]
    if all_valid:
        n_valid[:] = spec.n_keys
    mask = rng.random((n, spec.n_keys)) < 0.3 if config.mask else None
    named: dict[str, Any] = {"n_valid": n_valid}
    if config.range:
        named["first"] = rng.integers(0, spec.n_keys + 1, n)
        named["base"] = rng.integers(0, spec.n_keys, n)
    golden = attend(spec, q, k, v, mask=mask, **named)
    inputs: dict[str, Any] = {
        "i_row": [{"index": int(j), "key": pack(k[j]), "value": v[j].tolist()} for j in rng.permutation(spec.n_keys)],
        "i_query": [{"query": pack(q[i]), **{name: int(bound[i]) for name, bound in named.items()}} for i in range(n)],
    }
    n_own = dims.part.spec.n_keys
    if mask is not None:
        for e in range(config.n_engines):
            own = np.pad(mask[:, e * n_own : (e + 1) * n_own], ((0, 0), (0, dims.n_lanes)))
            inputs[f"i_mask_{e}"] = [
                pack(own[i, r * dims.n_lanes : (r + 1) * dims.n_lanes])
                for i in range(n)
                for r in range(max(1, -(-min(max(0, n_valid[i] - e * n_own), n_own) // dims.n_lanes)))
            ]
    n_beats = spec.d_value // dims.n_dividers
    outputs = {"o_out": n * n_beats}
    if config.expose_index:
        outputs["o_selected"] = int(np.maximum(1, (golden.index >= 0).sum(axis=-1)).sum())
    beats = run(component(spec, config), inputs, outputs, after={"i_query": "i_row"}, **rhythm)
    out = [[beat.value[d] for d in range(dims.n_dividers)] for beat in beats.payloads["o_out"]]
    np.testing.assert_array_equal(np.array(out).reshape(n, -1), golden.out)
    assert [beat.is_empty for beat in beats.payloads["o_out"]] == np.repeat(golden.is_empty, n_beats).tolist()
    if config.expose_index:
        keys = iter(beats.payloads["o_selected"])
        for row in golden.index:
            kept = sorted(j for j in row.tolist() if j >= 0)
            got = [next(keys) for _ in range(max(1, len(kept)))]
            assert [beat.index for beat in got] == (kept or [0])
            assert [beat.last for beat in got] == [0] * (len(got) - 1) + [1]
            assert got[0].is_empty == (not kept)


@pytest.mark.parametrize("whole", [True, False])
def test_nothing_is_transferred_in_reset(whole: bool, rng: np.random.Generator) -> None:
    """Whatever is offered, and wherever the reset comes, of all engines and of one."""
    spec = AttentionSpec.from_logit_scale(d_head=3, d_value=1, n_keys=4, top_k=2, logit_scale=0.2)
    config = EngineConfig(n_engines=2, mask=True)
    dut: Any = InlineChain(spec, config) if whole else Engine(spec, dataclasses.replace(config, chain=True))
    inputs, outputs = [], []
    for name, member in dut.signature.members.items():
        if member.is_signature:
            (inputs if member.flow == In else outputs).append(getattr(dut, name))
    n_bits = {id(stream): len(Value.cast(stream.payload)) for stream in inputs}
    top = Module()
    top.domains.sync = sync = ClockDomain()
    top.submodules.dut = dut
    n_moved = 0

    async def testbench(ctx: Any) -> None:
        nonlocal n_moved
        is_reset = True
        for _ in range(1500):
            ctx.set(sync.rst, is_reset)
            for part in inputs:
                ctx.set(part.valid, int(rng.integers(4) > 0))
                ctx.set(Value.cast(part.payload), int(rng.integers(2**32)) % 2 ** n_bits[id(part)])
            for part in outputs:
                ctx.set(part.ready, int(rng.integers(4) > 0))
            moving = [ctx.get(part.ready) for part in inputs] + [ctx.get(part.valid) for part in outputs]
            assert not (is_reset and any(moving))
            n_moved += sum(moving)
            await ctx.tick()
            is_reset = bool(rng.integers(50) == 0)

    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()
    assert n_moved > 1000
