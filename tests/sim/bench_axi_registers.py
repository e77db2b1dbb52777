"""Bench of test_sim_axi.py: what registers do to an engine that is at work."""

import os
from pathlib import Path

import cocotb
import numpy as np
from axi_core import CLEAR, DONE, DRAIN, ENABLE, ERROR, RESET, RESET_DONE, Core
from cocotbext.axi import AxiResp

from hamming.sim import case


@cocotb.test()
async def registers(dut):
    """Everything that CONTROL, ERROR, interrupts and counters do."""
    folder = Path(os.environ["HAMMING_CASE"])
    fields, arrays = case.load(folder, "case_0")
    core = Core(dut, fields, arrays)
    out, n_keys = arrays["out"], len(arrays["k"])
    await core.begin()

    # Nothing is taken until the engine is enabled.
    core.send("i_row", index=np.arange(n_keys), key=arrays["k"], value=arrays["v"])
    await core.wait(20)
    assert core.transfers("i_row") == 0
    await core.write("CONTROL", ENABLE)
    await core.ports.sources["i_row"].wait()
    await core.wait(4)
    assert await core.read("ROWS") == n_keys

    # Answers, their count, and an interrupt that is enabled and cleared.
    await core.write("INTERRUPT_ENABLE", DONE)
    assert int(dut.irq.value) == 0
    core.send_queries([n_keys] * 3)
    assert np.array_equal(await core.answers(3), out[:3])
    await core.wait(3)
    assert int(dut.irq.value) == 1
    await core.write("INTERRUPT_STATUS", DONE)
    await core.wait(3)
    assert int(dut.irq.value) == 0
    assert await core.read("QUERIES") == 3
    assert await core.read("STATUS") == 0
    assert await core.read("BUSY_CYCLES") > 0

    # An error is sticky, cleared by 1, and shows again after a reset of the engine.
    most = 2 ** core.streams["i_query"].field("n_valid").bits - 1
    for again in (1, 0):
        core.send_queries([most])
        assert np.array_equal(await core.answers(1), out[:1])
        assert await core.read("ERROR") == again
        await core.write("ERROR", 1)
        assert await core.read("ERROR") == 0
    await core.write("CONTROL", ENABLE | RESET)
    core.send_queries([most])
    assert np.array_equal(await core.answers(1), out[:1])
    assert await core.read("ERROR") == 1
    assert await core.read("INTERRUPT_STATUS") == DONE | ERROR | RESET_DONE
    await core.write("INTERRUPT_STATUS", DONE | ERROR | RESET_DONE)

    # A reset that drains waits for what was taken; queries that were not, wait.
    sink = core.ports.sinks["o_out"]
    sink.pause = True
    before = core.transfers("i_query")
    core.send_queries([n_keys] * 12)
    await core.wait(200)
    await core.write("CONTROL", ENABLE | RESET | DRAIN)
    await core.wait(100)
    taken = core.transfers("i_query") - before
    assert 0 < taken < 12
    status = await core.read("STATUS")
    assert status & 3 == 3
    assert not await core.read("INTERRUPT_STATUS") & RESET_DONE
    stalled = await core.read("STALL_OUT")
    assert stalled > 100
    sink.pause = False
    assert np.array_equal(await core.answers(12), out[:12])
    assert await core.read("INTERRUPT_STATUS") & RESET_DONE
    assert await core.read("STATUS") == 0

    # One that drops forgets them, but for what is offered already.
    sink.pause = True
    before = core.transfers("i_query")
    core.send_queries([n_keys] * 12)
    await core.wait(200)
    core.ports.sources["i_query"].clear()
    await core.write("CONTROL", RESET)
    await core.wait(20)
    assert core.transfers("i_query") - before < 12
    assert await core.read("STATUS") == 1  # what is offered
    sink.pause = False
    await core.wait(20)
    assert await core.read("STATUS") == 0
    left = core.transfers("o_out")
    await core.wait(300)
    assert core.transfers("o_out") == left
    await core.write("CONTROL", CLEAR)
    assert await core.read("QUERIES") == 0
    assert await core.read("STALL_OUT") == 0

    # What is not there answers with an error.
    bus = core.ports.registers
    assert (await bus.read(0xB0, 4)).resp == AxiResp.SLVERR
    assert (await bus.write(0x00, bytes(4))).resp == AxiResp.SLVERR
    assert (await bus.write(core.map["CONTROL"], bytes(2))).resp == AxiResp.SLVERR

    report = {"mismatches": [], "n_mismatches": 0, "violations": [], "coverage": {}, "cycles": 0}
    for name in (*core.streams, "s_axi_aw", "s_axi_w", "s_axi_b", "s_axi_ar", "s_axi_r"):
        assert int(getattr(dut, f"{name}_monitor").violation.value) == 0, name
    case.save(folder, "result_0", report, {})
