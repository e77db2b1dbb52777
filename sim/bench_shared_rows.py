"""Bench of `SharedRows`: groups of queries against rows of keys; each query's kept keys, in the order of the groups."""

from __future__ import annotations

import cocotb
from numpy.typing import NDArray

from hamming.sim.bench import Bench, play_cases


async def play(bench: Bench) -> dict[str, NDArray]:
    """Run one case of vectors (`sim.component`); the keys stand beside each request, as the memory would hold them."""
    steps = bench.steps()
    rows = steps.key_rows()
    bench.source("i", bench.encode("i", steps.requests()), beside={"keys": [rows[row] for row in steps.row]})
    bench.sink("o", bench.encode("o", steps.counted()), packet="query", counts=True)
    await bench.run()
    return bench.timing()


@cocotb.test()
async def shared_rows(dut) -> None:
    """Play the cases of this run."""
    await play_cases(dut, play)
