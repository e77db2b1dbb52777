"""Bench of an engine behind AXI: what `sim.bench_engine` plays, by `cocotbext.axi`."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import cocotb

from hamming.sim import case
from hamming.sim.axi_bench import AxiBench
from hamming.sim.axi_ends import AxiPorts
from hamming.sim.bench import play_cases
from hamming.sim.bench_engine import play
from hamming.sim.payloads import read_streams


@cocotb.test()
async def engine(dut) -> None:
    """Play the cases of this run."""
    fields, _ = case.load(Path(os.environ["HAMMING_CASE"]), "case_0")
    dut.rst.value = 1
    ports = AxiPorts(dut, read_streams(fields["streams"]), fields["masters"])
    await play_cases(dut, play, functools.partial(AxiBench, ports))
