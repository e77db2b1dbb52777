"""The baseline's emitted Verilog on its bench: random and directed queries, stalls, cycles."""

import dataclasses

import numpy as np
import pytest

from hamming.golden.standard import StandardSpec, attend_standard
from hamming.golden.standard.bf16 import attend_bf16
from hamming.rtl.design import load_design
from hamming.rtl.standard.design import StandardDesign
from hamming.sim.simulate_standard import StandardTestbench, StandardVectors, random_standard_vectors, simulate_standard

# As many lanes as fill a row partly, two outputs a cycle, a table whose last entry is not 0, memories outside.
ODD = StandardDesign(
    spec=StandardSpec(d_head=3, d_value=6, n_keys=19, score_shift=9, weights=(97, 60, 41, 41, 9, 2), out_frac_bits=3),
    name="odd_standard",
    n_lanes=4,
    memory="external",
)
TINY = StandardDesign.like(load_design("tiny"))
BF16 = StandardDesign.like(load_design("tiny", ["engine.n_lanes=4", "spec.d_head=5", "spec.n_keys=11"]), element="bf16")
# More rows than partial sums, and outputs in several beats.
BF16_ROWS = StandardDesign.like(
    load_design("tiny", ["engine.n_lanes=2", "spec.d_head=3", "spec.d_value=12", "spec.n_keys=19"]), element="bf16"
)
INT4 = StandardDesign.like(load_design("tiny", ["engine.n_lanes=4", "spec.d_head=5", "spec.n_keys=11"]), element="int4")
# The best keys alone: the last weight is not 0, values are in slices and banks. And one of 4 bits.
SPARSE = StandardDesign(
    spec=StandardSpec(
        d_head=3, d_value=6, n_keys=19, score_shift=9, weights=(255, 60, 41, 41, 9, 2), out_frac_bits=3, top_k=5
    ),
    name="odd_sparse",
    n_lanes=4,
    n_macs=3,
    value_banks=2,
)
SPARSE_INT4 = StandardDesign.like(load_design("tiny", ["spec.d_head=5", "spec.n_keys=67"]), element="sparse_int4")
DESIGNS = {
    "tiny": TINY,
    "odd": ODD,
    "int4": INT4,
    "bf16": BF16,
    "bf16_rows": BF16_ROWS,
    "sparse": SPARSE,
    "sparse_int4": SPARSE_INT4,
}


@pytest.fixture(scope="module", params=sorted(DESIGNS))
def bench(request):
    return StandardTestbench(DESIGNS[request.param])


def check(results):
    assert [failure for result in results for failure in result.failures] == []


def test_random_queries(bench, rng):
    vectors = [random_standard_vectors(bench.design.spec, rng, n_heads=3, n_queries=20) for _ in range(2)]
    check(bench.run(vectors))
    check(bench.run(vectors, stall=0.5, seed=1))
    check(bench.run(vectors, stall={"o_out": 0.8}, seed=2))
    check(bench.run(vectors, stall={"i_query": 0.6}, seed=3))


def test_cycles_back_to_back(bench, rng):
    """Queries of all keys take `ceil(n_keys / n_lanes)` cycles each; short ones what division takes.

    Where keys are selected, both take the largest term, on average: a query's last kept key comes sooner or later.
    """
    design = bench.design
    full = random_standard_vectors(design.spec, rng, n_heads=1, n_queries=24, all_valid=True)
    short = dataclasses.replace(full, n_valid=np.full_like(full.n_valid, 1))
    results = bench.run([full, short])
    check(results)
    for result, n_valid in zip(results, (None, 1), strict=True):
        found, expected = result.arrays["cycles"][0, 4:], max(design.cycle_terms(n_valid).values())
        if design.selects:
            assert found.mean() == pytest.approx(expected, abs=design.spec.n_keys / len(found))
        else:
            assert set(found) == {expected}
    assert design.selects or max(design.cycle_terms().values()) == design.n_rows


def test_latency_of_a_lone_query(bench, rng):
    vectors = random_standard_vectors(bench.design.spec, rng, n_heads=5, n_queries=1, all_valid=True)
    [result] = bench.run([vectors])
    check([result])
    assert result.arrays["cycles"].max() <= bench.manifest["cycles"]["latency"]["cycles"]


def test_a_wrong_output_is_found(bench, rng, monkeypatch):
    vectors = random_standard_vectors(bench.design.spec, rng, n_heads=1, n_queries=3)

    def wrong(attend):
        def attend_wrongly(*arguments, **options):
            found = attend(*arguments, **options)
            found.out[0, 1, -1] ^= 1
            return found

        return attend_wrongly

    for attend in (attend_standard, attend_bf16):
        monkeypatch.setattr(f"hamming.sim.simulate_standard.{attend.__name__}", wrong(attend))
    [result] = bench.run([vectors])
    assert result.n_mismatches == 1
    assert "o_out: query 1" in result.failures[0]


def test_simulate(rng):
    spec = TINY.spec
    assert isinstance(spec, StandardSpec)
    vectors = random_standard_vectors(TINY.spec, rng, n_heads=1, n_queries=6)
    result = simulate_standard(TINY, vectors.q[0], vectors.k[0], vectors.v[0])
    assert result.passed
    assert np.array_equal(result.out, attend_standard(spec, vectors.q[0], vectors.k[0], vectors.v[0]).out)
    assert result.cycles_a_query == TINY.cycle_terms()["score"]
    assert result.cycles.shape == (6,)


def test_fewer_keys_than_the_engine_holds(rng):
    vectors = random_standard_vectors(TINY.spec, rng, n_heads=2, n_queries=4)
    result = simulate_standard(TINY, vectors.q, vectors.k[:, :5], vectors.v[:, :5], stall=0.3)
    assert result.passed
    assert result.cycles_a_query is None
    assert result.is_empty.shape == (2, 4)


def test_vectors_are_checked_before_anything_is_built():
    with pytest.raises(ValueError, match="q must be -128 to 127, not 200"):
        simulate_standard(TINY, [[200] * 8], np.zeros((2, 8), int), np.zeros((2, 8), int))


@pytest.mark.parametrize(("design", "low", "high"), [(TINY, -128, 127), (INT4, -8, 7)])
def test_extremes(design, low, high):
    """The largest sums: all keys alike, every weight the largest, every value an extreme."""
    spec = design.spec
    shape = (3, spec.n_keys, spec.d_value)
    v = np.broadcast_to(np.array([low, high, 0])[:, None, None], shape)
    q = np.full((3, 2, spec.d_head), low)
    k = np.broadcast_to(np.array([low, high, -1])[:, None, None], (3, spec.n_keys, spec.d_head))
    vectors = StandardVectors(q=q, k=k, v=v, n_valid=np.full((3, 2), spec.n_keys))
    [result] = StandardTestbench(design).run([vectors])
    check([result])
    assert result.arrays["out"][:, 0, 0].tolist() == [low * 256, high * 256, 0]
