"""Bench of `WeightedSum`: weighted keys in, sums over their value slices out."""

from __future__ import annotations

import cocotb
from numpy.typing import NDArray

from hamming.sim.bench import Bench, play_cases
from hamming.sim.memory_ports import ReadMemory


async def play(bench: Bench) -> dict[str, NDArray]:
    """Run one case of vectors (`sim.component`). Into which parts a sum is split is left open."""
    steps = bench.steps()
    bench.source("i", bench.encode("i", steps.weighted()))
    stream = bench.streams["o"]
    bench.sink(
        "o",
        bench.encode("o", steps.whole_sums()),
        packet="query",
        compare_as=lambda beats: stream.encode(**steps.put_together(stream.decode(beats))),
        counts=True,
    )
    await bench.run([ReadMemory(bench.dut, "values", steps.value_slices())])
    return bench.timing()


@cocotb.test()
async def weighted_sum(dut) -> None:
    """Play the cases of this run."""
    await play_cases(dut, play)
