"""The carry-save tree, exhaustively: every combination of up to ten words' bits in one wide evaluation."""
# amaranth: UnusedElaboratable=no

from __future__ import annotations

import numpy as np
import pytest
from amaranth.hdl import Const, Module, Signal
from amaranth.sim import Simulator

from hamming.golden.score import matches
from hamming.rtl.popcount import XnorPopcount, count_ones
from hamming.rtl.tree import tree_depth
from tests.rtl.harness import pack


def counted(n_words: int, n_registers: int) -> list[int]:
    """Count of ones at each position, where position `p` of word `b` is bit `b` of `p`."""
    width = 2**n_words
    m = Module()
    words = [Const(pack([p >> b & 1 for p in range(width)]), width) for b in range(n_words)]
    counts = count_ones(m, words, width, enables=[Const(1)] * n_registers)
    bits = [Signal(width, name=f"bit_{b}") for b in range(len(counts))]
    m.d.comb += [bit.eq(count) for bit, count in zip(bits, counts, strict=True)]
    m.d.sync += Signal().eq(1)
    result: list[int] = []

    async def testbench(ctx):
        (*_,) = await ctx.tick().repeat(n_registers + 1)
        values = [ctx.get(bit) for bit in bits]
        result.extend(sum((value >> p & 1) << b for b, value in enumerate(values)) for p in range(width))

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()
    return result


@pytest.mark.parametrize("n_registers", [0, 1, 3])
@pytest.mark.parametrize("n_words", range(1, 11))
def test_counts_every_combination(n_words: int, n_registers: int) -> None:
    assert counted(n_words, n_registers) == [p.bit_count() for p in range(2**n_words)]


def test_depth_of_small_trees() -> None:
    """Two words are a half adder, three a full one; four: a full one, a half one, and a half one for the carries."""
    assert [tree_depth(n_words) for n_words in (1, 2, 3, 4)] == [0, 1, 1, 3]


def test_xnor_popcount_equals_golden(rng: np.random.Generator) -> None:
    d_head = 67
    q, k = rng.integers(0, 2, (2, 50, d_head))
    expected = np.diagonal(matches(q, k))
    dut = XnorPopcount(d_head=d_head)
    got = []

    async def testbench(ctx):
        for q_bits, k_bits in zip(q, k, strict=True):
            ctx.set(dut.q, pack(q_bits))
            ctx.set(dut.k, pack(k_bits))
            await ctx.delay(1e-6)
            got.append(ctx.get(dut.count))

    simulator = Simulator(dut)
    simulator.add_testbench(testbench)
    simulator.run()
    assert got == expected.tolist()
