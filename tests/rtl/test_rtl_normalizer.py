"""The normaliser: sums in parts become exactly rounded quotients."""
# amaranth: UnusedElaboratable=no

from __future__ import annotations

import numpy as np
import pytest

from hamming.golden.spec import AttentionSpec
from hamming.golden.weighted_sum import normalize
from hamming.rtl.config import EngineConfig
from hamming.rtl.digits import largest_negated
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.normalizer import Normalizer
from tests.rtl.harness import run


def dimensions(*, engine: dict, **spec) -> Dimensions:
    fields = {"d_head": 5, "d_value": 4, "n_keys": 11, "top_k": 4, "logit_scale": 0.2} | spec
    return Dimensions(AttentionSpec.from_logit_scale(**fields), EngineConfig(**engine))


@pytest.mark.parametrize(
    ("fabric", "product", "n_dividers"),
    [
        ("cells", "multiply", 1),
        ("cells", "multiply", 2),
        ("cells", "shift", 3),
        ("cells", "shift", 6),
        ("luts", "multiply", 2),
        ("luts", "dsp", 6),
    ],
)
@pytest.mark.parametrize(
    ("value_bits", "weight_bits", "out_frac_bits"),
    [(2, 1, 0), (8, 12, 8), (5, 3, 1), (16, 12, 0), (3, 9, 11), (4, 32, 2)],
)
def test_normalizer_rounds_exactly(
    value_bits: int,
    weight_bits: int,
    out_frac_bits: int,
    fabric: str,
    product: str,
    n_dividers: int,
    rng: np.random.Generator,
) -> None:
    dims = dimensions(
        value_bits=value_bits,
        weight_bits=weight_bits,
        out_frac_bits=out_frac_bits,
        d_value=6,
        weight_form="power_of_two" if product == "shift" else "exponential",
        engine={"fabric": fabric, "product": product, "n_dividers": n_dividers},
    )
    spec = dims.spec
    low, high = -(2 ** (value_bits - 1)), 2 ** (value_bits - 1) - 1
    most = spec.top_k * (2**weight_bits - 1)
    weight_sum = rng.integers(1, most + 1, 60)
    weight_sum[1:5] = [1, 2, most, max(1, most - 1)]
    acc = rng.integers(low * weight_sum[:, None], high * weight_sum[:, None] + 1, (60, 6))
    acc[1:4] = np.array([low, high] * 3) * weight_sum[1:4, None]
    acc[4] = [-weight_sum[4] // 2, -(-weight_sum[4] // 2)] * 3
    # Every fifth slice is empty, the others come in parts.
    acc[::5], weight_sum[::5] = 0, 1
    slices = []
    for n, (a, w) in enumerate(zip(acc, weight_sum, strict=True)):
        fields = {"acc": [0] * 6, "negated": 0, "low": 1, "offset": 0, "offset_carry": 0, "is_empty": 1, "last": n % 2}
        if n % 5:
            negated = int(rng.integers(0, spec.top_k * largest_negated(product, weight_bits) + 1))
            carry = rng.integers(0, 2 ** len(dims.kept_carries), 6)
            whole = a + 2 ** (value_bits - 1) * w + (2**value_bits - 1) * negated
            for i, column in enumerate(dims.kept_carries):
                whole -= (carry >> i & 1) << column
            fields |= {"acc": (whole % 2**spec.acc_bits).tolist(), "negated": negated, "is_empty": 0}
            offset, fields["low"] = divmod(int(w), 2 ** (out_frac_bits + 1))
            fields["offset_carry"] = int(rng.integers(0, 2)) * (offset > 0)
            fields["offset"] = offset + negated - fields["offset_carry"]
            if dims.kept_carries:
                fields["carry"] = carry.tolist()
        slices.append(fields)
    n_beats = 6 // n_dividers
    stall = 0.4 if n_dividers in (2, 3) else 0.0
    beats = run(Normalizer(dims), {"i": slices}, {"o": 60 * n_beats}, stall=stall)
    answers = beats.payloads["o"]
    out = np.array([[beat.value[n] for n in range(n_dividers)] for beat in answers]).reshape(60, 6)
    assert out.tolist() == normalize(spec, acc, weight_sum).tolist()
    assert [(beat.is_empty, beat.last) for beat in answers] == [
        (n // n_beats % 5 == 0, n // n_beats % 2 and n % n_beats == n_beats - 1) for n in range(60 * n_beats)
    ]
    if not stall:  # slices follow each other without a gap
        first = beats.cycles["i"][0] + dims.division_latency
        assert beats.cycles["o"] == list(range(first, first + 60 * n_beats))
