"""Requests: beats wait for their words, whatever the memory does."""
# amaranth: UnusedElaboratable=no

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hamming.rtl.fifo import Fifo
from hamming.rtl.memory import ReadPort
from hamming.rtl.requests import Requests
from tests.rtl.harness import RHYTHMS, run
from tests.rtl.request_samples import PATIENCE, simulate


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
