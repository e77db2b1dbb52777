"""Bench of test_sim_axi_monitors.py: signals as a table says, a row a cycle, and what the monitors say of each."""

import os
from pathlib import Path

import cocotb
from cocotb.clock import Clock

from hamming.sim import case


@cocotb.test()
async def monitors(dut):
    """Play every table of the case, from a reset on."""
    folder = Path(os.environ["HAMMING_CASE"])
    fields, _ = case.load(folder, "case_0")
    Clock(dut.clk, 2, unit="step").start(start_high=False)
    found = []
    for table in fields["tables"]:
        rows = [{}, {}, {}] + table["in_reset"] + [{}] + table["rows"] + [{}, {}]
        for number, row in enumerate(rows):
            for name, quiet in fields["quiet"].items():
                getattr(dut, name).value = row.get(name, quiet)
            dut.rst.value = number < 3 + len(table["in_reset"])
            await dut.clk.rising_edge
        monitor = getattr(dut, f"{table['way']}_monitor")
        found.append([int(monitor.violation.value), int(monitor.n_due.value), int(monitor.n_transfers.value)])
    case.save(folder, "result_0", {"found": found}, {})
