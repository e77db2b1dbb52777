"""Rows into memories of any latency, whatever the memory and the row's master do."""
# amaranth: UnusedElaboratable=no

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hamming.rtl.dimensions import Dimensions
from hamming.rtl.sender import RowSender
from tests.rtl.request_samples import PATIENCE, dimensions, simulate

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
