"""A loadable table that is none sets its bit of `error` and is used; what a reset does to the look at it."""
# amaranth: UnusedElaboratable=no

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth.hdl import ResetInserter, Signal

from hamming.rtl.config import EngineConfig
from hamming.rtl.engine import Engine
from hamming.rtl.softmax import SoftmaxTable
from tests.rtl.harness import run
from tests.rtl.small import dimensions, simulate, spec_of


def table_after(entries: list[tuple[int, int]], **options: Any) -> tuple[list[int], int]:
    """Write a table, look every deficit up, and return the weights found and the error bits."""
    spec = spec_of(**options.pop("spec", {}))
    dut = SoftmaxTable(dimensions(spec, table="loadable", **options))
    found: list[int] = []
    bits = 0

    async def testbench(ctx: Any) -> None:
        nonlocal bits
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.i_weight.valid, 1)
        for index, weight in entries:
            ctx.set(dut.i_weight.payload, {"index": index, "weight": weight})
            await ctx.tick()
        ctx.set(dut.i_weight.valid, 0)
        assert ctx.get(dut.errors) & ~3 == 0
        ctx.set(dut.i.valid, 1)
        for deficit in range(spec.d_head + 1):
            ctx.set(dut.i.payload, {"index": 0, "deficit": deficit, "is_empty": 0, "last": 1})
            await ctx.tick()
            found.append(ctx.get(dut.o.payload).weight)
        ctx.set(dut.i.valid, 0)
        await ctx.tick().repeat(2)
        bits = ctx.get(dut.errors)

    simulate(dut, testbench)
    return found, bits


def test_a_falling_table_in_any_order_sets_no_error(rng: np.random.Generator) -> None:
    table = [200, 200, 90, 7, 0, 0]
    entries = [(int(t), int(rng.integers(256))) for t in rng.permutation(6)] + [
        (int(t), table[t]) for t in rng.permutation(6)
    ]
    assert table_after(entries, spec={"weight_bits": 8}) == (table, 0)


@pytest.mark.parametrize("table", [[9, 8, 8, 7, 6, 7], [9, 10, 3, 2, 1, 0], [0, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0]])
def test_no_softmax_table_sets_an_error_and_is_used(table: list[int]) -> None:
    assert table_after(list(enumerate(table))) == (table, 2)


def test_an_entry_outside_is_dropped() -> None:
    table = [9, 7, 5, 3, 1, 0]
    assert table_after([*enumerate(table), (6, 4095), (7, 4095)]) == (table, 1)


def test_shift_stores_powers_of_two() -> None:
    spec = {"weight_form": "power_of_two", "weight_bits": 4}
    stored = table_after(list(enumerate([15, 8, 7, 4, 1, 0])), spec=spec, product="shift")
    assert stored == ([8, 8, 4, 4, 1, 0], 2)
    stored = table_after(list(enumerate([8, 8, 4, 4, 1, 0])), spec=spec, product="shift")
    assert stored == ([8, 8, 4, 4, 1, 0], 0)


def test_a_table_is_looked_at_again_when_it_was_written_again() -> None:
    """Half a new table over half an old one is no error, before a key uses it."""
    dut = SoftmaxTable(dimensions(table="loadable"))

    async def testbench(ctx: Any) -> None:
        ctx.set(dut.o.ready, 1)

        async def write(entries: list[tuple[int, int]]) -> None:
            ctx.set(dut.i_weight.valid, 1)
            for index, weight in entries:
                ctx.set(dut.i_weight.payload, {"index": index, "weight": weight})
                await ctx.tick()
            ctx.set(dut.i_weight.valid, 0)
            await ctx.tick().repeat(12)

        async def use() -> int:
            ctx.set(dut.i.valid, 1)
            await ctx.tick()
            ctx.set(dut.i.valid, 0)
            await ctx.tick().repeat(7)  # d_head + 2
            return ctx.get(dut.errors)

        await write(list(enumerate([9, 8, 7, 6, 5, 4])))
        assert await use() == 0
        await write([(3, 90), (4, 80), (5, 70)])
        assert ctx.get(dut.errors) == 0
        await write([(0, 100), (1, 99), (2, 98)])
        assert await use() == 0
        await write([(2, 10)])
        assert await use() == 2

    simulate(dut, testbench)


@pytest.mark.parametrize("n_cycles", range(2, 6))
def test_a_reset_ends_the_look_at_a_table(n_cycles: int) -> None:
    """One that rises at its end is no error of after the reset, before a key uses it again."""
    dut, rst = SoftmaxTable(dimensions(table="loadable")), Signal()

    async def testbench(ctx: Any) -> None:
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.i_weight.valid, 1)
        for index, weight in enumerate([9, 8, 7, 6, 5, 60]):
            ctx.set(dut.i_weight.payload, {"index": index, "weight": weight})
            await ctx.tick()
        ctx.set(dut.i_weight.valid, 0)
        for resets, expected in ((True, 0), (False, 2)):
            ctx.set(dut.i.valid, 1)
            await ctx.tick()
            ctx.set(dut.i.valid, 0)
            if resets:
                await ctx.tick().repeat(n_cycles - 1)
                ctx.set(rst, 1)
                await ctx.tick()
                ctx.set(rst, 0)
            await ctx.tick().repeat(12)
            assert ctx.get(dut.errors) == expected

    simulate(ResetInserter(rst)(dut), testbench)


def test_no_weight_at_all_gives_the_largest_output(rng: np.random.Generator) -> None:
    spec = spec_of(top_k=1)
    beats = run(
        Engine(spec, EngineConfig(table="loadable", expose_index=False, n_macs=2)),
        {
            "i_weight": [{"index": t, "weight": 0} for t in range(6)],
            "i_row": [{"index": j, "key": j, "value": [-3, 5, 7, -128]} for j in range(11)],
            "i_query": [{"query": n, "n_valid": n % 3} for n in range(6)],
        },
        {"o_out": 6 * 4},
        after={"i_query": "i_row", "i_row": "i_weight"},
    )
    out = [beat.value[0] for beat in beats.payloads["o_out"]]
    assert out == ([0] * 4 + [2**15 - 1] * 8) * 2
