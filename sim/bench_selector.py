"""Bench of the selectors: levels in, kept keys in the selector's own order, against golden's selection."""

from __future__ import annotations

import cocotb
from numpy.typing import NDArray

from sim.bench import Bench, play_cases
from sim.payloads import Stream


async def play(bench: Bench) -> dict[str, NDArray]:
    """Run one case of vectors (`sim.component`)."""
    steps = bench.steps()
    bench.source("i", bench.encode("i", steps.levels()))
    bench.sink(
        "o",
        bench.encode("o", steps.kept()),
        packet="query",
        compare_as=lambda beats: without_empty(bench.streams["o"], beats),
        counts=True,
    )
    await bench.run()
    return bench.timing()


def without_empty(stream: Stream, beats: list[int]) -> list[int]:
    """Return beats of which an empty one keeps only its flags: its index and deficit may be anything."""
    flags = sum(1 << stream.field(name).offset for name in ("is_empty", "last"))
    empty = 1 << stream.field("is_empty").offset
    return [beat & flags if beat & empty else beat for beat in beats]


@cocotb.test()
async def selector(dut) -> None:
    """Play the cases of this run."""
    await play_cases(dut, play)
