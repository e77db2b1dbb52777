"""Weights, integer sums, and the exactly rounded quotient."""

import math
from fractions import Fraction

import numpy as np
import pytest

from hamming.golden.softmax import weigh
from hamming.golden.spec import AttentionSpec
from hamming.golden.weighted_sum import divide_half_up, normalize, sum_type, weighted_sum


def spec_of(**change):
    fields = {"d_head": 2, "d_value": 3, "n_keys": 8, "top_k": 4, "weights": (15, 4, 1), "weight_bits": 4}
    return AttentionSpec(**fields | change)


def test_weights_and_padding():
    assert weigh(np.array([[0, 1, 2, 2], [0, -1, -1, -1]]), [(15, 4, 1)]).tolist() == [[15, 4, 1, 1], [15, 0, 0, 0]]


def exactly(numerators, denominator) -> list[int]:
    return [math.floor(Fraction(int(n), denominator) + Fraction(1, 2)) for n in numerators]


def test_all_small_quotients():
    numerators = np.arange(-300, 301)
    for denominator in range(1, 41):
        found = divide_half_up(numerators, np.array(denominator))
        assert found.tolist() == exactly(numerators, denominator)


def test_halves_go_up():
    # -2.5 to -2, -1.5 to -1, -0.5 to 0, 0.5 to 1, 1.5 to 2, 2.5 to 3
    found = divide_half_up(np.array([-5, -3, -1, 1, 3, 5]), np.array(2))
    assert found.tolist() == [-2, -1, 0, 1, 2, 3]


@pytest.mark.parametrize("denominator", [1, 2, 3, 4095, 2**20 + 7, 2**32 - 1, 2**40 + 1])
def test_quotients_at_the_widest(denominator):
    # At a half, and one step to either side of it, as large as 64 bits allow: the hardest quotients to round.
    largest = (2**63 - 1 - denominator) // 2
    halves = [denominator * step + denominator // 2 for step in (0, 1, 5, 1000, largest // denominator - 1)]
    numerators = [sign * half + off for half in halves for off in (-1, 0, 1) for sign in (-1, 1)] + [largest, -largest]
    assert divide_half_up(np.array(numerators), np.array(denominator)).tolist() == exactly(numerators, denominator)


@pytest.mark.parametrize("denominator", [1, 2, 3, 4095, 2**20 + 7, 2**32 - 1, 2**40 + 1, 2**50 + 1, 2**51 - 1])
def test_quotients_at_the_widest_of_floats(denominator):
    largest = (2**52 - 1 - denominator) // 2  # of 53 bits, signed
    steps = {0, 1, 5, 1000, largest // denominator // 2, largest // denominator - 1} - {-1}
    halves = [denominator * step + denominator // 2 for step in steps]
    numerators = [sign * (half + off) for half in halves for off in (-1, 0, 1) for sign in (-1, 1)]
    numerators = [n for n in [*numerators, largest, -largest] if abs(n) <= largest]
    found = divide_half_up(np.array(numerators), np.array(denominator), n_bits=53)
    assert found.tolist() == exactly(numerators, denominator)


@pytest.mark.parametrize("out_frac_bits", [25, 26])
def test_outputs_on_both_sides_of_what_floats_hold(out_frac_bits, rng):
    spec = spec_of(out_frac_bits=out_frac_bits, value_bits=16, weights=(255, 4, 1), weight_bits=8)
    assert (spec.numerator_bits <= 53) == (out_frac_bits == 25)
    weight_sum = rng.integers(1, 4 * 255 + 1, 400)
    acc = rng.integers(-(2**15) * weight_sum[:, None], (2**15 - 1) * weight_sum[:, None] + 1, (400, 3))
    found = normalize(spec, acc, weight_sum)
    for row, whole, divisor in zip(found, acc, weight_sum, strict=True):
        assert row.tolist() == exactly(whole << out_frac_bits, int(divisor))


def test_normalize_by_hand():
    spec = spec_of(out_frac_bits=1)
    # 2 * 7 / 4 = 3.5 to 4; 2 * -7 / 4 = -3.5 to -3; 2 * -9 / 4 = -4.5 to -4
    assert normalize(spec, np.array([[7, -7, -9]]), np.array([4])).tolist() == [[4, -3, -4]]


def test_empty_query_is_zero():
    assert normalize(spec_of(), np.zeros((1, 3), int), np.array([0])).tolist() == [[0, 0, 0]]


def test_sums_by_hand():
    v = np.array([[1, -2, 3], [10, 20, -30], [-128, 127, 0]], np.int8)
    acc, weight_sum = weighted_sum(spec_of(), np.array([[15, 4, 0, 0]]), np.array([[2, 0, -1, -1]]), v)
    # 15 * -128 + 4 * 1, 15 * 127 + 4 * -2, 4 * 3
    assert acc.tolist() == [[-1916, 1897, 12]]
    assert weight_sum.tolist() == [19]


@pytest.mark.parametrize(
    ("top_k", "weight", "value_bits", "expected"),
    [
        # top_k * weights[0] * 2**(value_bits - 1): at 2**24, just beyond, at 2**53, just beyond
        (2**12, 2**5, 8, np.float32),
        (2**12, 2**5 + 1, 8, np.float64),
        (2**12, 2**26, 16, np.float64),
        (2**12, 2**26 + 1, 16, np.int64),
    ],
)
def test_type_holds_every_sum(top_k, weight, value_bits, expected):
    table = {"weights": (weight, 1, 0), "weight_bits": 27}
    assert sum_type(spec_of(n_keys=2**17, top_k=top_k, value_bits=value_bits, out_frac_bits=0, **table)) is expected


@pytest.mark.parametrize(
    "change",
    [
        {"value_bits": 8, "weights": (2**15 - 1, 1, 0), "weight_bits": 15},
        {"value_bits": 9, "weights": (2**15 - 1, 1, 0), "weight_bits": 15},
        {"value_bits": 16, "weights": (2**32 - 1, 1, 0), "weight_bits": 32},
        {"value_bits": 16, "weights": (2**32 - 1, 1, 0), "weight_bits": 32, "n_keys": 700, "top_k": 700},
    ],
)
@pytest.mark.parametrize("sign", [-1, 1])
def test_extreme_sums_are_exact(change, sign):
    spec = spec_of(out_frac_bits=3, **change)
    v = np.full((spec.n_keys, 3), -(2 ** (spec.value_bits - 1)) if sign < 0 else 2 ** (spec.value_bits - 1) - 1)
    v[0] += 1 if sign < 0 else -1
    index = np.arange(spec.top_k)[None]
    weight = np.full((1, spec.top_k), spec.weights[0])
    weight[0, 0] = 1
    acc, weight_sum = weighted_sum(spec, weight, index, v)
    assert acc.tolist() == [[sum(int(w) * int(row[0]) for w, row in zip(weight[0], v, strict=False))] * 3]
    assert weight_sum.tolist() == [(spec.top_k - 1) * spec.tables[0][0] + 1]
    expected = math.floor(Fraction(2**spec.out_frac_bits * int(acc[0, 0]), int(weight_sum[0])) + Fraction(1, 2))
    assert normalize(spec, acc, weight_sum).tolist() == [[expected] * 3]
