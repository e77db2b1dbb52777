"""What is out of range: it has a meaning, sets its bit of `error`, and harms nothing else. Resets; turns at a word."""
# amaranth: UnusedElaboratable=no

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Module, Value
from amaranth.sim import Simulator

from hamming.golden.attention import attend
from hamming.rtl.config import EngineConfig
from hamming.rtl.engine import Engine
from hamming.rtl.errors import errors
from hamming.rtl.fetch import KeyFetch
from hamming.rtl.loader import RowLoader
from hamming.rtl.turns import Turns
from tests.rtl.harness import pack, run
from tests.rtl.small import dimensions, simulate, spec_of


@pytest.mark.parametrize("read_latency", [1, 2, 3])
@pytest.mark.parametrize("n_lanes", [1, 4])
@pytest.mark.parametrize("n_keys", [8, 11])
def test_n_valid_above_n_keys_is_n_keys(n_keys: int, n_lanes: int, read_latency: int, rng: np.random.Generator) -> None:
    spec = spec_of(n_keys=n_keys)
    most = 2**spec.n_valid_bits - 1
    engine = {"n_lanes": n_lanes, "memory": "external", "read_latency": read_latency}

    def requests(n_valid: list[int], **rhythm: Any) -> list[tuple[int, int, int]]:
        queries = [{"query": n, "n_valid": value} for n, value in enumerate(n_valid)]
        n_beats = sum(max(1, -(-min(value, n_keys) // n_lanes)) for value in n_valid)
        beats = run(
            KeyFetch(dimensions(spec, **engine)),
            {"i": queries},
            {"o": n_beats},
            memories={"keys": lambda address: address},
            **rhythm,
        )
        return [(beat.query, beat.takes_part, beat.last) for beat in beats.payloads["o"]]

    n_valid = [n_keys + 1, most, 0, n_keys, *rng.integers(0, most + 1, 12).tolist()]
    assert requests(n_valid) == requests([min(value, n_keys) for value in n_valid])
    assert requests(n_valid, pause=0.3, stall=0.3) == requests(n_valid)


def test_engine_takes_n_valid_above_n_keys_as_n_keys(rng: np.random.Generator) -> None:
    """The engine goes on, and the queries before and behind are answered as ever; a mask has a beat for each row."""
    spec = spec_of()
    q, k = rng.integers(0, 2, (30, 5)), rng.integers(0, 2, (11, 5))
    v = rng.integers(-128, 128, (11, 4))
    n_valid = rng.integers(0, 16, 30)
    assert (n_valid > 11).any()
    mask = rng.random((30, 11)) < 0.3
    golden = attend(spec, q, k, v, n_valid=n_valid, mask=mask)
    padded = np.pad(mask, ((0, 0), (0, 1)))
    n_rows = np.maximum(1, -(-np.minimum(n_valid, 11) // 2))
    beats = run(
        Engine(spec, EngineConfig(n_lanes=2, mask=True, expose_index=False)),
        {
            "i_row": [{"index": j, "key": pack(k[j]), "value": v[j].tolist()} for j in range(11)],
            "i_query": [{"query": pack(bits), "n_valid": int(n)} for bits, n in zip(q, n_valid, strict=True)],
            "i_mask": [pack(padded[i, 2 * r : 2 * r + 2]) for i in range(30) for r in range(n_rows[i])],
        },
        {"o_out": 30 * 4},
        after={"i_query": "i_row"},
        stall=0.2,
    )
    out = np.array([beat.value[0] for beat in beats.payloads["o_out"]]).reshape(30, 4)
    np.testing.assert_array_equal(out, golden.out)


@pytest.mark.parametrize(("n_keys", "n_lanes", "n_macs"), [(5, 1, 4), (5, 4, 1), (38, 2, 2), (1, 1, 2)])
def test_rows_outside_change_nothing(n_keys: int, n_lanes: int, n_macs: int) -> None:
    spec = spec_of(n_keys=n_keys, top_k=1)
    dut: Any = RowLoader(dimensions(spec, n_lanes=n_lanes, n_macs=n_macs))
    written: set[int] = set()

    async def testbench(ctx: Any) -> None:
        ctx.set(dut.i.valid, 1)
        for index in range(2**spec.index_bits):
            ctx.set(dut.i.payload, {"index": index, "key": 31, "value": [1, 2, 3, 4]})
            is_taken, n_cycles = False, 0
            while not is_taken:
                sampled = (dut.i.ready, dut.keys.en, dut.values.en, dut.error)
                *_, is_taken, key, value, error = await ctx.tick().sample(*sampled)
                n_cycles += 1
                if key or value:
                    written.add(index)
                assert error == (index > n_keys)
            assert n_cycles == 4 // n_macs

    simulate(dut, testbench)
    assert written == set(range(n_keys))


def test_a_row_withdrawn_harms_no_other(rng: np.random.Generator) -> None:
    """A row that is not offered until its transfer leaves the next one whole, and its key is not written."""
    dims = dimensions(n_macs=1)
    dut: Any = RowLoader(dims)
    keys: dict[int, int] = {}
    values: dict[int, int] = {}

    async def cycle(ctx: Any, valid: int, payload: Any = None) -> int:
        ctx.set(dut.i.valid, valid)
        if payload is not None:
            ctx.set(dut.i.payload, payload)
        sampled = (dut.i.ready, dut.keys.en, dut.keys.addr, dut.values.en, dut.values.addr, dut.values.data)
        *_, ready, key, key_at, value, value_at, data = await ctx.tick().sample(*sampled)
        if key:
            keys[key_at] = ctx.get(dut.keys.data)
        if value:
            values[value_at] = data
        return ready

    async def testbench(ctx: Any) -> None:
        for n in range(1, 4):
            for _ in range(n):
                assert not await cycle(ctx, 1, {"index": 7, "key": 1, "value": [0] * 4})
            await cycle(ctx, 0)
            while not await cycle(ctx, 1, {"index": 3, "key": n, "value": [n, n, n, n]}):
                pass
            assert keys == {3: n}
            assert [values[3 * 4 + piece] for piece in range(4)] == [128 + n] * 4

    simulate(dut, testbench)


@pytest.mark.parametrize("fabric", ["cells", "luts"])
def test_a_row_that_is_transferred_outlives_a_reset(fabric: str) -> None:
    """Its key is written once, before the reset or after it, wherever the row goes."""
    dut: Any = RowLoader(dimensions(n_lanes=2, fabric=fabric))
    spec = dut.dims.spec
    top = Module()
    top.domains.sync = sync = ClockDomain()
    top.submodules.dut = dut
    written: list[tuple[int, int, int]] = []

    async def testbench(ctx: Any) -> None:
        for index in range(spec.n_keys):
            ctx.set(dut.i.valid, 1)
            ctx.set(dut.i.payload, {"index": index, "key": index + 1, "value": [0] * spec.d_value})
            for is_reset in (0, 1, 1, 0):
                ctx.set(sync.rst, is_reset)
                assert ctx.get(dut.i.ready) == (not is_reset)
                if enables := ctx.get(dut.keys.en):
                    assert not is_reset
                    written.append((enables, ctx.get(dut.keys.addr), ctx.get(dut.keys.data) % 2**spec.d_head))
                await ctx.tick()
                ctx.set(dut.i.valid, 0)

    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()
    assert written == [(1 + index % 2, index // 2, index + 1) for index in range(spec.n_keys)]


@pytest.mark.parametrize("fabric", ["cells", "luts"])
@pytest.mark.parametrize("selector", ["histogram", "insertion"])
def test_nothing_is_transferred_or_written_in_reset(selector: str, fabric: str, rng: np.random.Generator) -> None:
    """Whatever the inputs offer and wherever the reset comes, no stream moves and no memory is written."""
    spec = spec_of()
    config = EngineConfig(
        selector=selector,
        memory="external",
        table="loadable",
        mask=True,
        n_macs=2,
        n_lanes=2,
        read_latency=2,
        fabric=fabric,
    )
    dut: Any = Engine(spec, config)
    inputs = [dut.i_row, dut.i_weight, dut.i_query, dut.i_mask]
    outputs = [dut.o_out, dut.o_selected]
    n_resets = 0

    n_bits = {stream: len(Value.cast(stream.payload)) for stream in inputs}
    top = Module()
    top.domains.sync = sync = ClockDomain()
    top.submodules.dut = dut

    async def testbench(ctx: Any) -> None:
        nonlocal n_resets
        is_reset = True
        for _ in range(2500):
            ctx.set(sync.rst, is_reset)
            for stream in inputs:
                ctx.set(stream.valid, int(rng.integers(4) > 0))
                ctx.set(Value.cast(stream.payload), int(rng.integers(2**32)) % 2 ** n_bits[stream])
            for stream in outputs:
                ctx.set(stream.ready, int(rng.integers(4) > 0))
            moving = [ctx.get(stream.ready) for stream in inputs] + [ctx.get(stream.valid) for stream in outputs]
            writing = [ctx.get(dut.key_write.en), ctx.get(dut.value_write.en)]
            if is_reset:
                assert not any(moving + writing)
                n_resets += 1
            await ctx.tick()
            is_reset = rng.random() < (0.3 if is_reset else 0.02)

    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()
    assert n_resets > 30


def test_reader_and_writer_take_turns_at_a_word(rng: np.random.Generator) -> None:
    """Never both at a word; where they do not meet neither waits; and neither waits twice in a row."""
    dut = Turns(addr_bits=2)

    async def testbench(ctx: Any) -> None:
        waited = {"read": False, "write": False}
        n_met = 0
        for _ in range(1000):
            wants = {side: int(rng.integers(4) > 0) for side in waited}
            at = {side: int(rng.integers(2)) for side in waited}
            for side in waited:
                ctx.set(getattr(dut, f"wants_{side}"), wants[side])
                ctx.set(getattr(dut, f"{side}_addr"), at[side])
            may = {side: ctx.get(getattr(dut, f"may_{side}")) for side in waited}
            meet = wants["read"] and wants["write"] and at["read"] == at["write"]
            n_met += bool(meet)
            assert may["read"] + may["write"] == (1 if meet else 2)
            for side in waited:
                assert may[side] or not waited[side]
                waited[side] = not may[side]
            await ctx.tick()
        assert n_met > 100

    simulate(dut, testbench)


def test_error_has_a_bit_a_cause(rng: np.random.Generator) -> None:
    assert list(errors(dimensions())) == ["n_valid", "row_index"]
    assert list(errors(dimensions(table="loadable"))) == ["n_valid", "row_index", "weight_index", "weight_table"]
    spec = spec_of()
    dut: Any = Engine(spec, EngineConfig(table="loadable", expose_index=False, n_macs=4))
    seen: list[int] = []

    async def testbench(ctx: Any) -> None:
        ctx.set(dut.o_out.ready, 1)

        async def send(stream: Any, payload: Any) -> None:
            ctx.set(stream.payload, payload)
            ctx.set(stream.valid, 1)
            while True:
                *_, ready = await ctx.tick().sample(stream.ready)
                if ready:
                    break
            ctx.set(stream.valid, 0)
            seen.append(ctx.get(dut.error))

        for t in range(6):
            await send(dut.i_weight, {"index": t, "weight": 9 - t})
        await send(dut.i_row, {"index": 0, "key": 0, "value": [1] * 4})
        await send(dut.i_query, {"query": 0, "n_valid": 1})
        await ctx.tick().repeat(60)
        assert seen == [0] * 8
        await send(dut.i_weight, {"index": 6, "weight": 1})
        await send(dut.i_row, {"index": 11, "key": 0, "value": [1] * 4})
        await send(dut.i_query, {"query": 0, "n_valid": 12})
        await send(dut.i_weight, {"index": 5, "weight": 100})
        await send(dut.i_query, {"query": 0, "n_valid": 1})
        await ctx.tick().repeat(60)
        seen.append(ctx.get(dut.error))

    simulate(dut, testbench)
    assert seen[8:] == [4, 6, 7, 7, 7, 15]
