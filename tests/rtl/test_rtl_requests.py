"""Memories of any latency: requests, responses and writes, whatever the memory and the row's master do."""
# amaranth: UnusedElaboratable=no

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Module, Value
from amaranth.lib import wiring
from amaranth.sim import Simulator

from hamming.golden.attention import attend
from hamming.golden.spec import AttentionSpec
from hamming.rtl.config import Dimensions, EngineConfig
from hamming.rtl.engine import Engine, errors
from hamming.rtl.fifo import Fifo
from hamming.rtl.key_requests import KeyRequests
from hamming.rtl.memory import ReadPort
from hamming.rtl.requests import Requests
from hamming.rtl.sender import RowSender
from hamming.rtl.value_requests import ValueRequests
from tests.rtl.harness import RHYTHMS, pack, run

#: Cycles of a test, at most.
PATIENCE = 10_000


def spec_of(**fields: Any) -> AttentionSpec:
    shape = {"d_head": 5, "d_value": 4, "n_keys": 11, "top_k": 4, "logit_scale": 0.2}
    return AttentionSpec.from_logit_scale(**(shape | fields))


def dimensions(**engine: Any) -> Dimensions:
    return EngineConfig(**engine).dimensions(spec_of())


def simulate(component: wiring.Component, testbench: Callable[[Any, Any], Awaitable[None]]) -> None:
    """Run a testbench, which is given the reset, too."""
    top = Module()
    top.domains.sync = sync = ClockDomain()
    top.submodules.component = component
    simulator = Simulator(top)
    simulator.add_clock(1e-6)

    async def process(ctx: Any) -> None:
        await testbench(ctx, sync.rst)

    simulator.add_testbench(process)
    simulator.run()


@pytest.mark.parametrize(("pause", "stall"), RHYTHMS)
@pytest.mark.parametrize("depth", [2, 3, 8])
def test_a_queue_gives_what_it_takes(depth: int, pause: float, stall: float, rng: np.random.Generator) -> None:
    payloads = rng.integers(0, 256, 60).tolist()
    beats = run(Fifo(8, depth=depth), {"i": payloads}, {"o": 60}, pause=pause, stall=stall)
    assert beats.payloads["o"] == payloads
    if not pause and not stall:
        assert beats.cycles["o"][0] - beats.cycles["i"][0] == 2
        assert depth < 3 or np.all(np.diff(beats.cycles["o"]) == 1)


@pytest.mark.parametrize("depth", [2, 5])
def test_a_queue_holds_as_many_as_it_says(depth: int) -> None:
    dut: Any = Fifo(4, depth=depth)
    taken = 0

    async def testbench(ctx: Any, rst: Any) -> None:
        nonlocal taken
        ctx.set(dut.i.valid, 1)
        for _ in range(3 * depth):
            *_, ready = await ctx.tick().sample(dut.i.ready)
            taken += ready

    simulate(dut, testbench)
    assert taken == depth


class Memory:
    """Answers requests of a component, in order, each after a time of its own."""

    def __init__(self, dut: Any, words: list[int], latency: Callable[[], int], ready: Callable[[], bool]) -> None:
        self.dut, self.words, self.latency, self.ready = dut, words, latency, ready
        self.due: deque[tuple[int, int]] = deque()
        self.asked: list[int] = []
        self.most = self.answered = 0
        self.cycle = 0

    def drive(self, ctx: Any) -> None:
        ctx.set(self.dut.request.ready, int(self.ready()))
        is_due = bool(self.due) and self.due[0][0] <= self.cycle
        ctx.set(self.dut.response.valid, int(is_due))
        ctx.set(self.dut.response.payload, {"data": self.words[self.due[0][1]] if is_due else 0, "error": 0})

    def look(self, ctx: Any) -> None:
        """Take note of the cycle that is about to end."""
        if ctx.get(self.dut.response.valid):
            assert ctx.get(self.dut.response.ready)
            self.due.popleft()
            self.answered += 1
        if ctx.get(self.dut.request.valid) and ctx.get(self.dut.request.ready):
            address = ctx.get(self.dut.request.payload.address)
            self.asked.append(address)
            self.due.append((self.cycle + self.latency(), address))
            self.most = max(self.most, len(self.due))
        self.cycle += 1
        assert self.cycle < PATIENCE, "it does not end"


def play(
    dut: Any,
    n: int,
    rng: np.random.Generator,
    *,
    latency: Callable[[], int],
    pause: float,
    stall: float,
    busy: float = 0.0,
    every: int = 2,
) -> tuple[Memory, list[tuple[int, int | None]], list[int]]:
    """Send beats 0 to n - 1, each of `every` with a word; return memory, beats with words, and cycles of beats."""
    words = rng.integers(0, 256, 64).tolist()
    memory = Memory(dut, words, latency, lambda: rng.random() >= busy)
    found: list[tuple[int, int | None]] = []
    cycles: list[int] = []

    async def testbench(ctx: Any, rst: Any) -> None:
        sent, is_offered, waits_for_word = 0, False, False
        while len(found) < n or waits_for_word:
            is_offered = is_offered or (sent < n and rng.random() >= pause)
            ctx.set(dut.i.valid, int(is_offered))
            ctx.set(dut.i.payload, sent % 256)
            ctx.set(dut.address, 7 * sent % 64)
            ready = rng.random() >= stall
            ctx.set(dut.o.ready, int(ready))
            memory.drive(ctx)
            gives = ctx.get(dut.o.valid) and ready
            beat = ctx.get(dut.o.payload)
            ctx.set(dut.word.en, int(gives and beat % every == 0))
            takes = is_offered and ctx.get(dut.i.ready)
            memory.look(ctx)
            await ctx.tick()
            if waits_for_word:
                found[-1] = (found[-1][0], ctx.get(dut.word.data))
                waits_for_word = False
            if gives:
                found.append((beat, None))
                cycles.append(memory.cycle)
                if beat % every == 0:
                    found[-1] = (beat, ctx.get(dut.word.data))
            if takes:
                sent, is_offered = sent + 1, False

    simulate(dut, testbench)
    return memory, found, cycles


def requests_of(outstanding: int) -> Any:
    return Requests(8, ReadPort(depth=64, width=8), outstanding=outstanding, reads=lambda beat: ~beat[0])


@pytest.mark.parametrize(("pause", "stall"), RHYTHMS)
@pytest.mark.parametrize("outstanding", [4, 7])
def test_each_beat_meets_its_word(outstanding: int, pause: float, stall: float, rng: np.random.Generator) -> None:
    """In order, whatever each word takes; a beat that needs none waits for none; no more than agreed are under way."""
    dut = requests_of(outstanding)
    memory, found, _ = play(
        dut, 150, rng, latency=lambda: int(rng.choice([1, 1, 2, 9, 30])), pause=pause, stall=stall, busy=0.2
    )
    assert found == [(n, None if n % 2 else memory.words[7 * n % 64]) for n in range(150)]
    assert memory.asked == [7 * n % 64 for n in range(0, 150, 2)]
    assert memory.most <= outstanding


@pytest.mark.parametrize("latency", [1, 2, 6])
def test_a_beat_a_cycle_while_words_come_in_time(latency: int, rng: np.random.Generator) -> None:
    dut = Requests(8, ReadPort(depth=64, width=8), outstanding=latency + 2)
    _, found, cycles = play(dut, 60, rng, latency=lambda: latency, pause=0.0, stall=0.0, every=1)
    assert [beat for beat, _ in found] == list(range(60))
    assert np.all(np.diff(cycles) == 1)


def test_a_response_that_nobody_asked_for_is_dropped(rng: np.random.Generator) -> None:
    dut = requests_of(4)

    async def testbench(ctx: Any, rst: Any) -> None:
        async def cycle(**values: int) -> None:
            for name in ("i", "response", "o"):
                ctx.set(getattr(dut, name).ready if name == "o" else getattr(dut, name).valid, values.get(name, 0))
            ctx.set(dut.response.payload, {"data": values.get("data", 0), "error": values.get("wrong", 0)})
            ctx.set(dut.request.ready, 1)
            await ctx.tick()

        await cycle(response=1, data=99)  # nothing was asked for
        assert ctx.get(dut.errors) == 0b10
        ctx.set(dut.i.payload, 2)
        await cycle(i=1, response=1, data=98)  # in the very cycle of the request, which is too early
        await cycle(response=1, data=5)
        await cycle()
        assert ctx.get(dut.o.valid)
        ctx.set(dut.word.en, 1)
        await cycle(o=1)
        ctx.set(dut.word.en, 0)
        assert ctx.get(dut.word.data) == 5
        assert ctx.get(dut.errors) == 0b10
        await cycle(i=1)
        await cycle(response=1, data=6, wrong=1)
        assert ctx.get(dut.errors) == 0b11
        ctx.set(rst, 1)
        await ctx.tick()
        assert ctx.get(dut.errors) == 0

    simulate(dut, testbench)


def test_an_error_bit_of_a_dropped_response_is_not_one_of_an_answer() -> None:
    dut = requests_of(4)

    async def testbench(ctx: Any, rst: Any) -> None:
        ctx.set(dut.response.valid, 1)
        ctx.set(dut.response.payload, {"data": 0, "error": 1})
        await ctx.tick()
        await ctx.tick()
        assert ctx.get(dut.errors) == 0b10

    simulate(dut, testbench)


# --- rows -------------------------------------------------------------------------------------------------------------

MIXES = [("request", "request"), ("request", "internal"), ("internal", "request")]


class Writes:
    """What a `RowSender` writes, through streams or ports, in order; streams are taken at random."""

    def __init__(self, dut: Any, rng: np.random.Generator, busy: float) -> None:
        self.dut, self.rng, self.busy = dut, rng, busy
        self.done: list[tuple[str, int, int]] = []
        self.held: dict[str, tuple[int, int]] = {}
        self.cycle = 0

    def drive(self, ctx: Any) -> None:
        self.cycle += 1
        assert self.cycle < PATIENCE, "it does not end"
        for name in ("key_write", "value_write"):
            if hasattr(self.dut, name):
                ctx.set(getattr(self.dut, name).ready, int(self.rng.random() >= self.busy))

    def look(self, ctx: Any) -> None:
        dut = self.dut
        n_lanes, d_head = dut.dims.n_lanes, dut.dims.spec.d_head
        for name in ("key_write", "value_write"):
            if not hasattr(dut, name):
                continue
            to = getattr(dut, name)
            offer = (ctx.get(to.payload.address), ctx.get(to.payload.data))
            if name in self.held:
                assert ctx.get(to.valid), f"{name} fell before its transfer"
                assert offer == self.held.pop(name), f"{name} changed before its transfer"
            if ctx.get(to.valid):
                if ctx.get(to.ready):
                    self.done.append((name[:-6], *offer))
                else:
                    self.held[name] = offer
        if hasattr(dut, "keys"):
            enable = ctx.get(dut.keys.en)
            for lane in range(n_lanes):
                if enable >> lane & 1:
                    data = ctx.get(dut.keys.data) >> lane * d_head & (2**d_head - 1)
                    self.done.append(("key", ctx.get(dut.keys.addr) * n_lanes + lane, data))
        if hasattr(dut, "values") and ctx.get(dut.values.en):
            self.done.append(("value", ctx.get(dut.values.addr), ctx.get(dut.values.data)))


def expected_writes(dims: Dimensions, index: int, key: int, value: list[int]) -> list[tuple[str, int, int]]:
    n = dims.n_macs
    slices = [value[s * n : s * n + n] for s in range(dims.fold)]
    words = [sum((element + 128) << 8 * place for place, element in enumerate(part)) for part in slices]
    return [*(("value", index * dims.fold + s, word) for s, word in enumerate(words)), ("key", index, key)]


@pytest.mark.parametrize("busy", [0.0, 0.6])
@pytest.mark.parametrize("n_macs", [4, 2])
@pytest.mark.parametrize(("keys", "values"), MIXES)
def test_a_row_is_transferred_with_its_last_write(
    keys: str, values: str, n_macs: int, busy: float, rng: np.random.Generator
) -> None:
    dims = dimensions(n_lanes=2, n_macs=n_macs, key_memory=keys, value_memory=values)
    dut: Any = RowSender(dims)
    writes = Writes(dut, rng, busy)
    sizes = []

    async def testbench(ctx: Any, rst: Any) -> None:
        ctx.set(dut.i.valid, 1)
        for index in rng.permutation(16).tolist():
            key, value = int(rng.integers(32)), rng.integers(-128, 128, 4).tolist()
            ctx.set(dut.i.payload, {"index": index, "key": key, "value": value})
            before, is_taken = len(writes.done), False
            while not is_taken:
                writes.drive(ctx)
                if hasattr(dut, "may_write"):
                    ctx.set(dut.may_write, int(rng.random() >= busy))
                writes.look(ctx)
                is_taken = ctx.get(dut.i.ready)
                await ctx.tick()
            expected = expected_writes(dims, index, key, value) if index < 11 else []
            assert writes.done[before:] == expected
            sizes.append(len(expected))
            assert ctx.get(dut.error) == (0 in sizes)

    simulate(dut, testbench)
    assert 0 in sizes


@pytest.mark.parametrize(("keys", "values"), MIXES)
def test_a_row_given_up_harms_no_other(keys: str, values: str, rng: np.random.Generator) -> None:
    """What is on offer to a memory holds, and the next row is written whole."""
    dims = dimensions(n_lanes=2, n_macs=2, key_memory=keys, value_memory=values)
    dut: Any = RowSender(dims)
    writes = Writes(dut, rng, 0.5)
    n_given_up = 0

    async def testbench(ctx: Any, rst: Any) -> None:
        nonlocal n_given_up
        for _ in range(150):
            index, key, value = int(rng.integers(11)), int(rng.integers(32)), rng.integers(-128, 128, 4).tolist()
            gives_up_after = int(rng.integers(1, 12)) if rng.random() < 0.6 else None
            ctx.set(dut.i.payload, {"index": index, "key": key, "value": value})
            ctx.set(dut.i.valid, 1)
            before, n_cycles = len(writes.done), 0
            while True:
                writes.drive(ctx)
                writes.look(ctx)
                is_taken = ctx.get(dut.i.ready)
                await ctx.tick()
                n_cycles += 1
                if is_taken:
                    row = expected_writes(dims, index, key, value)
                    assert [write for write in writes.done[before:] if write in row][-len(row) :] == row
                    break
                if n_cycles == gives_up_after:
                    n_given_up += 1
                    ctx.set(dut.i.valid, 0)
                    for _ in range(int(rng.integers(1, 4))):
                        writes.drive(ctx)
                        writes.look(ctx)
                        await ctx.tick()
                    break

    simulate(dut, testbench)
    assert n_given_up > 20


# --- the engine -------------------------------------------------------------------------------------------------------


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
