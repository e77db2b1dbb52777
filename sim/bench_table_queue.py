"""Bench of `TableQueue`: queries in; the same, and their tables, out."""

from __future__ import annotations

import cocotb
from numpy.typing import NDArray

from hamming.sim.bench import Bench, play_cases
from hamming.sim.bench_row_range import asked


async def play(bench: Bench) -> dict[str, NDArray]:
    """Run one case of vectors (`sim.component`); with an odd seed some of them are out of range."""
    steps = bench.steps()
    bench.quiet_in_reset = bench.streams
    queries = asked(bench, steps)
    bench.source("i", bench.encode("i", queries))
    bench.sink("o", bench.encode("o", queries), packet="query", counts=True)
    bench.sink("o_table", bench.encode("o_table", steps.tables()), packet="table")
    await bench.run()
    if bench.fields.get("last_cycle") is None:
        is_above = bool((queries["table"] >= steps.spec.n_tables).any())
        if bool(bench.dut.error.value) != is_above:
            bench.fail(f"error: expected {is_above}")
    return bench.timing()


@cocotb.test()
async def table_queue(dut) -> None:
    """Play the cases of this run."""
    await play_cases(dut, play)
