"""Inputs that once hung an engine, changed other keys, or gave an answer that hangs on a memory's collisions."""

from pathlib import Path

import numpy as np
import pytest

from hamming.golden.attention import attend
from hamming.rtl.design import Design, load_design
from hamming.rtl.engine import Engine
from hamming.rtl.manifest import manifest
from hamming.rtl.verilog import emit
from hamming.sim.stimulus import Vectors
from hamming.sim.testbench import Case, Testbench


def play(design: Design, vectors: Vectors, index, *, n_needed: int, n_valid) -> list[str]:
    """Write the rows `index` of `vectors`, ask its queries of which golden sees `n_valid`; return what was wrong."""
    engine = Engine(design.spec, design.config)
    verilog = emit(engine, design.config.name)
    index = np.asarray(index)
    n_keys = design.spec.n_keys
    inside = np.minimum(index, n_keys - 1)  # of a row beyond the last, any key and value will do
    expected = attend(design.spec, vectors.q[0], vectors.k[0], vectors.v[0], n_valid=n_valid)
    arrays = {
        "query": vectors.q[0],
        "n_valid": vectors.n_valid[0],
        "row_index": index,
        "row_key": vectors.k[0][inside] ^ (index >= n_keys)[:, None],
        "row_value": np.where((index >= n_keys)[:, None], ~vectors.v[0][inside], vectors.v[0][inside]),
        "out": expected.out,
    }
    fields = {"n_needed": n_needed, "watchdog": 500, "seed": 1}
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent)
        [result] = Testbench(verilog, manifest(engine, verilog), "bench_breaks").run(
            [Case(fields=fields, arrays=arrays)]
        )
    return result.failures


def vectors(design: Design, rng: np.random.Generator, n_queries: int, n_valid: int) -> Vectors:
    spec = design.spec
    high = 1 << (spec.value_bits - 1)
    return Vectors(
        q=rng.integers(0, 2, (1, n_queries, spec.d_head), np.uint8),
        k=rng.integers(0, 2, (1, spec.n_keys, spec.d_head), np.uint8),
        v=rng.integers(-high, high, (1, spec.n_keys, spec.d_value)),
        n_valid=np.full((1, n_queries), n_valid),
    )


def design(*overrides: str) -> Design:
    return load_design("tiny", ["engine.expose_index=false", *overrides])


def test_n_valid_above_n_keys_is_n_keys(rng):
    tiny = design()
    n_keys = tiny.spec.n_keys
    some = vectors(tiny, rng, 6, n_keys + 1)
    some.n_valid[0, 1::2] = [n_keys, 31, 1]
    seen = np.minimum(some.n_valid[0], n_keys)
    assert play(tiny, some, range(n_keys), n_needed=n_keys, n_valid=seen) == []


@pytest.mark.parametrize(("n_keys", "index"), [(5, 7), (38, 63)])
def test_row_beyond_the_last_changes_no_other(n_keys, index, rng):
    few = design(f"spec.n_keys={n_keys}", "spec.top_k=5")
    some = vectors(few, rng, 8, n_keys)
    rows = [*range(n_keys), index, *range(n_keys, index), index]
    assert play(few, some, rows, n_needed=len(rows), n_valid=n_keys) == []


@pytest.mark.parametrize("memory", ["external", "internal"])
def test_row_may_be_appended_beside_keys_that_are_read(memory, rng):
    """Row 3 shares its word of the key memory with the three keys that every query sees."""
    lanes = design("engine.n_lanes=4", f"engine.memory={memory}")
    some = vectors(lanes, rng, 40, 3)
    assert play(lanes, some, [0, 1, 2, *[3] * 80], n_needed=3, n_valid=3) == []
