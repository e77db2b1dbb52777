"""Engines with memories of any latency: what is asked for, and what a reset leaves behind."""
# amaranth: UnusedElaboratable=no

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Value

from hamming.golden.attention import attend
from hamming.rtl.config import EngineConfig
from hamming.rtl.engine import Engine
from hamming.rtl.errors import errors
from hamming.rtl.key_requests import KeyRequests
from hamming.rtl.value_requests import ValueRequests
from tests.rtl.harness import pack
from tests.rtl.request_samples import PATIENCE, dimensions, simulate, spec_of


def test_causes_have_bits() -> None:
    assert [name for name in errors(dimensions(memory="request")) if "_response" in name or "unasked" in name] == [
        "key_response",
        "key_unasked",
        "value_response",
        "value_unasked",
    ]
    assert "key_unasked" not in errors(dimensions(value_memory="request"))


class Outside:
    """Both memories of an engine, which take everything and answer after a time; writes are done at once."""

    def __init__(self, dut: Any, latency: int) -> None:
        self.dut, self.latency = dut, latency
        dims = dut.dims
        self.words = {"key": [0] * dims.n_rows, "value": [0] * (dims.spec.n_keys * dims.fold)}
        self.due: dict[str, deque[tuple[int, int]]] = {"key": deque(), "value": deque()}
        self.read: list[int] = []
        self.cycle = 0

    def step(self, ctx: Any) -> None:
        """Act in the cycle that is about to end, all inputs being set."""
        dut, d_head, n_lanes = self.dut, self.dut.spec.d_head, self.dut.dims.n_lanes
        for kind, due in self.due.items():
            request, response, write = (getattr(dut, f"{kind}_{way}") for way in ("request", "response", "write"))
            ctx.set(request.ready, 1)
            ctx.set(write.ready, 1)
            is_due = bool(due) and due[0][0] <= self.cycle
            ctx.set(response.valid, int(is_due))
            if is_due:
                ctx.set(response.payload, {"data": self.words[kind][due[0][1]], "error": 0})
                if ctx.get(response.ready):
                    due.popleft()
            if ctx.get(request.valid):
                address = ctx.get(request.payload.address)
                due.append((self.cycle + self.latency, address))
                if kind == "value":
                    self.read.append(address)
            if ctx.get(write.valid):
                address, data = ctx.get(write.payload.address), ctx.get(write.payload.data)
                if kind == "key":
                    row, lane = divmod(address, n_lanes)
                    mask = (2**d_head - 1) << lane * d_head
                    self.words[kind][row] = self.words[kind][row] & ~mask | data << lane * d_head
                else:
                    self.words[kind][address] = data
        self.cycle += 1
        assert self.cycle < PATIENCE, "it does not end"


def test_answers_of_before_a_reset_are_dropped(rng: np.random.Generator) -> None:
    """Responses go on to come after a reset: they are dropped and told, and queries of after are answered as ever.

    Nothing is asked for before the first query, so that waiting for them is enough. Of values, only those of kept keys
    are ever read.
    """
    spec = spec_of(n_keys=8, top_k=2)
    dut: Any = Engine(spec, EngineConfig(n_lanes=2, memory="request", expose_index=False))
    outside = Outside(dut, latency=30)
    q, k = rng.integers(0, 2, (6, 5)), rng.integers(0, 2, (8, 5))
    v = rng.integers(-128, 128, (8, 4))
    golden = attend(spec, q, k, v)
    names = list(errors(dut.dims))

    async def testbench(ctx: Any, rst: Any) -> None:
        async def cycle() -> None:
            outside.step(ctx)
            await ctx.tick()

        async def send(stream: Any, payload: Any) -> None:
            ctx.set(stream.payload, payload)
            ctx.set(stream.valid, 1)
            is_taken = False
            while not is_taken:
                is_taken = ctx.get(stream.ready)
                outside.step(ctx)
                is_taken = is_taken or ctx.get(stream.ready)
                await ctx.tick()
            ctx.set(stream.valid, 0)

        for j in range(8):
            await send(dut.i_row, {"index": j, "key": pack(k[j]), "value": v[j].tolist()})
        for bits in q[:2]:
            await send(dut.i_query, {"query": pack(bits), "n_valid": 8})
        for _ in range(6):
            await cycle()
        assert outside.due["key"]
        ctx.set(rst, 1)
        await cycle()
        assert not ctx.get(dut.key_request.valid)
        ctx.set(rst, 0)
        for _ in range(40):
            await cycle()
        assert not outside.due["key"]
        assert ctx.get(dut.error) == 1 << names.index("key_unasked")

        outside.read.clear()
        ctx.set(dut.o_out.ready, 1)
        for n, bits in enumerate(q):
            await send(dut.i_query, {"query": pack(bits), "n_valid": 8})
            out: list[int] = []
            while len(out) < 4:
                outside.step(ctx)
                if ctx.get(dut.o_out.valid):
                    out += list(ctx.get(dut.o_out.payload).value)
                await ctx.tick()
            assert out == golden.out[n].tolist()

    simulate(dut, testbench)
    assert sorted(outside.read) == sorted(golden.index[golden.weight > 0].tolist())


@pytest.mark.parametrize("selector", ["histogram", "insertion"])
def test_nothing_moves_in_reset(selector: str, rng: np.random.Generator) -> None:
    """Whatever rows, queries and memories do, and wherever the reset comes."""
    config = EngineConfig(selector=selector, memory="request", n_macs=2, n_lanes=2, outstanding=4)
    dut: Any = Engine(spec_of(), config)
    inputs = [dut.i_row, dut.i_query, dut.key_response, dut.value_response]
    outputs = [dut.o_out, dut.o_selected, dut.key_request, dut.value_request, dut.key_write, dut.value_write]
    n_bits = [len(Value.cast(stream.payload)) for stream in inputs]
    n_resets, moved = 0, set()

    async def testbench(ctx: Any, rst: Any) -> None:
        nonlocal n_resets
        is_reset = True
        for _ in range(800):
            ctx.set(rst, int(is_reset))
            for stream, bits in zip(inputs, n_bits, strict=True):
                ctx.set(stream.valid, int(rng.integers(4) > 0))
                ctx.set(Value.cast(stream.payload), int(rng.integers(2**62)) % 2**bits)
            for stream in outputs:
                ctx.set(stream.ready, int(rng.integers(4) > 0))
            moving = [ctx.get(stream.ready) for stream in inputs] + [ctx.get(stream.valid) for stream in outputs]
            if is_reset:
                assert not any(moving)
                n_resets += 1
            moved.update(n for n, moves in enumerate(moving) if moves)
            await ctx.tick()
            is_reset = rng.random() < (0.3 if is_reset else 0.02)

    simulate(dut, testbench)
    assert n_resets > 12
    assert len(moved) == len(inputs) + len(outputs)


@pytest.mark.parametrize("n_lanes", [1, 4])
def test_keys_come_with_their_request(n_lanes: int) -> None:
    """The request's fields and its row of keys leave together, and hold."""
    dims = dimensions(n_lanes=n_lanes, key_memory="request", outstanding=4)
    dut: Any = KeyRequests(dims)
    words = list(range(10, 10 + dims.n_rows))
    found = []

    async def testbench(ctx: Any, rst: Any) -> None:
        due: deque[int] = deque()
        row = 0
        for cycle in range(60):
            # As KeyFetch does: an address, and in the next cycle its request.
            ctx.set(dut.i.valid, int(row > 0))
            ctx.set(dut.i.payload, {"query": row % 32, "takes_part": 1, "last": row % 2})
            ctx.set(dut.request.ready, 1)
            ctx.set(dut.response.valid, int(bool(due)))
            ctx.set(dut.response.payload, {"data": due[0] if due else 0, "error": 0})
            ctx.set(dut.o.ready, cycle % 3 > 0)
            moves = row == 0 or ctx.get(dut.i.ready)
            ctx.set(dut.read.en, int(moves and row < dims.n_rows))
            ctx.set(dut.read.addr, row)
            if due and ctx.get(dut.response.ready):
                due.popleft()
            if ctx.get(dut.request.valid):
                due.append(words[ctx.get(dut.request.payload.address)])
            if ctx.get(dut.o.valid):
                seen = (ctx.get(dut.o.payload.query), ctx.get(dut.o.payload.last), ctx.get(dut.keys))
                if cycle % 3:
                    found.append(seen)
            await ctx.tick()
            if moves:
                row += 1
                if row > dims.n_rows:
                    break
        ctx.set(dut.i.valid, 0)
        ctx.set(dut.o.ready, 1)
        for _ in range(12):
            ctx.set(dut.response.valid, int(bool(due)))
            ctx.set(dut.response.payload, {"data": due[0] if due else 0, "error": 0})
            if due and ctx.get(dut.response.ready):
                due.popleft()
            if ctx.get(dut.o.valid):
                found.append((ctx.get(dut.o.payload.query), ctx.get(dut.o.payload.last), ctx.get(dut.keys)))
            await ctx.tick()

    simulate(dut, testbench)
    assert found == [(row % 32, row % 2, words[row - 1]) for row in range(1, dims.n_rows + 1)]


def test_values_are_asked_for_where_they_lie_and_where_they_count() -> None:
    dims = dimensions(n_macs=2, value_memory="request", outstanding=4)
    dut: Any = ValueRequests(dims)
    keys = [(index, weight, slice_) for index in (0, 5, 10) for weight in (3, 0) for slice_ in (0, 1)]
    asked, beats = [], []

    async def testbench(ctx: Any, rst: Any) -> None:
        position, due = 0, 0
        ctx.set(dut.request.ready, 1)
        ctx.set(dut.o.ready, 1)
        for _ in range(60):
            index, weight, slice_ = keys[min(position, len(keys) - 1)]
            ctx.set(dut.i.valid, int(position < len(keys)))
            payload = {"index": index, "weight": weight, "slice": slice_, "is_empty": 0, "last": slice_}
            ctx.set(dut.i.payload, payload)
            ctx.set(dut.response.valid, int(due > 0))
            due -= due > 0
            if ctx.get(dut.request.valid):
                asked.append(ctx.get(dut.request.payload.address))
                due += 1
            if ctx.get(dut.o.valid):
                beats.append((ctx.get(dut.o.payload.weight), ctx.get(dut.o.payload.slice)))
            ctx.set(dut.values.en, int(ctx.get(dut.o.valid) and ctx.get(dut.o.payload.weight) != 0))
            position += position < len(keys) and ctx.get(dut.i.ready)
            await ctx.tick()

    simulate(dut, testbench)
    assert asked == [2 * index + slice_ for index, weight, slice_ in keys if weight]
    assert beats == [(weight, slice_) for _, weight, slice_ in keys]
