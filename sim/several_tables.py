"""The softmax's bench where there are several tables, of which a query names one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hamming.golden.spec import AttentionSpec
from hamming.sim.bench import Bench
from hamming.sim.bench_engine import table_beats
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
        tables = np.stack([_table(spec, product, rng, falls=not is_odd) for _ in range(spec.n_tables)])
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


def _table(spec: AttentionSpec, product: str, rng: np.random.Generator, *, falls: bool) -> NDArray[np.int64]:
    """Return a random softmax table, or one that is none in a single place, and often by 1 alone."""
    exponents = product == "shift"
    most = spec.weight_bits if exponents else (1 << spec.weight_bits) - 1
    table = np.sort(rng.integers(0, most + 1, spec.d_head + 1))[::-1].copy()  # exponents plus 1, where those
    table[0] = max(1, table[0])
    if not falls:
        rising = [t for t in range(1, len(table)) if table[t - 1] < most]
        if rising and rng.integers(4):
            place = int(rng.choice(rising))
            table[place] = table[place - 1] + 1 if rng.integers(2) else most
        else:
            table[:] = 0
    return np.where(table, 1 << np.maximum(table - 1, 0), 0) if exponents else table
