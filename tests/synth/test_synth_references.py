# amaranth: UnusedElaboratable=no
# Amaranth describes hardware with attributes that exist at run time alone.
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

import numpy as np
import pytest
from amaranth.sim import Simulator

from hamming.golden.spec import AttentionSpec
from hamming.rtl.config import EngineConfig
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.popcount import XnorPopcount
from hamming.rtl.verilog import emit
from hamming.synth.library.libraries import Library
from hamming.synth.mapping.area import synthesize
from hamming.synth.studies.references import RECIPE_ABC, REFERENCES, areas
from hamming.synth.studies.softmax_normalizer import SoftmaxNormalizer


@pytest.mark.parametrize("name", ["popcount 64", "popcount 128", "top 8 of 64", "top 16 of 64", "softmax 64"])
def test_osu018_aims_are_met(osu018: Library, name: str):
    [reference] = [reference for reference in REFERENCES if reference.name == name]
    by_recipe, _, ours = areas(reference, osu018)
    assert ours <= reference.aim
    assert ours < by_recipe


def test_the_popcounts_adders_are_the_fewest(osu018: Library):
    # 64 matches need 64 - 1 full adders, less one for each half adder: 57, and 6 (7 for 128: 127 - 7).
    for d_head, n_adders in ((64, 57), (128, 120)):
        verilog = emit(XnorPopcount(d_head=d_head), "popcount")
        report = synthesize(verilog, top="popcount", library=osu018, abc_commands=RECIPE_ABC)
        assert report.total.cells_by_type["FAX1"] == n_adders


def test_the_softmax_unit_divides_by_the_sum_of_its_weights(rng: np.random.Generator):
    spec = AttentionSpec.from_logit_scale(d_head=8, d_value=4, n_keys=16, top_k=16, logit_scale=0.1)
    unit = SoftmaxNormalizer(Dimensions(spec, EngineConfig(n_lanes=4, n_dividers=1)))
    queries = []
    for n_beats in (1, 4, 2):
        deficits = rng.integers(0, spec.d_head + 1, (n_beats, unit.LANES))
        deficits[0, 0] = 0
        weights = np.array(spec.weights)[deficits]
        # The mean, by these weights, of offset values.
        values = rng.integers(0, 2**spec.value_bits, (spec.d_value, n_beats, unit.LANES))
        acc = (values * weights).sum((1, 2))
        exact = 2**spec.out_frac_bits * acc / weights.sum() - 2 ** (spec.value_bits - 1 + spec.out_frac_bits)
        queries.append((deficits, acc, np.floor(exact + 0.5).astype(int).tolist()))
    outputs = []

    async def bench(ctx):
        ctx.set(unit.o.ready, 1)
        for deficits, acc, _ in queries:
            for beat, deficit in enumerate(deficits):
                ctx.set(unit.i.payload, {"deficit": deficit.tolist(), "last": beat == len(deficits) - 1})
                ctx.set(unit.i.valid, 1)
                accepted = 0
                while not accepted:
                    *_, accepted = await ctx.tick().sample(unit.i.ready)
            ctx.set(unit.i.valid, 0)
            ctx.set(unit.acc, acc.tolist())
            outputs.append([])
            while len(outputs[-1]) < spec.d_value:
                *_, delivered, out = await ctx.tick().sample(unit.o.valid, unit.o.p.value)
                outputs[-1] += [out[0]] * delivered

    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run_until(1e-3)
    assert outputs == [expected for *_, expected in queries]
