"""Bench of `Locate`: kept keys whose indices count rows, and places, in; indices in the memory out."""

from __future__ import annotations

import cocotb
from numpy.typing import NDArray

from hamming.sim.bench import Bench, play_cases


async def play(bench: Bench) -> dict[str, NDArray]:
    """Run one case of vectors (`sim.component`)."""
    steps = bench.steps()
    bench.source("i", bench.encode("i", steps.counted()))
    bench.source("i_place", bench.encode("i_place", steps.places()))
    bench.sink("o", bench.encode("o", steps.kept()), packet="query", counts=True)
    await bench.run()
    return bench.timing()


@cocotb.test()
async def locate(dut) -> None:
    """Play the cases of this run."""
    await play_cases(dut, play)
