"""Bench of `KeyFetch`: queries and masks in, requests out, each beside its row of keys from the memory."""

from __future__ import annotations

import cocotb
from numpy.typing import NDArray

from hamming.sim.bench import Bench, play_cases
from hamming.sim.memory_ports import ReadMemory


async def play(bench: Bench) -> dict[str, NDArray]:
    """Run one case of vectors (`sim.component`)."""
    steps = bench.steps()
    memory = ReadMemory(bench.dut, "keys", steps.key_rows())

    def check_row(beat: int) -> None:
        if beat < len(steps.row) and memory.word_at != steps.row[beat]:
            bench.fail(f"o: beat {beat}: expected the memory to hold row {steps.row[beat]}, not {memory.word_at}")

    bench.source("i", bench.encode("i", steps.ranged() if steps.dims.has_row_range else steps.queries()))
    if "i_mask" in bench.streams:
        bench.source("i_mask", bench.encode("i_mask", steps.masks()))
    bench.sink("o", bench.encode("o", steps.requests()), packet="query", on_beat=check_row, counts=True)
    await bench.run([memory, bench.permission("may_read", "keys", bits=1)])
    return bench.timing()


@cocotb.test()
async def fetch(dut) -> None:
    """Play the cases of this run."""
    await play_cases(dut, play)
