"""The float reference against PyTorch, and the stated error bound between it and the integers."""

from functools import partial

import numpy as np
import pytest
import torch

from hamming.golden.attention import attend
from hamming.golden.ideal import dense_attention, error_bound, had_attention, softmax_attention
from hamming.golden.spec import AttentionSpec

SLACK = 1e-9  # float64's own rounding, of values up to 2**15


def inputs(rng, spec, n_queries, lead=()):
    q = rng.integers(0, 2, (*lead, n_queries, spec.d_head))
    k = rng.integers(0, 2, (*lead, spec.n_keys, spec.d_head))
    high = 2 ** (spec.value_bits - 1)
    return q, k, rng.integers(-high, high, (*lead, spec.n_keys, spec.d_value))


@pytest.mark.parametrize("logit_scale", [0.0, 0.03, 0.7, 30.0])
def test_dense_is_pytorchs_attention(logit_scale):
    rng = np.random.default_rng(1)
    q, k, v = rng.integers(0, 2, (2, 3, 9, 40)), rng.integers(0, 2, (3, 17, 40)), rng.normal(size=(2, 1, 17, 6))
    mask = rng.random((9, 17)) < 0.3
    seen = torch.tensor(~mask) & (torch.arange(17) < torch.arange(8, 17)[:, None])
    expected = torch.nn.functional.scaled_dot_product_attention(
        torch.tensor(2.0 * q - 1, dtype=torch.float64),
        torch.tensor(2.0 * k - 1, dtype=torch.float64).expand(2, 3, 17, 40),
        torch.tensor(v).expand(2, 3, 17, 6),
        attn_mask=seen,
        scale=logit_scale,
    )
    found = dense_attention(q, k, v, logit_scale, n_valid=np.arange(8, 17), mask=mask)
    np.testing.assert_allclose(found, expected.numpy(), rtol=0, atol=1e-12)


def test_the_best_real_scores_alone_by_hand():
    # Scores 2, 2, 1 and 5, of which two are kept: 5, and the first 2.
    k, v = np.array([[2.0], [2.0], [1.0], [5.0]]), np.array([[1.0], [10.0], [100.0], [0.0]])
    found = softmax_attention(np.array([[1.0]]), k, v, 0.5, top_k=2)
    np.testing.assert_allclose(found, [[1 / (1 + np.exp(1.5))]])
    q = np.array([[1.0]])
    np.testing.assert_allclose(softmax_attention(q, k, v, 0.5, top_k=4), softmax_attention(q, k, v, 0.5))


def test_one_scale_a_head():
    rng = np.random.default_rng(2)
    q, k, v = rng.integers(0, 2, (3, 5, 8)), rng.integers(0, 2, (3, 7, 8)), rng.normal(size=(3, 7, 2))
    scales = np.array([0.1, 0.5, 2.0])
    for function in (dense_attention, partial(had_attention, top_k=4)):
        together = function(q, k, v, scales[:, None, None])
        for head in range(3):
            assert np.array_equal(together[head], function(q[head], k[head], v[head], scales[head]))


def test_top_k_by_hand():
    # The query matches the keys in 2, 1, 2 and 2 of 2 elements. Of three equals the first two are kept.
    q, k, v = np.array([[1, 1]]), np.array([[1, 1], [0, 1], [1, 1], [1, 1]]), np.array([[1.0], [50.0], [3.0], [70.0]])
    assert had_attention(q, k, v, 0.5, 2).tolist() == [[2.0]]
    # Key 3 masked out: key 1, one match less, weighs exp(-2 * 0.5).
    weight = np.exp(-1)
    found = had_attention(q, k, v, 0.5, 3, mask=np.array([False, False, False, True]))
    np.testing.assert_allclose(found, [[(1 + 3 + 50 * weight) / (2 + weight)]], rtol=1e-15)


def test_all_keys_kept_is_dense():
    rng = np.random.default_rng(3)
    q, k, v = rng.integers(0, 2, (5, 8)), rng.integers(0, 2, (7, 8)), rng.normal(size=(7, 2))
    for top_k in (7, 9):
        assert np.array_equal(had_attention(q, k, v, 0.2, top_k), dense_attention(q, k, v, 0.2))


def test_no_key_is_zero():
    q, k, v = np.ones((2, 3), int), np.ones((4, 3), int), np.full((4, 2), 9.0)
    assert dense_attention(q, k, v, 0.2, n_valid=[0, 1]).tolist() == [[0.0, 0.0], [9.0, 9.0]]
    assert had_attention(q, k, v, 0.2, 2, n_valid=[0, 1]).tolist() == [[0.0, 0.0], [9.0, 9.0]]


@pytest.mark.parametrize("seed", range(40))
def test_bound_holds_on_random_specs(seed):
    rng = np.random.default_rng(seed)
    logit_scale = float(np.exp(rng.uniform(-5, 1)))
    n_keys = int(rng.integers(1, 60))
    spec = AttentionSpec.from_logit_scale(
        d_head=int(rng.integers(1, 130)),
        d_value=8,
        n_keys=n_keys,
        top_k=int(rng.integers(1, n_keys + 1)),
        logit_scale=logit_scale,
        weight_bits=int(rng.integers(1, 17)),
        value_bits=int(rng.integers(2, 17)),
        out_frac_bits=int(rng.integers(0, 9)),
    )
    q, k, v = inputs(rng, spec, 20, (2,))
    limits = {"n_valid": rng.integers(0, n_keys + 1, (2, 20)), "mask": rng.random((1, 20, n_keys)) < 0.1}
    found = attend(spec, q, k, v, **limits)
    ideal = had_attention(q, k, v, logit_scale, spec.top_k, **limits)
    error = np.abs(found.out / 2**spec.out_frac_bits - ideal)
    each, every = error_bound(spec, found), error_bound(spec)
    assert each.shape == (2, 20)
    assert every.shape == ()
    assert (error <= each[..., None] + SLACK).all()
    assert (each <= every).all()


@pytest.mark.parametrize(("weight_bits", "top_k"), [(1, 20), (2, 6), (4, 30), (8, 30), (12, 30)])
def test_bound_is_near_on_adversarial_inputs(weight_bits, top_k):
    # The worst case of the derivation: one best key with the lowest value, all others with the highest, whose ideal
    # weight lies just above, or below, half a unit, so that the table's entry is wrong by half a unit each.
    scale = 2**weight_bits - 1
    for half in (0.5 + 1e-9, 0.5 - 1e-9):
        logit_scale = -np.log(half / scale) / 2
        spec = AttentionSpec.from_logit_scale(
            d_head=2, d_value=1, n_keys=top_k, top_k=top_k, logit_scale=logit_scale, weight_bits=weight_bits
        )
        assert spec.weights[1] == (1 if half > 0.5 else 0)
        q, k = np.ones((1, 2), int), np.array([[1, 1]] + [[1, 0]] * (top_k - 1))
        v = np.array([[-128]] + [[127]] * (top_k - 1))
        found = attend(spec, q, k, v)
        error = np.abs(found.out / 256 - had_attention(q, k, v, logit_scale, top_k)).item()
        bound = error_bound(spec, found).item()
        # The ideal mean lies a share of u = (top_k - 1) / 2 towards 127, where the bound takes the whole spread.
        u = (top_k - 1) / 2
        weight_sum = scale + (2 * u if half > 0.5 else 0)
        exact = 255 * u * scale / (weight_sum * (scale + u))
        assert abs(error - exact) <= 0.5 / 256 + 1e-5
        assert error <= bound + SLACK
        assert bound - 0.5 / 256 == pytest.approx(exact * (scale + u) / scale)


def test_bound_by_hand():
    # 3 of 7 weights' units off by half, over 255: 255 * 3 / (2 * 7), and half of 1/4.
    spec = AttentionSpec.from_logit_scale(
        d_head=2, d_value=1, n_keys=9, top_k=4, logit_scale=1.0, weight_bits=3, out_frac_bits=2
    )
    assert error_bound(spec).item() == pytest.approx(255 * 3 / 14 + 0.125)
    # One key kept: its table entry is exact, and so is its value. Half a unit of the last place is what remains.
    found = attend(spec, [[1, 1]], [[1, 0]], [[77]])
    assert error_bound(spec, found).tolist() == [0.125]
    assert found.out.tolist() == [[308]]
