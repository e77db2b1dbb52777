"""`attend_standard` against cases worked by hand, exact fractions in plain Python, and PyTorch's attention."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from hamming.golden.spec import AttentionSpec, exponential_table
from hamming.golden.standard import (
    StandardSpec,
    attend_standard,
    digits,
    logit_scale_of,
    quantize_inputs,
    score_bias,
)

#: Keys score 5, 5, 3 and -128 * 2 against the query (1, 2); the table drops nothing.
Q = np.array([[1, 2]])
K = np.array([[1, 2], [3, 1], [-1, 2], [0, -128]])
V = np.array([[10, -1], [-7, 2], [100, 0], [-128, 127]])
HAND = StandardSpec(d_head=2, d_value=2, n_keys=4, score_shift=0, weights=(12, 9, 5, 1, 0), out_frac_bits=2)


def spec_like(spec: StandardSpec, **change) -> StandardSpec:
    return StandardSpec.from_dict(spec.to_dict() | change)


def test_by_hand():
    found = attend_standard(HAND, Q, K, V)
    assert (found.level[0] - found.level[0].max()).tolist() == [0, 0, -2, -261]
    assert found.weight.tolist() == [[12, 12, 5, 0]]
    # 4 * (12*10 + 12*-7 + 5*100) / 29 = 4 * 536 / 29 = 73.93; 4 * (-12 + 24) / 29 = 1.66
    assert found.out.tolist() == [[74, 2]]
    assert found.is_empty.tolist() == [False]


def test_the_last_entry_is_of_all_that_is_farther_by_hand():
    found = attend_standard(spec_like(HAND, weights=[12, 9, 5]), Q, K, V)
    assert found.weight.tolist() == [[12, 12, 5, 5]]


def test_the_nearest_keys_are_kept_by_hand():
    # The two keys of score 5 come first, then that of 3. Of equals the lower index is kept.
    two, three = (attend_standard(spec_like(HAND, top_k=n), Q, K, V) for n in (1, 3))
    assert two.weight.tolist() == [[12, 0, 0, 0]]
    assert two.out.tolist() == [[40, -4]]
    assert three.weight.tolist() == [[12, 12, 5, 0]]
    # At the end of the table, 2 from the best, the keys of scores 3 and -256 are equal.
    ends = spec_like(HAND, weights=[12, 9, 5], top_k=3)
    assert attend_standard(ends, Q, K[[0, 1, 3, 2]], V).weight.tolist() == [[12, 12, 5, 0]]
    # A key that the query does not see is not kept, and leaves no gap.
    assert attend_standard(ends, Q, K, V, n_valid=1).weight.tolist() == [[12, 0, 0, 0]]


@pytest.mark.parametrize(("bits", "most"), [(8, 255), (4, 15)])
def test_kept_keys_against_sorting(bits, most, rng):
    weights = (most, 3 * most // 4, most // 2, most // 5, 1)
    shape = {"d_head": 4, "d_value": 3, "n_keys": 11}
    spec = StandardSpec(**shape, score_shift=3, weights=weights, element_bits=bits, top_k=4)
    half = 2 ** (bits - 1)
    q, k = (rng.integers(-half, half, (n, 4)) // (half // 4) for n in (40, 11))
    v = rng.integers(-half, half, (11, 3))
    n_valid = rng.integers(0, 12, 40)
    found = attend_standard(spec, q, k, v, n_valid=n_valid)
    for row, n in enumerate(n_valid.tolist()):
        levels = [(int(q[row] @ k[j]) + int(score_bias(spec, q[row]))) >> 3 for j in range(n)]
        kept = sorted((min(max(levels) - level, 4), j) for j, level in enumerate(levels))[:4]
        expected = np.zeros(11, int)
        for distance, j in kept:
            expected[j] = weights[distance]
        assert found.weight[row].tolist() == expected.tolist()
        for i in range(3):
            mean = Fraction(int(expected @ v[:, i]), max(1, int(expected.sum())))
            assert found.out[row, i] == math.floor(mean * 256 + Fraction(1, 2))


def test_one_key_and_none_by_hand():
    found = attend_standard(HAND, Q.repeat(2, axis=0), K, V, n_valid=np.array([1, 0]))
    assert found.out.tolist() == [[40, -4], [0, 0]]
    assert found.is_empty.tolist() == [False, True]
    assert found.weight.tolist() == [[12, 0, 0, 0], [0, 0, 0, 0]]


def test_halves_go_up_by_hand():
    spec = StandardSpec(d_head=1, d_value=4, n_keys=2, score_shift=0, weights=(1, 0), out_frac_bits=0)
    v = [[0, 0, 1, -1], [1, -1, 2, -2]]
    # 0.5 to 1, -0.5 to 0, 1.5 to 2, -1.5 to -1.
    assert attend_standard(spec, [[1]], [[5], [5]], v).out.tolist() == [[1, 0, 2, -1]]


def test_bias_by_hand():
    # 3 is -1 + 4: its negative digit stands for 1. -86 is 2 + 2*4 + 2*16 - 2*64: for 128. The rows of 4 digits of
    # 2 elements hold 2 * 511 * 85 = 86,870 at most, 17 bits.
    assert digits(np.array([3, -86])).tolist() == [[-1, 1, 0, 0], [2, 2, 2, -2]]
    assert score_bias(HAND, [3, -86]) == 128 * (3 - 86) + 255 * (1 + 128) + 2**17 - 1 - 86870
    # Of 4 bits: -6 is 2 - 2*4, for 8. The rows of 2 digits of 2 elements hold 2 * 31 * 5 = 310 at most, 9 bits.
    assert digits(np.array([3, -6]), 2).tolist() == [[-1, 1], [2, -2]]
    four = spec_like(HAND, weights=[10, 1], element_bits=4)
    assert score_bias(four, [3, -6]) == 8 * (3 - 6) + 15 * (1 + 8) + 2**9 - 1 - 310


@pytest.mark.parametrize(("bits", "most"), [(8, 170), (4, 10)])
def test_digits_of_all_elements_and_weights(bits, most):
    n, half = bits // 2, 2 ** (bits - 1)
    x = np.arange(-half, most + 1)
    found = digits(x, n)
    assert np.array_equal(found @ 4 ** np.arange(n), x)
    assert set(found[:, :-1].ravel()) == {-1, 0, 1, 2}
    assert set(found[: 2 * half, -1]) == {-2, -1, 0, 1, 2}
    assert found[half:, -1].min() == 0
    assert digits(most, n).tolist() == n * [2]
    assert spec_like(HAND, weights=[1], element_bits=bits).weight_max == most


@pytest.mark.parametrize(
    ("bits", "elements"),
    [(8, [-128, -127, -86, -43, -22, -1, 0, 85, 106, 127]), (4, list(range(-8, 8)))],
)
def test_biased_scores_fit_their_bits(bits, elements):
    """Of any query and key: partial products are 0 at least, and all ones at most."""
    rng = np.random.default_rng(0)
    spec = StandardSpec(d_head=3, d_value=1, n_keys=1, score_shift=0, weights=(1,), element_bits=bits)
    q = rng.choice(elements, (4000, 3))
    for extreme in (min(elements), max(elements)):
        score = extreme * q.sum(axis=-1) + score_bias(spec, q)
        assert 0 <= score.min() <= score.max() < 2**spec.score_bits


@pytest.mark.parametrize(("bits", "shift"), [(8, 0), (8, 5), (4, 0), (4, 2)])
def test_exact_fractions(bits, shift):
    rng = np.random.default_rng(shift)
    weights = {8: (170, 120, 77, 31, 2), 4: (10, 7, 5, 2, 1)}[bits]
    shape = {"d_head": 5, "d_value": 3, "n_keys": 9}
    spec = StandardSpec(**shape, score_shift=shift, weights=weights, out_frac_bits=6, element_bits=bits)
    half, offset, complement, score_bits, ones = {8: (128, 128, 255, 18, 511 * 85), 4: (8, 8, 15, 10, 31 * 5)}[bits]
    q, k = (rng.integers(-half, half, (n, 5)) // (half // 5) for n in (6, 9))
    v = rng.integers(-half, half, (9, 3))
    found = attend_standard(spec, q, k, v, n_valid=np.array([9, 7, 3, 2, 1, 0]))
    for row, n in enumerate([9, 7, 3, 2, 1]):
        negative = [sum(-d * 4**i for i, d in enumerate(digits(x, bits // 2).tolist()) if d < 0) for x in q[row]]
        bias = offset * sum(map(int, q[row])) + complement * sum(negative) + 2**score_bits - 1 - 5 * ones
        levels = [(sum(int(a) * int(b) for a, b in zip(q[row], k[j], strict=True)) + bias) >> shift for j in range(n)]
        weights = [spec.weights[min(max(levels) - level, 4)] for level in levels]
        for i in range(3):
            mean = Fraction(sum(w * int(x) for w, x in zip(weights, v[:, i], strict=False)), sum(weights))
            assert found.out[row, i] == math.floor(mean * 64 + Fraction(1, 2))


def test_pytorch(rng):
    """Within what table, weights and rounding cost: PyTorch's attention of the same integers' logits."""
    d, n = 32, 64
    inputs = quantize_inputs(*(rng.normal(size=(n, d)) for _ in range(3)))
    scale = float(inputs.logit_scale)
    spec = StandardSpec.from_logit_scale(d_head=d, d_value=d, n_keys=n, logit_scale=scale)
    found = attend_standard(spec, inputs.q, inputs.k, inputs.v).out / 256
    q, k, v = (torch.tensor(x[None], dtype=torch.float64) for x in (inputs.q, inputs.k, inputs.v))
    ideal = torch.nn.functional.scaled_dot_product_attention(q, k, v, scale=scale)[0].numpy()
    # A level is a step of at most 1/8 off its place, so a weight is 13 % off, or half a unit of 170; the mean of values
    # of up to 127 then is off by less than 13 % of their spread. On average it is far less.
    assert np.abs(found - ideal).max() < 0.13 * 255
    cosine = (found * ideal).sum(-1) / np.linalg.norm(found, axis=-1) / np.linalg.norm(ideal, axis=-1)
    assert cosine.min() > 0.995
    assert cosine.mean() > 0.999


def test_quantized_inputs_are_clipped_where_asked():
    """One in nine is 3, the others 0: a root mean square of 1, of which 2.5 become 7."""
    x = np.array([[3.0, *[0.0] * 8]])
    inputs = quantize_inputs(x, x / 3, [[1.0]], element_bits=4, clip=2.5)
    assert inputs.q.tolist() == inputs.k.tolist() == [[7, *[0] * 8]]
    assert inputs.v.tolist() == [[7]]
    assert inputs.logit_scale == pytest.approx((2.5 / 7) * (2.5 / 21) / 3)
    assert quantize_inputs(x, x, [[1.0]], element_bits=4).logit_scale == pytest.approx((3 / 7) ** 2 / 3)


def test_quantized_inputs_reach_their_extremes(rng):
    q, k, v = (rng.normal(size=(2, 7, 4)) for _ in range(3))
    inputs = quantize_inputs(q, k, v)
    assert np.abs(inputs.q).max(axis=(1, 2)).tolist() == np.abs(inputs.k).max(axis=(1, 2)).tolist() == [127, 127]
    scores = inputs.q.astype(float) @ inputs.k.astype(float).swapaxes(-1, -2) * inputs.logit_scale[:, None, None]
    assert np.allclose(scores, q @ k.swapaxes(-1, -2) / 2, atol=0.15)


def test_from_logit_scale():
    spec = StandardSpec.from_logit_scale(d_head=64, d_value=1, n_keys=1, logit_scale=0.125 * (4 / 127) ** 2)
    # 2**9 units are a step of 0.0635 logits, 2**10 one of 0.127, which is too wide.
    assert spec.score_shift == 9
    assert spec.weights[:3] == (170, round(170 * math.exp(-0.063492)), round(170 * math.exp(-2 * 0.063492)))
    assert spec.weights[-1] == 0 < spec.weights[-2]
    # Where keys are selected a step may be twice as wide, and weights have all of their bits.
    few = StandardSpec.from_logit_scale(d_head=64, d_value=1, n_keys=9, logit_scale=0.125 * (4 / 127) ** 2, top_k=3)
    assert (few.score_shift, few.top_k, few.weights[:2]) == (10, 3, (255, round(255 * math.exp(-0.126984))))
    # No scale at all: all keys weigh the same, and all but a bit of the score is dropped.
    flat = StandardSpec.from_logit_scale(d_head=64, d_value=1, n_keys=1, logit_scale=0)
    assert (flat.weights, flat.level_bits) == ((170, 170), 1)


@pytest.mark.parametrize("scale", [0.02, 0.125, 1.0])
def test_logit_scale_is_read_from_a_binary_table(scale):
    assert logit_scale_of(exponential_table(64, scale)) == pytest.approx(scale, rel=0.001)


def test_like():
    binary = AttentionSpec.from_logit_scale(d_head=64, d_value=8, n_keys=9, top_k=3, logit_scale=0.125, out_frac_bits=5)
    spec = StandardSpec.like(binary)
    assert (spec.d_head, spec.d_value, spec.n_keys, spec.out_frac_bits) == (64, 8, 9, 5)
    assert (spec.score_shift, spec.top_k) == (9, None)
    assert StandardSpec.like(binary, selects=True).top_k == 3
    assert logit_scale_of((4095, *binary.tables[0][1:])) == pytest.approx(0.125, rel=0.001)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"weights": [0]}, ValueError, r"weights\[0\], the weight of the best key, must be positive, not 0"),
        ({"weights": [171]}, ValueError, r"weights\[0\] must be 0 to 170, not 171"),
        ({"weights": [1, 2]}, ValueError, r"weights must never rise, but weights\[1\] = 2 is above weights\[0\] = 1"),
        ({"weights": []}, ValueError, "weights must have 1 to 256 entries, not 0"),
        ({"weights": "170"}, TypeError, "weights must be a list of integers, not '170'"),
        ({"score_shift": 17}, ValueError, "score_shift must be 0 to 16"),
        ({"d_head": 0}, ValueError, "d_head must be 1 to 65536, not 0"),
        ({"element_bits": 6}, ValueError, "element_bits must be 8 or 4, not 6"),
        ({"top_k": 0}, ValueError, r"top_k must be 1 to 4 \(n_keys\), not 0"),
        ({"top_k": 5}, ValueError, r"top_k must be 1 to 4 \(n_keys\), not 5"),
        ({"top_k": 2, "weights": [9]}, ValueError, "weights must have 2 to 256 entries, not 1"),
        ({"top_k": 2, "weights": [256, 1]}, ValueError, r"weights\[0\] must be 0 to 255, not 256"),
        ({"element": 8}, ValueError, "unknown spec key 'element'; known: d_head"),
    ],
)
def test_wrong_specs(change, error, message):
    with pytest.raises(error, match=message):
        spec_like(HAND, **change)


def test_wrong_arguments():
    with pytest.raises(ValueError, match="q must be -128 to 127, not 128"):
        attend_standard(HAND, [[128, 0]], K, V)
    with pytest.raises(ValueError, match="k must have at most n_keys = 4 keys, not 5"):
        attend_standard(HAND, Q, K[[0, 0, 0, 0, 0]], V)
    with pytest.raises(ValueError, match="v must have a vector for each of the 4 keys, not 3"):
        attend_standard(HAND, Q, K, V[:3])
    with pytest.raises(TypeError, match="q must be integers, not float64"):
        attend_standard(HAND, Q * 1.0, K, V)
    with pytest.raises(ValueError, match="n_valid must be 0 to 4, not 5 to 5"):
        attend_standard(HAND, Q, K, V, n_valid=5)
    with pytest.raises(ValueError, match="q must be finite, not inf"):
        quantize_inputs([[np.inf]], [[1.0]], [[1.0]])
