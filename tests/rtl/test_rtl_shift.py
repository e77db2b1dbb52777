"""Products by shifts: the component against the plain sum of products, engines against the golden model."""
# amaranth: UnusedElaboratable=no

from __future__ import annotations

import numpy as np
import pytest

from hamming.golden.spec import AttentionSpec
from hamming.rtl.config import EngineConfig
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.weighted_sum import WeightedSum
from tests.rtl.harness import RHYTHMS, run, whole_sums
from tests.rtl.test_rtl_engine import check

#: Widths at the ends of their ranges, and such that no step of a shift and no ripple is full.
WIDTHS = [
    # value_bits, weight_bits, top_k, d_value, n_macs
    (2, 1, 1, 2, 1),
    (2, 5, 7, 3, 3),
    (8, 12, 11, 4, 2),
    (5, 3, 4, 6, 6),
    (16, 32, 11, 2, 1),
]


@pytest.mark.parametrize(("pause", "stall"), RHYTHMS)
@pytest.mark.parametrize(("value_bits", "weight_bits", "top_k", "d_value", "n_macs"), WIDTHS)
def test_shift_sum(
    value_bits: int,
    weight_bits: int,
    top_k: int,
    d_value: int,
    n_macs: int,
    pause: float,
    stall: float,
    rng: np.random.Generator,
) -> None:
    spec = AttentionSpec.from_logit_scale(
        d_head=5,
        d_value=d_value,
        n_keys=11,
        top_k=top_k,
        logit_scale=0.2,
        value_bits=value_bits,
        weight_bits=weight_bits,
        out_frac_bits=0,
        weight_form="power_of_two",
    )
    dims = Dimensions(spec, EngineConfig(n_macs=n_macs, product="shift"))
    half = 1 << (value_bits - 1)
    stored = rng.integers(0, 2 * half, (spec.n_keys, dims.fold, n_macs))  # offset by `half`
    stored[:2] = np.array([0, 2 * half - 1])[:, None, None]
    sent, expected = [], []
    for number in range(30):
        n_kept = [0, 1, top_k][number] if number < 3 else int(rng.integers(0, top_k + 1))
        weights = [int(w) for w in (1 << rng.integers(0, weight_bits, n_kept)) * (rng.random(n_kept) < 0.8)]
        index = rng.integers(0, spec.n_keys, n_kept)
        if number in (1, 2):  # the largest sums
            weights, index = [1 << (weight_bits - 1)] * n_kept, np.full(n_kept, 1)
        for s in range(dims.fold):
            for place in range(max(1, n_kept)):
                beat = {
                    "index": int(index[place]) if n_kept else 3,
                    "weight": weights[place] if n_kept else 0,
                    "slice": s,
                    "is_empty": int(not n_kept),
                    "last": int(place == max(1, n_kept) - 1),
                }
                if dims.fold == 1:
                    del beat["slice"]
                sent.append(beat)
            rows = stored[index, s].astype(object)
            acc = [sum(w * row[n] for w, row in zip(weights, rows, strict=True)) for n in range(n_macs)]
            if not n_kept:
                acc = [0] * n_macs
            expected.append((acc, sum(weights) if n_kept else 1, not n_kept, s == dims.fold - 1))

    def read(address: int) -> int:
        return sum(int(v) << value_bits * n for n, v in enumerate(stored[address // dims.fold, address % dims.fold]))

    beats = run(
        WeightedSum(dims), {"i": sent}, {"o": len(expected)}, pause=pause, stall=stall, memories={"values": read}
    )
    got = [(*whole_sums(dims, beat), beat.is_empty, beat.last) for beat in beats.payloads["o"]]
    assert got == expected


SHAPES = [
    ({"d_head": 8, "d_value": 4, "n_keys": 12, "top_k": 4, "logit_scale": 0.3}, {"n_macs": 2}),
    ({"d_head": 5, "d_value": 6, "n_keys": 11, "top_k": 11, "logit_scale": 0.1}, {"n_lanes": 4, "mask": True}),
    ({"d_head": 1, "d_value": 1, "n_keys": 1, "top_k": 1, "logit_scale": 0.5}, {"table": "loadable"}),
    (
        {"d_head": 4, "d_value": 2, "n_keys": 16, "top_k": 5, "logit_scale": 1.5, "value_bits": 2, "weight_bits": 1},
        {"n_lanes": 8, "n_macs": 1, "table": "loadable", "mask": True, "selector": "insertion"},
    ),
]


@pytest.mark.parametrize("shape", range(len(SHAPES)))
def test_engine_with_shifts_equals_golden(shape: int, rng: np.random.Generator) -> None:
    spec_fields, engine_fields = SHAPES[shape]
    spec = AttentionSpec.from_logit_scale(**spec_fields, weight_form="power_of_two")
    config = EngineConfig(product="shift", **engine_fields)
    check(spec, config, rng)
    check(spec, config, rng, pause=0.3, stall=0.3)


@pytest.mark.parametrize("n_macs", [2, 4])
def test_shifts_cost_no_cycle(n_macs: int, rng: np.random.Generator) -> None:
    spec = AttentionSpec.from_logit_scale(
        d_head=8, d_value=4, n_keys=32, top_k=6, logit_scale=0.2, weight_form="power_of_two"
    )
    config = EngineConfig(product="shift", n_macs=n_macs, expose_index=False)
    dims = Dimensions(spec, config)
    reads = check(spec, config, rng, n_queries=21, n_valid=spec.n_keys).cycles["i_query"]
    assert reads[-1] - reads[0] == 20 * dims.bound()


def test_shifts_need_powers_of_two() -> None:
    fields = {"d_head": 3, "d_value": 2, "n_keys": 4, "top_k": 2, "weight_bits": 4}
    config = EngineConfig(product="shift")
    Dimensions(AttentionSpec(**fields, weights=(8, 8, 1, 0)), config)
    with pytest.raises(ValueError, match=r"^product 'shift' needs a table of powers of two .*, but weights\[1\] is 6$"):
        Dimensions(AttentionSpec(**fields, weights=(8, 6, 5, 0)), config)
    with pytest.raises(ValueError, match="product must be one of multiply, shift, dsp, not 'log'"):
        EngineConfig(product="log")
