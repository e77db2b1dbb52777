"""Sums in parts: the normaliser that puts them together, and digits and columns of products."""
# amaranth: UnusedElaboratable=no

from __future__ import annotations

import numpy as np
import pytest

from golden.spec import AttentionSpec
from golden.weighted_sum import normalize
from rtl.config import Dimensions, EngineConfig
from rtl.digits import largest_negated
from rtl.parts_normalizer import PartsNormalizer
from tests.rtl.harness import run


def dimensions(*, engine: dict, **spec) -> Dimensions:
    fields = {"d_head": 5, "d_value": 4, "n_keys": 11, "top_k": 4, "logit_scale": 0.2} | spec
    return EngineConfig(**engine).dimensions(AttentionSpec.from_logit_scale(**fields))


@pytest.mark.parametrize("quotient_bits", [1, 3, None, 64])
@pytest.mark.parametrize(
    ("value_bits", "weight_bits", "out_frac_bits"),
    [(2, 1, 0), (8, 12, 8), (5, 3, 1), (16, 12, 0), (3, 9, 11), (4, 32, 2)],
)
def test_parts_normalizer_rounds_exactly(
    value_bits: int, weight_bits: int, out_frac_bits: int, quotient_bits: int | None, rng: np.random.Generator
) -> None:
    dims = dimensions(
        value_bits=value_bits,
        weight_bits=weight_bits,
        out_frac_bits=out_frac_bits,
        d_value=2,
        engine={"quotient_bits": quotient_bits},
    )
    spec = dims.spec
    low, high = -(2 ** (value_bits - 1)), 2 ** (value_bits - 1) - 1
    most = spec.top_k * (2**weight_bits - 1)
    weight_sum = rng.integers(1, most + 1, 60)
    weight_sum[1:5] = [1, 2, most, max(1, most - 1)]
    acc = rng.integers(low * weight_sum[:, None], high * weight_sum[:, None] + 1, (60, 2))
    acc[1:4] = np.array([low, high]) * weight_sum[1:4, None]
    acc[4] = [-weight_sum[4] // 2, -(-weight_sum[4] // 2)]
    # Every fifth slice is empty, the others come in parts.
    acc[::5], weight_sum[::5] = 0, 1
    slices = []
    for n, (a, w) in enumerate(zip(acc, weight_sum, strict=True)):
        fields = {"acc": [0, 0], "negated": 0, "low": 1, "offset": 0, "offset_carry": 0, "is_empty": 1, "last": n % 2}
        if n % 5:
            negated = int(rng.integers(0, spec.top_k * largest_negated(weight_bits) + 1))
            carry = rng.integers(0, 2 ** len(dims.kept_carries), 2)
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
    dut = PartsNormalizer(dims)
    stall = 0.0 if quotient_bits == 1 else 0.4
    beats = run(dut, {"i": slices}, {"o": 60}, stall=stall)
    out = [[beat.value[0], beat.value[1]] for beat in beats.payloads["o"]]
    assert out == normalize(spec, acc, weight_sum).tolist()
    assert [(beat.is_empty, beat.last) for beat in beats.payloads["o"]] == [(n % 5 == 0, n % 2) for n in range(60)]
    if not stall:
        assert {o - i for i, o in zip(beats.cycles["i"], beats.cycles["o"], strict=True)} == {dut.latency}
