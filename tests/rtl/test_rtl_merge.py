"""Partial results: of an engine by itself, and merged, against golden."""
# amaranth: UnusedElaboratable=no

from __future__ import annotations

import numpy as np
import pytest

from hamming.golden.parts import Partial, agree, level_counts, merge, partial
from hamming.golden.spec import AttentionSpec
from hamming.rtl.config import EngineConfig
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.engine import Engine
from hamming.rtl.merge import Merge
from tests.rtl.chains import dimensions
from tests.rtl.harness import RHYTHMS, pack, run


@pytest.mark.parametrize("stall", [0.0, 0.5])
def test_partial_results(stall: float, rng: np.random.Generator) -> None:
    spec = AttentionSpec.from_logit_scale(d_head=5, d_value=4, n_keys=11, top_k=3, logit_scale=0.2)
    config = EngineConfig(output="partial", n_macs=2, expose_index=False)
    q, k = rng.integers(0, 2, (20, 5)), rng.integers(0, 2, (11, 5))
    v = rng.integers(-128, 128, (11, 4))
    n_valid = rng.integers(0, 12, 20)
    golden = partial(spec, q, k, v, n_valid=n_valid)
    inputs = {
        "i_row": [{"index": j, "key": pack(k[j]), "value": v[j].tolist()} for j in range(11)],
        "i_query": [{"query": pack(bits), "n_valid": int(s)} for bits, s in zip(q, n_valid, strict=True)],
    }
    n_dividers = Dimensions(spec, config).n_dividers
    n_beats = 4 // n_dividers
    beats = run(Engine(spec, config), inputs, {"o_partial": 20 * n_beats}, after={"i_query": "i_row"}, stall=stall)
    got = beats.payloads["o_partial"]
    weight_sum = np.array([beat.weight_sum for beat in got])
    acc = np.array([[beat.acc[d] for d in range(n_dividers)] for beat in got]) - (weight_sum << 7)[:, None]
    np.testing.assert_array_equal(acc.reshape(20, 4), golden.acc)
    np.testing.assert_array_equal(weight_sum[::n_beats], golden.weight_sum)
    assert [beat.max_level for beat in got[::n_beats]] == golden.max_level.tolist()
    assert [beat.is_empty for beat in got[::n_beats]] == (n_valid == 0).tolist()
    # Counts of the same keys agree with it.
    assert agree(spec, [level_counts(spec, q, k, n_valid=n_valid)])[0].max_level.tolist() == golden.max_level.tolist()


@pytest.mark.parametrize(("pause", "stall"), RHYTHMS)
@pytest.mark.parametrize(("value_bits", "out_frac_bits", "n_dividers"), [(8, 8, 1), (2, 0, 4), (16, 3, 2)])
def test_merge(
    value_bits: int, out_frac_bits: int, n_dividers: int, pause: float, stall: float, rng: np.random.Generator
) -> None:
    n_parts = 3
    dims = dimensions(
        3, {"n_dividers": n_dividers}, value_bits=value_bits, out_frac_bits=out_frac_bits, weight_bits=6, n_keys=27
    )
    spec, n = dims.spec, 30
    low, high = -(2 ** (value_bits - 1)), 2 ** (value_bits - 1) - 1
    weight_sum = rng.integers(0, spec.top_k * 63 // n_parts + 1, (n_parts, n))
    weight_sum[:, 0] = 0
    weight_sum[1:, 1] = 0
    acc = rng.integers(low * weight_sum[..., None], high * weight_sum[..., None] + 1)
    acc = np.broadcast_to(acc, (n_parts, n, 4)).copy()
    acc[:, 2], acc[:, 3] = low * weight_sum[:, 2, None], high * weight_sum[:, 3, None]
    parts = [Partial(acc=a, weight_sum=w, max_level=np.full(n, 3)) for a, w in zip(acc, weight_sum, strict=True)]
    golden = merge(spec, parts)

    n_beats = 4 // n_dividers
    offset = acc + (weight_sum << value_bits - 1)[..., None]
    inputs = {
        f"i_{p}": [
            {
                "acc": offset[p, i, b * n_dividers : (b + 1) * n_dividers].tolist(),
                "weight_sum": int(weight_sum[p, i]),
                "max_level": 3,
                "is_empty": int(weight_sum[p, i] == 0),
                "last": int(b == n_beats - 1),
            }
            for i in range(n)
            for b in range(n_beats)
        ]
        for p in range(n_parts)
    }
    beats = run(Merge(dims, n_parts), inputs, {"o": n * n_beats}, pause=pause, stall=stall).payloads["o"]
    out = np.array([[beat.value[d] for d in range(n_dividers)] for beat in beats]).reshape(n, 4)
    np.testing.assert_array_equal(out, golden.out)
    assert [beat.is_empty for beat in beats] == np.repeat(golden.is_empty, n_beats).tolist()
    assert [beat.last for beat in beats] == [int(b == n_beats - 1) for _ in range(n) for b in range(n_beats)]


def test_merge_needs_parts() -> None:
    with pytest.raises(ValueError, match="n_parts must be 2 or more, not 1"):
        Merge(dimensions(2), 1)
