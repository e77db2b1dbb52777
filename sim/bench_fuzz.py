"""Bench of a fuzzed engine: its harness drives and writes everything down; here the clock runs until it is done."""

import os
from pathlib import Path

import cocotb
from cocotb.clock import Clock

from hamming.sim import case


@cocotb.test()
async def fuzz(dut) -> None:
    """Run to the end."""
    folder = Path(os.environ["HAMMING_CASE"])
    Clock(dut.clk, 2, unit="step", impl="gpi").start(start_high=False)
    await dut.done.rising_edge
    case.save(folder, "result_0", {})
