"""Bench of test_sim_breaks.py: any rows and queries, of which only the queries' answers are known; and a long reset."""

import cocotb
import numpy as np

from hamming.sim.bench import play_cases
from hamming.sim.engine_beats import out_beats
from hamming.sim.streams import Gate


async def play(bench):
    """Write all rows at full rate; send the queries as soon as the first `n_needed` rows are written."""
    await look_at_reset(bench)
    arrays, streams = bench.arrays, bench.streams
    fields = {name: arrays[f"row_{name}"] for name in ("index", "key", "value")}
    rows = bench.source("i_row", streams["i_row"].encode(**fields))
    needed = [bench.fields["n_needed"]] * len(arrays["query"])
    queries = streams["i_query"].encode(query=arrays["query"], n_valid=arrays["n_valid"])
    bench.source("i_query", queries, [Gate(rows, needed)])
    is_empty = np.zeros(len(arrays["query"]), bool)
    bench.sink("o_out", out_beats(streams["o_out"], arrays["out"], is_empty), packet="query", counts=True)
    await bench.run()
    return {}


async def look_at_reset(bench):
    """Offer and accept everything while the engine is in reset: nothing may move."""
    dut = bench.dut
    dut.rst.value = 1
    for stream in bench.streams.values():
        is_input = stream.direction == "input"
        getattr(dut, stream.valid if is_input else stream.ready).value = 1
        if is_input:
            getattr(dut, stream.payload).value = 0
    for _ in range(4):
        await dut.clk.rising_edge
        for stream in bench.streams.values():
            port = stream.ready if stream.direction == "input" else stream.valid
            if getattr(dut, port).value != 0:
                bench.fail(f"{port} is not 0 in reset")


@cocotb.test()
async def breaks(dut):
    """Play the cases of this run."""
    await play_cases(dut, play)
