"""Engines in a chain: each component, and all together, against golden over all keys."""
# amaranth: UnusedElaboratable=no

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from amaranth.sim import Simulator

from hamming.formal.chain import Agreements
from hamming.golden.attention import attend
from hamming.golden.parts import Partial, agree, level_counts, merge, partial
from hamming.golden.spec import AttentionSpec
from hamming.rtl.chain import Chain
from hamming.rtl.config import EngineConfig
from hamming.rtl.design import Design
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.engine import Engine
from hamming.rtl.kept_keys import KeptKeys
from hamming.rtl.manifest import manifest
from hamming.rtl.memory import DualPortMemory, key_write_port, value_write_port
from hamming.rtl.merge import Merge
from hamming.rtl.share import QueryShare, RowShare
from hamming.rtl.top import top
from hamming.rtl.verilog import emit
from tests.rtl.harness import RHYTHMS, pack, run


def dimensions(n_engines: int, engine: dict | None = None, **spec) -> Dimensions:
    fields = {"d_head": 5, "d_value": 4, "n_keys": 12, "top_k": 4, "logit_scale": 0.2} | spec
    config = EngineConfig(n_engines=n_engines, chain=True, **(engine or {}))
    return Dimensions(AttentionSpec.from_logit_scale(**fields), config)


def counted(dims: Dimensions, counts: Any) -> int:
    """Return the payload of `Agreement.i` for counts by level, 0 to `d_head + 1`."""
    most = dims.part.spec.top_k
    at_or_above = np.cumsum(counts[::-1])[::-1][1:]
    room = [most - 1 - int(count) if count < most else 0 for count in at_or_above]
    words = [pack(r >> b & 1 for r in room) for b in range((most - 1).bit_length())]
    words.append(pack(count >= most for count in at_or_above))
    n_levels = dims.spec.d_head + 1
    return sum(word << b * n_levels for b, word in enumerate(words))


@pytest.mark.parametrize(("pause", "stall"), RHYTHMS)
@pytest.mark.parametrize(("n_engines", "top_k", "n_keys"), [(2, 4, 12), (3, 1, 12), (3, 11, 12), (4, 3, 32)])
def test_engines_agree(
    n_engines: int, top_k: int, n_keys: int, pause: float, stall: float, rng: np.random.Generator
) -> None:
    dims = dimensions(n_engines, top_k=top_k, n_keys=n_keys)
    spec, n_own = dims.spec, dims.part.spec.n_keys
    levels = rng.integers(0, spec.d_head + 2, (24, n_engines, n_own))
    levels[0] = 0  # no key
    levels[1] = 3  # all at the cut
    levels[2, 1:] = 0
    levels[3, :-1] = 0
    levels[4:12] = rng.integers(2, 4, (8, n_engines, n_own))  # many ties
    counts = [(levels[:, n, :, None] == np.arange(spec.d_head + 2)).sum(axis=1) for n in range(n_engines)]
    inputs = {f"i_{n}": [counted(dims, one) for one in counts[n]] for n in range(n_engines)}
    beats = run(
        Agreements(dims), inputs, {f"o_{n}": len(levels) for n in range(n_engines)}, pause=pause, stall=stall, seed=1
    )
    for n, cut in enumerate(agree(spec, counts)):
        got = beats.payloads[f"o_{n}"]
        assert [beat.level for beat in got] == cut.level.tolist()
        assert [beat.max_level for beat in got] == cut.max_level.tolist()
        assert [beat.quota for beat in got] == cut.quota.tolist()
        above = (levels[:, n] > cut.level[:, None]).sum(axis=1)
        assert [beat.n_kept for beat in got] == (above + cut.quota).tolist()


def test_agreement_takes_a_cycle_a_level(rng: np.random.Generator) -> None:
    dims = dimensions(3)
    words = [counted(dims, np.bincount(rng.integers(0, 7, 4), minlength=7)) for _ in range(12)]
    beats = run(Agreements(dims), {f"i_{n}": words for n in range(3)}, {f"o_{n}": 12 for n in range(3)})
    for n in range(3):
        assert np.diff(beats.cycles[f"o_{n}"])[2:].max() == dims.spec.d_head + 1
        assert beats.cycles[f"o_{n}"][0] - beats.cycles["i_0"][0] <= dims.agreement


class Shares(wiring.Component):
    """A share whose `start` is a constant."""

    def __init__(self, share: RowShare | QueryShare | KeptKeys, start: int):
        self.share = share
        self.start_at = start
        super().__init__({name: flow for name, flow in share.signature.members.items() if name != "start"})

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.share = self.share
        m.d.comb += self.share.start.eq(self.start_at)
        for name, member in self.signature.members.items():
            inner, outer = getattr(self.share, name), getattr(self, name)
            if member.is_signature:
                wiring.connect(m, wiring.flipped(outer), inner)
            else:
                m.d.comb += outer.eq(inner)
        return m


@pytest.mark.parametrize("engine", [0, 1, 2])
def test_an_engine_takes_its_own_rows(engine: int, rng: np.random.Generator) -> None:
    dims = dimensions(3, n_keys=27)
    index = rng.permutation(np.arange(32))
    rows = [{"index": int(j), "key": int(j), "value": [int(j) - 16] * 4} for j in index]
    own = [j for j in index if 9 * engine <= j < 9 * engine + 9]
    beats = run(Shares(RowShare(dims), 9 * engine), {"i": rows}, {"o": 9}, stall=0.8)
    assert [(beat.index, beat.key, beat.value[3]) for beat in beats.payloads["o"]] == [
        (j - 9 * engine, j, j - 16) for j in own
    ]
    # Another's goes by at once.
    waited = np.diff([-1, *beats.cycles["i"]])
    assert all(cycles == 1 for j, cycles in zip(index.tolist(), waited.tolist(), strict=False) if j not in own)
    assert max(waited) > 1


@pytest.mark.parametrize("engine", [0, 1, 2])
def test_an_engine_sees_its_own_keys(engine: int, rng: np.random.Generator) -> None:
    dims = dimensions(3, {"range": True}, n_keys=27, logit_scale=[0.1, 0.2, 0.3])
    n_valid, first, table = rng.integers(0, 32, 60), rng.integers(0, 32, 60), rng.integers(0, 3, 60)
    queries = [
        {"query": n % 32, "n_valid": int(v), "first": int(f), "table": int(t)}
        for n, (v, f, t) in enumerate(zip(n_valid, first, table, strict=True))
    ]
    beats = run(Shares(QueryShare(dims), 9 * engine), {"i": queries}, {"o": 60}, stall=0.3).payloads["o"]
    own = [np.clip(bound - 9 * engine, 0, 9).tolist() for bound in (n_valid, first)]
    assert [[beat.n_valid for beat in beats], [beat.first for beat in beats]] == own
    assert [beat.query for beat in beats] == [n % 32 for n in range(60)]
    assert [beat.table for beat in beats] == table.tolist()


@pytest.mark.parametrize(("pause", "stall"), RHYTHMS)
def test_kept_keys_follow_those_before(pause: float, stall: float, rng: np.random.Generator) -> None:
    dims = dimensions(3, n_keys=27)
    inputs: dict[str, list[dict[str, int]]] = {"i_before": [], "i": []}
    expected = []
    for _ in range(40):
        n_before, n_own = rng.integers(0, 3, 2).tolist()
        keys = {
            "i_before": [(j, int(rng.integers(0, 6))) for j in range(n_before)],
            "i": [(j, int(rng.integers(0, 6))) for j in range(n_own)],
        }
        for name, some in keys.items():
            beats = [{"index": j, "deficit": d, "is_empty": 0, "last": 0} for j, d in some]
            beats = beats or [{"index": 0, "deficit": 0, "is_empty": 1, "last": 0}]
            beats[-1]["last"] = 1
            inputs[name] += beats
        whole = [(j, d, 0) for j, d in keys["i_before"]] + [(j + 18, d, 0) for j, d in keys["i"]]
        whole = whole or [(0, 0, 1)]
        expected += [(*key, int(n == len(whole) - 1)) for n, key in enumerate(whole)]
    beats = run(Shares(KeptKeys(dims), 18), inputs, {"o": len(expected)}, pause=pause, stall=stall)
    assert [(beat.index, beat.deficit, beat.is_empty, beat.last) for beat in beats.payloads["o"]] == expected


@pytest.mark.parametrize(("pause", "stall"), RHYTHMS)
@pytest.mark.parametrize(("value_bits", "out_frac_bits", "n_dividers"), [(8, 8, 1), (2, 0, 4), (16, 3, 2)])
def test_merge(
    value_bits: int, out_frac_bits: int, n_dividers: int, pause: float, stall: float, rng: np.random.Generator
) -> None:
    n_parts = 3
    dims = dimensions(
        3, {"n_dividers": n_dividers}, value_bits=value_bits, out_frac_bits=out_frac_bits, weight_bits=6, n_keys=27
    )
    spec, n = dims.spec, 30
    low, high = -(2 ** (value_bits - 1)), 2 ** (value_bits - 1) - 1
    weight_sum = rng.integers(0, spec.top_k * 63 // n_parts + 1, (n_parts, n))
    weight_sum[:, 0] = 0
    weight_sum[1:, 1] = 0
    acc = rng.integers(low * weight_sum[..., None], high * weight_sum[..., None] + 1)
    acc = np.broadcast_to(acc, (n_parts, n, 4)).copy()
    acc[:, 2], acc[:, 3] = low * weight_sum[:, 2, None], high * weight_sum[:, 3, None]
    parts = [Partial(acc=a, weight_sum=w, max_level=np.full(n, 3)) for a, w in zip(acc, weight_sum, strict=True)]
    golden = merge(spec, parts)

    n_beats = 4 // n_dividers
    offset = acc + (weight_sum << value_bits - 1)[..., None]
    inputs = {
        f"i_{p}": [
            {
                "acc": offset[p, i, b * n_dividers : (b + 1) * n_dividers].tolist(),
                "weight_sum": int(weight_sum[p, i]),
                "max_level": 3,
                "is_empty": int(weight_sum[p, i] == 0),
                "last": int(b == n_beats - 1),
            }
            for i in range(n)
            for b in range(n_beats)
        ]
        for p in range(n_parts)
    }
    beats = run(Merge(dims, n_parts), inputs, {"o": n * n_beats}, pause=pause, stall=stall).payloads["o"]
    out = np.array([[beat.value[d] for d in range(n_dividers)] for beat in beats]).reshape(n, 4)
    np.testing.assert_array_equal(out, golden.out)
    assert [beat.is_empty for beat in beats] == np.repeat(golden.is_empty, n_beats).tolist()
    assert [beat.last for beat in beats] == [int(b == n_beats - 1) for _ in range(n) for b in range(n_beats)]


def test_merge_needs_parts() -> None:
    with pytest.raises(ValueError, match="n_parts must be 2 or more, not 1"):
        Merge(dimensions(2), 1)


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


SHAPES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"d_head": 6, "d_value": 4, "n_keys": 12, "top_k": 4}, {"n_engines": 2, "n_macs": 2}),
    ({"d_head": 3, "d_value": 2, "n_keys": 15, "top_k": 9}, {"n_engines": 3, "n_lanes": 2, "mask": True}),
    ({"d_head": 4, "d_value": 1, "n_keys": 4, "top_k": 1}, {"n_engines": 4, "expose_index": False}),
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
    golden = attend(spec, q, k, v, n_valid=n_valid, mask=mask)
    inputs: dict[str, Any] = {
        "i_row": [{"index": int(j), "key": pack(k[j]), "value": v[j].tolist()} for j in rng.permutation(spec.n_keys)],
        "i_query": [{"query": pack(bits), "n_valid": int(s)} for bits, s in zip(q, n_valid, strict=True)],
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


@pytest.mark.parametrize("stall", [0.0, 0.5])
def test_partial_results(stall: float, rng: np.random.Generator) -> None:
    spec = AttentionSpec.from_logit_scale(d_head=5, d_value=4, n_keys=11, top_k=3, logit_scale=0.2)
    config = EngineConfig(output="partial", n_macs=2, expose_index=False)
    q, k = rng.integers(0, 2, (20, 5)), rng.integers(0, 2, (11, 5))
    v = rng.integers(-128, 128, (11, 4))
    n_valid = rng.integers(0, 12, 20)
    golden = partial(spec, q, k, v, n_valid=n_valid)
    inputs = {
        "i_row": [{"index": j, "key": pack(k[j]), "value": v[j].tolist()} for j in range(11)],
        "i_query": [{"query": pack(bits), "n_valid": int(s)} for bits, s in zip(q, n_valid, strict=True)],
    }
    n_dividers = Dimensions(spec, config).n_dividers
    n_beats = 4 // n_dividers
    beats = run(Engine(spec, config), inputs, {"o_partial": 20 * n_beats}, after={"i_query": "i_row"}, stall=stall)
    got = beats.payloads["o_partial"]
    weight_sum = np.array([beat.weight_sum for beat in got])
    acc = np.array([[beat.acc[d] for d in range(n_dividers)] for beat in got]) - (weight_sum << 7)[:, None]
    np.testing.assert_array_equal(acc.reshape(20, 4), golden.acc)
    np.testing.assert_array_equal(weight_sum[::n_beats], golden.weight_sum)
    assert [beat.max_level for beat in got[::n_beats]] == golden.max_level.tolist()
    assert [beat.is_empty for beat in got[::n_beats]] == (n_valid == 0).tolist()
    # Counts of the same keys agree with it.
    assert agree(spec, [level_counts(spec, q, k, n_valid=n_valid)])[0].max_level.tolist() == golden.max_level.tolist()


def test_an_engine_is_a_module_written_once() -> None:
    spec = AttentionSpec.from_logit_scale(d_head=4, d_value=2, n_keys=12, top_k=2, logit_scale=0.2)
    chain = Chain(spec, EngineConfig(name="four", n_engines=4))
    text = emit(chain, "four")
    modules = re.findall(r"^module (\S+)\(", text, re.MULTILINE)
    assert len(modules) == len(set(modules))
    assert modules.count("four_engine") == 1
    assert re.findall(r"^  four_engine (\S+) \(", text, re.MULTILINE) == [f"engine_{n}" for n in range(4)]
    facts = manifest(chain, text)
    names = [memory["name"] for memory in facts["memories"]]
    assert [name for name in names if name.endswith(".key_memory")] == [f"engine_{n}.key_memory" for n in range(4)]
    assert facts["cycles"]["terms"]["agree"]["cycles"] == 5


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        ({"n_engines": 5}, r"n_engines must divide n_keys = 12, .*\(one of 1, 2, 3, 4, 6, 12\), not 5"),
        ({"chain": True}, "chain = true is one engine of several; n_engines says of how many, 2 or more"),
        ({"n_engines": 2, "selector": "insertion"}, "n_engines = 2 needs selector = 'histogram', .*; not 'insertion'"),
        ({"output": "partial", "selector": "insertion"}, "output = 'partial' needs selector = 'histogram'"),
        ({"output": "partial", "bus": "axi"}, "output = 'partial' has no registers behind AXI; leave bus = 'axi' out"),
        ({"n_engines": 2, "bus": "axi", "mask": True}, "n_engines = 2 engines have a stream of masks each"),
        (
            {"n_engines": 2, "memory": "request", "bus": "axi"},
            "n_engines = 2 engines have memories of requests each, .*",
        ),
        ({"n_engines": 4, "n_lanes": 4}, "n_lanes must be at most n_keys / n_engines = 3"),
        ({"n_engines": 4, "value_banks": 8}, r"no bank empty, of n_keys / n_engines \* fold = 3 words"),
        ({"n_engines": 300}, "n_engines must be 1 to 256, not 300"),
        ({"output": "sum"}, "output must be one of quotient, partial, not 'sum'"),
    ],
)
def test_refused(engine: dict, message: str) -> None:
    spec = AttentionSpec.from_logit_scale(d_head=4, d_value=2, n_keys=12, top_k=2, logit_scale=0.2)
    with pytest.raises(ValueError, match=message):
        Dimensions(spec, EngineConfig(**engine))


@pytest.mark.parametrize("output", ["quotient", "partial"])
@pytest.mark.parametrize("more", [{}, {"expose_index": False}, {"mask": True, "table": "loadable"}])
def test_manifest_says_how_each_stream_of_a_chain_is_joined(output: str, more: dict) -> None:
    spec = AttentionSpec.from_logit_scale(d_head=4, d_value=2, n_keys=12, top_k=2, logit_scale=0.2)
    one = manifest(Engine(spec, EngineConfig(n_engines=4, chain=True, output=output, **more)), "")
    chain = one["chain"]
    assert chain["n_keys"] == 3
    assert chain["start"] == "3 * e, in all cycles, of engine e, 0 to 3"
    from_outside = {"i_row", "i_query", "i_mask", "i_weight", "o_out"}
    told = {join["from"] for join in chain["joins"]} | {join["to"] for join in chain["joins"]}
    assert told | {"o_partial"} == set(one["streams"]) - from_outside | {"o_partial"}
    inputs = {name for name in told if name.startswith("i_")}
    assert set(chain["first"]) | {"i_counts"} == inputs, "what has no engine before it"
    assert set(chain["last"]) == {"i_counts", "o_totals"}
    assert "chain" not in manifest(Engine(spec, EngineConfig(output=output, **more)), "")
    assert "chain" not in manifest(Chain(spec, EngineConfig(n_engines=4, output=output, **more)), "")


#: Away from the defaults, each an option that a chain may meet.
OPTIONS: list[dict[str, Any]] = [
    *({"bus": bus, "expose_index": False} for bus in ("stream", "axi")),
    *({"mask": True, "bus": bus} for bus in ("stream", "axi")),
    *({"memory": memory, "bus": bus} for memory in ("external", "request") for bus in ("stream", "axi")),
    *({name: True} for name in ("range", "spare_places")),
    *({name: 2} for name in ("n_lanes", "n_macs", "scan_rows", "score_stages", "value_banks", "n_queries_a_row")),
    *({name: value} for name, value in (("selector", "insertion"), ("output", "partial"), ("table", "loadable"))),
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_what_a_design_accepts_is_built(options: dict[str, Any]) -> None:
    """What is refused is refused before there is a component, where a user is told of it in a line."""
    spec = AttentionSpec.from_logit_scale(d_head=3, d_value=2, n_keys=8, top_k=2, logit_scale=0.2)
    for chain in ({"n_engines": 2}, {"n_engines": 2, "chain": True}):
        try:
            design = Design(spec, EngineConfig(**chain, **options))
        except ValueError:
            continue
        assert manifest(top(spec, design.config), "")["engine"]["n_engines"] == 2


def test_one_engine_of_a_chain_has_no_registers() -> None:
    spec = AttentionSpec.from_logit_scale(d_head=3, d_value=2, n_keys=8, top_k=2, logit_scale=0.2)
    config = EngineConfig(n_engines=2, chain=True, bus="axi")
    for make in (Design, top):
        with pytest.raises(ValueError, match=r"one engine of a chain is joined .* leave chain = true out"):
            make(spec, config)


def test_manifest_says_which_keys_a_memory_has() -> None:
    """Whoever writes the memories himself places keys of all in them."""
    spec = AttentionSpec.from_logit_scale(d_head=4, d_value=2, n_keys=12, top_k=2, logit_scale=0.2)

    def layouts(**engine: Any) -> dict[str, str]:
        facts = manifest(top(spec, EngineConfig(memory="request", n_macs=1, **engine)), "")["memory_streams"]
        return {name: memory["layout"] for name, memory in facts.items()}

    key, value = layouts().values()
    assert value == "slice s of key j is word j * 2 + s"
    assert layouts(n_engines=3, chain=True) == {
        kind: f"{layout}; its key j is start + j of all" for kind, layout in (("key", key), ("value", value))
    }
    assert layouts(n_engines=3) == {
        f"{kind}_{n}": f"{layout}; its key j is {4 * n} + j of all"
        for n in range(3)
        for kind, layout in (("key", key), ("value", value))
    }


def test_sinks_are_refused() -> None:
    spec = AttentionSpec.from_logit_scale(d_head=4, d_value=2, n_keys=12, top_k=2, logit_scale=0.2, n_sinks=3)
    with pytest.raises(ValueError, match=r"n_engines = 2 have no sinks yet.*leave n_sinks = 3 out"):
        Dimensions(spec, EngineConfig(n_engines=2, range=True))


def test_one_engine_of_a_chain_is_not_behind_axi() -> None:
    spec = AttentionSpec.from_logit_scale(d_head=4, d_value=2, n_keys=12, top_k=2, logit_scale=0.2)
    with pytest.raises(ValueError, match="leave chain = true out, for all engines in one module, or bus = 'axi'"):
        top(spec, EngineConfig(n_engines=2, chain=True, bus="axi"))


def test_all_engines_are_not_one() -> None:
    spec = AttentionSpec.from_logit_scale(d_head=4, d_value=2, n_keys=12, top_k=2, logit_scale=0.2)
    with pytest.raises(ValueError, match="n_engines = 2 where one is asked for; leave it out, or add chain = true"):
        Engine(spec, EngineConfig(n_engines=2))
