"""Bench of `Normalizer`: sums in parts in, exactly rounded quotients out."""

from __future__ import annotations

import cocotb
from numpy.typing import NDArray

from hamming.sim.bench import Bench, play_cases


async def play(bench: Bench) -> dict[str, NDArray]:
    """Run one case of vectors (`sim.component`)."""
    steps = bench.steps()
    bench.source("i", bench.encode("i", steps.sum_parts()))
    bench.sink("o", bench.encode("o", steps.outputs()), packet="query", counts=True)
    bench.quiet_in_reset = {"o"}
    await bench.run()
    return bench.timing()


@cocotb.test()
async def normalizer(dut) -> None:
    """Play the cases of this run."""
    await play_cases(dut, play)
