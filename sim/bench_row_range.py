"""Bench of `RowRange`: queries in; their rows out, as the keys that they see say."""

from __future__ import annotations

from collections.abc import Callable

import cocotb
import numpy as np
from numpy.typing import NDArray

from hamming.sim.bench import Bench, play_cases
from hamming.sim.payloads import Stream


async def play(bench: Bench) -> dict[str, NDArray]:
    """Run one case of vectors (`sim.component`)."""
    steps = bench.steps()
    bench.source("i", bench.encode("i", steps.queries()))
    stream = bench.streams["o"]
    bench.sink("o", bench.encode("o", steps.ranged()), packet="query", compare_as=of_account(stream), counts=True)
    await bench.run()
    return bench.timing()


def of_account(stream: Stream) -> Callable[[list[int]], list[int]]:
    """Return what clears the fields of a beat that are of no account: of sinks, or of a jump, where there are none."""

    def canonical(beats: list[int]) -> list[int]:
        fields = stream.decode(beats)
        if "jumps" in fields:
            fields["base"] = np.where(fields["sink_end"] > 0, fields["base"], 0)
            for name in {"sink_row", "n_before"} & fields.keys():
                fields[name] = np.where(fields["jumps"], fields[name], 0)
        return stream.encode(**fields)

    return canonical


@cocotb.test()
async def row_range(dut) -> None:
    """Play the cases of this run."""
    await play_cases(dut, play)
