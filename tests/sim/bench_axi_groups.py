"""Bench of test_sim_axi.py: what registers do to an engine whose queries come in groups of three."""

import os
from pathlib import Path

import cocotb
import numpy as np
from axi_core import DRAIN, ENABLE, RESET, RESET_DONE, Core

from hamming.sim import case

_BUSY, _IN_FLIGHT = 1, 16


@cocotb.test()
async def groups(dut):
    """A group that is not whole waits, keeps no reset waiting, and is forgotten by it."""
    folder = Path(os.environ["HAMMING_CASE"])
    fields, arrays = case.load(folder, "case_0")
    core = Core(dut, fields, arrays)
    out, n_keys = arrays["out"], len(arrays["k"])
    await core.begin()
    await core.write("CONTROL", ENABLE)
    core.send("i_row", index=np.arange(n_keys), key=arrays["k"], value=arrays["v"])
    await core.ports.sources["i_row"].wait()
    assert await core.read("N_QUERIES_A_ROW") == 3

    # Of five queries three are answered, and two are in flight, which is not to be busy.
    core.send_queries([n_keys] * 5)
    assert np.array_equal(await core.answers(3), out[:3])
    await core.wait(300)
    assert core.transfers("i_query") == 5
    assert await core.read("QUERIES") == 3
    assert await core.read("STATUS") == 2 << _IN_FLIGHT

    # The sixth ends their group.
    core.send("i_query", query=arrays["q"][5:6], n_valid=[n_keys])
    assert np.array_equal(await core.answers(3), out[3:6])
    assert await core.read("STATUS") == 0

    # A reset waits for the whole group, and not for the query behind it.
    sink = core.ports.sinks["o_out"]
    sink.pause = True
    core.send_queries([n_keys] * 4)
    await core.wait(300)
    assert await core.read("STATUS") == 4 << _IN_FLIGHT | _BUSY
    await core.write("CONTROL", ENABLE | RESET | DRAIN)
    await core.wait(300)
    assert not await core.read("INTERRUPT_STATUS") & RESET_DONE
    sink.pause = False
    assert np.array_equal(await core.answers(3), out[:3])
    await core.wait(20)
    assert await core.read("INTERRUPT_STATUS") & RESET_DONE
    assert await core.read("STATUS") == 0
    core.send_queries([n_keys] * 3)
    assert np.array_equal(await core.answers(3), out[:3])
    assert await core.read("STATUS") == 0

    report = {"mismatches": [], "n_mismatches": 0, "violations": [], "coverage": {}, "cycles": 0}
    case.save(folder, "result_0", report, {})
