"""Bench of `SoftmaxTable`: deficits in, weights out, the table loaded first where it can be."""

from __future__ import annotations

import cocotb
import numpy as np
from numpy.typing import NDArray

from sim.bench import Bench, play_cases
from sim.bench_engine import table_beats
from sim.streams import Gate


async def play(bench: Bench) -> dict[str, NDArray]:
    """Run one case of vectors (`sim.component`)."""
    steps = bench.steps()
    keys = bench.encode("i", steps.replayed())
    gates = []
    if "i_weight" in bench.streams:
        entries = table_beats(bench.streams["i_weight"], steps.spec, np.random.default_rng(bench.fields["seed"]))
        gates.append(Gate(bench.source("i_weight", entries), [len(entries)] * len(keys)))
    bench.source("i", keys, gates)
    bench.sink("o", bench.encode("o", steps.weighted()), packet="pass", counts=True)
    await bench.run()
    return bench.timing()


@cocotb.test()
async def softmax(dut) -> None:
    """Play the cases of this run."""
    await play_cases(dut, play)
