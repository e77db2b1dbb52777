"""The softmax's bench where there are several tables, of which a query names one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hamming.sim.bench import Bench
from hamming.sim.engine_beats import table_beats
from hamming.sim.random_table import random_table
from hamming.sim.streams import Gate

__all__ = ["play_several"]


async def play_several(bench: Bench) -> dict[str, NDArray]:
    """Run one case of vectors (`sim.component`), all tables loaded first where they can be.

    With an odd seed, entries beyond a table, and of tables that do not exist, come between, and each table rises
    somewhere, or begins with 0.
    """
    steps = bench.steps()
    weighted = steps.weighted()
    gates = []
    errors = [False, False]
    if "i_weight" in bench.streams:
        spec, stream, product = steps.spec, bench.streams["i_weight"], steps.design.config.product
        rng, is_odd = np.random.default_rng(bench.fields["seed"]), bool(bench.fields["seed"] % 2)
        entries = table_beats(stream, spec, rng, product=product, beyond=is_odd)
        places = [int(rng.integers(spec.d_head + 1)) if is_odd else None for _ in range(spec.n_tables)]
        tables = np.stack([random_table(spec, product, rng, place) for place in places])
        number, index = np.divmod(rng.permutation(tables.size), tables.shape[1])
        entries += stream.encode(index=index, weight=tables[number, index], table=number)
        weight = tables[steps.table[steps.replayed_query()], steps.replayed()["deficit"]]
        weighted["weight"] = np.where(weighted["is_empty"], 0, weight)
        sent = stream.decode(entries)
        is_outside = (sent["index"] > spec.d_head) | (sent.get("table", 0) >= spec.n_tables)
        errors = [bool(np.any(is_outside)), is_odd]
        gates.append(Gate(bench.source("i_weight", entries), [len(entries)] * len(weighted["weight"])))
        bench.fields["drain"] = 2 * (spec.d_head + 8)  # the table is gone through beside the keys
    bench.source("i_table", bench.encode("i_table", steps.tables()))
    bench.source("i", bench.encode("i", steps.replayed()), gates)
    bench.sink("o", bench.encode("o", weighted), packet="pass", counts=True)
    await bench.run()
    if "i_weight" in bench.streams and bench.fields.get("last_cycle") is None:
        got = int(bench.dut.errors.value)
        if got != errors[0] + 2 * errors[1]:
            bench.fail(f"errors: expected {errors}, got {got:02b}, the first one lowest")
    return bench.timing()
