"""Bench of test_rtl_register_block.py: the same accesses to our register file and to PeakRDL's, side by side."""

import os
import random
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, gather
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp

from hamming.sim import case


@cocotb.test()
async def register_block(dut):
    """Random reads and writes, everywhere; between them the hardware's inputs change."""
    folder = Path(os.environ["HAMMING_CASE"])
    fields, _ = case.load(folder, "case_0")
    rng = random.Random(fields["seed"])
    for name in (*fields["status"], *fields["sets"]):
        getattr(dut, name).value = 0
    dut.rst.value = 1
    masters = [AxiLiteMaster(AxiLiteBus.from_prefix(dut, one), dut.clk, dut.rst) for one in ("ours", "theirs")]
    Clock(dut.clk, 2, unit="step").start()
    await ClockCycles(dut.clk, 4)
    dut.rst.value = 0
    table = fields["table"]
    for place in range(table["offset"], table["offset"] + 4 * table["n_words"], 4):
        for master in masters:
            await master.write(place, bytes(4))  # ours begins with anything

    different, seen = [], {"ok": 0, "refused": 0}
    for number in range(fields["n_accesses"]):
        for name in rng.sample(fields["status"], 2):
            getattr(dut, name).value = rng.getrandbits(len(getattr(dut, name)))
        raised = rng.sample(fields["sets"], 2) if rng.random() < 0.3 else []
        for name in raised:
            getattr(dut, name).value = 1
        await ClockCycles(dut.clk, 1)
        for name in raised:
            getattr(dut, name).value = 0
        await ClockCycles(dut.clk, 2)
        place = rng.choice(fields["offsets"]) if rng.random() < 0.8 else 4 * rng.randrange(fields["n_words"])
        if rng.random() < 0.5:
            data = rng.choice([0, 0xFFFFFFFF, rng.getrandbits(32)]).to_bytes(4, "little")
            answers: Any = await gather(*(master.write(place, data) for master in masters))
            got = [(one.resp, None) for one in answers]
        else:
            answers = await gather(*(master.read(place, 4) for master in masters))
            got = [(one.resp, bytes(one.data)) for one in answers]
        await ClockCycles(dut.clk, 3)
        seen["ok" if got[0][0] == AxiResp.OKAY else "refused"] += 1
        if got[0] != got[1]:
            different.append(f"access {number} to {place:#x}: {got[0]}, and {got[1]}")
        for name in fields["outputs"]:
            ours, theirs = (int(getattr(dut, f"{side}_{name}").value) for side in ("ours", "theirs"))
            if ours != theirs:
                different.append(f"access {number} to {place:#x}: {name} is {ours:#x}, and {theirs:#x}")
    case.save(folder, "result_0", {"different": different[:10], "seen": seen}, {})
