"""Bench of the selectors: levels in, kept keys in the selector's own order, against golden's selection."""

from __future__ import annotations

import cocotb
from numpy.typing import NDArray

from hamming.sim.bench import Bench, play_cases


async def play(bench: Bench) -> dict[str, NDArray]:
    """Run one case of vectors (`sim.component`)."""
    steps = bench.steps()
    bench.source("i", bench.encode("i", steps.levels()))
    bench.sink("o", bench.encode("o", steps.counted()), packet="query", counts=True)
    await bench.run()
    return bench.timing()


@cocotb.test()
async def selector(dut) -> None:
    """Play the cases of this run."""
    await play_cases(dut, play)
