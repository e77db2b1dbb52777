"""Bench of `RowRange`: queries in; their rows out, as the keys that they see say."""

from __future__ import annotations

from collections.abc import Callable

import cocotb
import numpy as np
from numpy.typing import NDArray

from hamming.sim.bench import Bench, play_cases
from hamming.sim.engine_beats import beyond_range
from hamming.sim.payloads import Stream
from hamming.sim.steps import Steps


async def play(bench: Bench) -> dict[str, NDArray]:
    """Run one case of vectors (`sim.component`); with an odd seed some of them are out of range (`asked`)."""
    steps = bench.steps()
    bench.quiet_in_reset = ["i"]
    queries = asked(bench, steps)
    bench.source("i", bench.encode("i", queries))
    stream = bench.streams["o"]
    bench.sink("o", bench.encode("o", steps.ranged()), packet="query", compare_as=of_account(stream), counts=True)
    await bench.run()
    if bench.fields.get("last_cycle") is None:
        n_keys = steps.spec.n_keys
        least = {"n_valid": n_keys + 1, "first": n_keys + 1, "base": n_keys}
        errors = [bool((queries[name] >= low).any()) for name, low in least.items() if name in queries]
        got = int(bench.dut.errors.value)
        if got != sum(is_set << bit for bit, is_set in enumerate(errors)):
            bench.fail(f"errors: expected {errors}, got {got:b}, the first one lowest")
    return bench.timing()


def asked(bench: Bench, steps: Steps) -> dict[str, NDArray]:
    """Return the queries, some of them out of range if the case's seed is odd; every other time in one way alone."""
    queries = steps.queries()
    seed = bench.fields["seed"]
    if seed % 2 == 0:
        return queries
    named = {name: getattr(steps, name) for name in ("n_valid", "first", "base", "table")}
    beyond = beyond_range(bench.streams["i"], steps.spec, named, np.random.default_rng(seed))
    ways = [name for name in queries if name in beyond]
    ways = ways if seed % 4 == 1 else [ways[seed // 4 % len(ways)]]
    return queries | {name: beyond[name].reshape(queries[name].shape) for name in ways}


def of_account(stream: Stream) -> Callable[[list[int]], list[int]]:
    """Return what clears the fields of a beat that are of no account: of sinks, or of a jump, where there are none."""

    def canonical(beats: list[int]) -> list[int]:
        fields = stream.decode(beats)
        if "jumps" in fields:
            fields["base"] = np.where(fields["sink_end"] > 0, fields["base"], 0)
            for name in {"sink_row", "n_before"} & fields.keys():
                fields[name] = np.where(fields["jumps"], fields[name], 0)
        return stream.encode(**fields)

    return canonical


@cocotb.test()
async def row_range(dut) -> None:
    """Play the cases of this run."""
    await play_cases(dut, play)
