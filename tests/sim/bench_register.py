"""Bench of the stream register that test_sim_streams.py breaks in known ways."""

import cocotb

from hamming.sim.bench import play_cases


async def play(bench):
    """Send `payloads` through the register, with the defect that the case asks for."""
    payloads = bench.arrays["payloads"].tolist()
    bench.dut.defect.value = bench.fields["defect"]
    bench.source("i", payloads)
    bench.sink("o", bench.arrays["expected"].tolist(), packet="beat", counts=True)
    await bench.run()
    return bench.timing()


@cocotb.test()
async def register(dut):
    """Play the cases of this run."""
    await play_cases(dut, play)
