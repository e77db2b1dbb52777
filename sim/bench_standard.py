"""Bench of the baseline: rows and queries in; outputs against its golden model."""

from __future__ import annotations

import cocotb
import numpy as np
from numpy.typing import NDArray

from hamming.sim.bench import Bench, play_cases
from hamming.sim.bench_engine import cycles
from hamming.sim.engine_beats import out_beats, row_schedule
from hamming.sim.streams import Gate


async def play(bench: Bench) -> dict[str, NDArray]:
    """Run one case: heads one after the other, each with its own keys and values.

    Arrays of the case: `q` (n_heads, n_queries, d_head), `k`, `v`, `n_valid` (n_heads, n_queries), `expected_out`,
    `expected_is_empty`. A head's queries wait for all of its rows: the baseline lets a memory be read and written at
    once.

    Arrays of the result: `out`, `is_empty`, and `cycles` as of `sim.bench_engine`.
    """
    q, k, v, n_valid = (bench.arrays[name] for name in ("q", "k", "v", "n_valid"))
    out_expected, is_empty = (bench.arrays[f"expected_{name}"] for name in ("out", "is_empty"))
    n_heads, n_keys = k.shape[:2]
    n_queries = n_valid.shape[1]
    rng = np.random.default_rng(bench.fields["seed"])

    out, board = bench.sink(
        "o_out", out_beats(bench.streams["o_out"], out_expected, is_empty), packet="query", counts=True
    )
    # A head's rows overwrite those of the head before, once all its queries are through.
    order, n_needed = row_schedule(n_valid, n_keys, append=False, rng=rng)
    head, index = np.repeat(np.arange(n_heads), n_keys), order.ravel()
    rows = bench.source(
        "i_row",
        bench.streams["i_row"].encode(index=index, key=k[head, index], value=v[head, index]),
        [Gate(out, (head * n_queries).tolist())],
    )
    queries = bench.source(
        "i_query",
        bench.streams["i_query"].encode(query=q.reshape(-1, q.shape[-1]), n_valid=n_valid.ravel()),
        [Gate(rows, n_needed.ravel().tolist())],
    )
    await bench.run()

    got = bench.streams["o_out"].decode(board.payloads)
    arrays = {"cycles": cycles(queries, out, 1), "value": got["value"], "is_empty": got["is_empty"]}
    shapes = {
        "cycles": n_valid.shape,
        "value": out_expected.shape,
        "is_empty": (*n_valid.shape, out_expected.shape[-1] // got["value"].shape[1]),
    }
    filled = {name: np.resize(array, shapes[name]) for name, array in arrays.items() if array.size}
    return {
        "out": filled.get("value", np.zeros(shapes["value"], np.int64)),
        "is_empty": filled.get("is_empty", np.zeros(shapes["is_empty"], np.int64))[..., 0].astype(bool),
        "cycles": filled.get("cycles", np.zeros(shapes["cycles"], np.int64)),
    }


@cocotb.test()
async def standard(dut) -> None:
    """Play the cases of this run."""
    await play_cases(dut, play)
