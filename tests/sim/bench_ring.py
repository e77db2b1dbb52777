"""Bench of an engine that decodes through rings: each row is written over one that no query on its way sees."""

from __future__ import annotations

import cocotb
import numpy as np
from numpy.typing import NDArray

from hamming.sim.bench import Bench, play_cases
from hamming.sim.engine_beats import out_beats
from hamming.sim.streams import Gate


async def play(bench: Bench) -> dict[str, NDArray]:
    """Run one case: step after step, a row and then a query of one of several sequences, in turn.

    Arrays: `q`, `k`, `v`, `index` (where the row goes), `first`, `n_valid`, a row a step; `expected_out`. Field
    `n_sequences`: a row waits until the query of its own sequence before it is answered, and no longer.
    """
    arrays, n_sequences = bench.arrays, bench.fields["n_sequences"]
    step = np.arange(len(arrays["q"]))
    expected = out_beats(bench.streams["o_out"], arrays["expected_out"][None], np.zeros((1, len(step)), bool))
    out, board = bench.sink("o_out", expected, packet="query", counts=True)
    row = {"index": arrays["index"], "key": arrays["k"], "value": arrays["v"]}
    answered = np.maximum(0, step - n_sequences + 1)
    rows = bench.source("i_row", bench.encode("i_row", row), [Gate(out, answered.tolist())])
    query = {"query": arrays["q"], "first": arrays["first"], "n_valid": arrays["n_valid"]}
    bench.source("i_query", bench.encode("i_query", query), [Gate(rows, (step + 1).tolist())])
    await bench.run()
    value = bench.streams["o_out"].decode(board.payloads)["value"]
    return {"out": value.reshape(len(step), -1)}


@cocotb.test()
async def ring(dut) -> None:
    """Play the cases of this run."""
    await play_cases(dut, play)
