"""Bench of `RowLoader`: rows in, contents of the memories against them."""

from __future__ import annotations

import cocotb
import numpy as np
from numpy.typing import NDArray

from hamming.sim.bench import Bench, play_cases
from hamming.sim.memory_ports import WriteLog


async def play(bench: Bench) -> dict[str, NDArray]:
    """Run one case of vectors (`sim.component`): every key with its value vector, in random order.

    A key is written with its transfer, its values until then, and nothing else is; in reset nothing at all.
    """
    steps = bench.steps()
    order = np.random.default_rng(bench.fields["seed"]).permutation(len(steps.k))
    rows = bench.source("i", bench.streams["i"].encode(index=order, key=steps.k[order], value=steps.v[order]))
    keys, values = WriteLog(bench.dut, "keys"), WriteLog(bench.dut, "values")
    bench.quiet_in_reset = {"i"}
    await bench.run([bench.permission("may_write", "keys")], always=[keys, values])
    if in_reset := [write for log in (keys, values) for write in log.writes if write[0] <= 0]:
        bench.fail(f"{len(in_reset)} words are written in a reset")

    n_lanes, fold, d_head = steps.dims.n_lanes, steps.dims.fold, steps.spec.d_head
    stored_at = {int(index): cycle for index, cycle in zip(order, rows.transferred_at, strict=False)}
    # A case may be broken off in the middle of a row.
    begun = {int(index) for index in order[rows.count : len(rows.offered_at)]}
    content: dict[tuple[str, int], int] = {}
    for cycle, addr, enable, data in keys.writes:
        for lane in range(n_lanes):
            if enable >> lane & 1:
                index = addr * n_lanes + lane
                content["key", index] = data >> lane * d_head & ((1 << d_head) - 1)
                if cycle != stored_at.get(index):
                    bench.fail(
                        f"key {index} is written in cycle {cycle}, not in its transfer's, {stored_at.get(index)}"
                    )
    for cycle, addr, _, data in values.writes:
        if addr // fold in begun:
            continue
        content["value", addr] = data
        if cycle > stored_at.get(addr // fold, -1):
            bench.fail(f"value slice {addr} is written in cycle {cycle}, after its transfer")
    lanes = (1 << d_head) - 1
    expected = {
        ("key", index): steps.key_rows()[index // n_lanes] >> index % n_lanes * d_head & lanes for index in stored_at
    }
    expected |= {("value", addr): word for addr, word in enumerate(steps.value_slices()) if addr // fold in stored_at}
    for place in sorted(expected.keys() | content.keys()):
        if expected.get(place) != content.get(place):
            bench.fail(f"{place[0]} {place[1]}: expected {expected.get(place)}, stored {content.get(place)}")
    return bench.timing()


@cocotb.test()
async def loader(dut) -> None:
    """Play the cases of this run."""
    await play_cases(dut, play)
