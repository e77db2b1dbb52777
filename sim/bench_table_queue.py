"""Bench of `TableQueue`: queries in; the same, and their tables, out."""

from __future__ import annotations

import cocotb
from numpy.typing import NDArray

from hamming.sim.bench import Bench, play_cases


async def play(bench: Bench) -> dict[str, NDArray]:
    """Run one case of vectors (`sim.component`)."""
    steps = bench.steps()
    queries = steps.queries()
    bench.source("i", bench.encode("i", queries))
    bench.sink("o", bench.encode("o", queries), packet="query", counts=True)
    bench.sink("o_table", bench.encode("o_table", steps.tables()), packet="table")
    await bench.run()
    return bench.timing()


@cocotb.test()
async def table_queue(dut) -> None:
    """Play the cases of this run."""
    await play_cases(dut, play)
