"""Products by shifts in the emitted Verilog: the component on its bench, an engine on its own."""

import numpy as np
import pytest

from hamming.golden.spec import AttentionSpec
from hamming.rtl.config import EngineConfig
from hamming.rtl.design import Design, load_design
from hamming.rtl.weighted_sum import WeightedSum
from hamming.sim.component import case_of
from hamming.sim.engine_testbench import EngineTestbench, Traffic
from hamming.sim.stimulus import random_vectors
from hamming.sim.testbench import Testbench

# Weights of all kinds, among them equal ones, gaps and zeros; sizes that fit nothing.
ODD = Design(
    AttentionSpec(
        d_head=7,
        d_value=6,
        n_keys=13,
        top_k=5,
        weights=(64, 32, 32, 8, 2, 1, 0, 0),
        value_bits=5,
        weight_bits=7,
        out_frac_bits=3,
    ),
    EngineConfig(n_lanes=4, n_macs=2, n_dividers=1, mask=True, table="loadable", product="shift"),
)
# No fold, a flat table, everything kept.
PLAIN = Design(
    AttentionSpec(
        d_head=8, d_value=3, n_keys=6, top_k=6, weights=(1,) * 9, value_bits=4, weight_bits=1, out_frac_bits=0
    ),
    EngineConfig(selector="insertion", product="shift"),
)


@pytest.mark.parametrize("design", [ODD, PLAIN], ids=["odd", "plain"])
def test_shift_sum(design, rng):
    played = []
    for number, stall in enumerate([0.0, 0.5, 0.9, {"i": 0.8}]):
        vectors = random_vectors(design.spec, rng, n_heads=1, n_queries=40, has_mask=design.config.mask)
        played.append(case_of(design, vectors, stall=stall, seed=number))
    component = WeightedSum(design.dimensions)
    results = Testbench.of(component, "weighted_sum", "hamming.sim.bench_weighted_sum").run(played)
    assert [result.failures for result in results] == [[]] * len(played)
    assert results[1].coverage["stalled_i"]
    full_rate = results[0].arrays
    assert np.all(np.isin(full_rate["cycles_o"] - component.latency, full_rate["cycles_i"]))


def test_engine_with_shifts_at_full_rate(rng):
    """At full rate a query costs the cycles of the bound, as with multipliers; stalls change no bit."""
    design = load_design("tiny", ["spec.weight_form=power_of_two", "engine.product=shift"])
    assert max(design.dimensions.cycle_terms().values()) == design.dimensions.bound()
    testbench = EngineTestbench(design)
    vectors = random_vectors(design.spec, rng, n_heads=1, n_queries=60, has_mask=False, all_valid=True)
    full_rate, stalled = testbench.run([Traffic(vectors=vectors), Traffic(vectors=vectors, stall=0.5)])
    assert full_rate.failures == stalled.failures == []
    assert full_rate.arrays["cycles"][:, 1:].mean() <= 1.01 * design.dimensions.bound()
