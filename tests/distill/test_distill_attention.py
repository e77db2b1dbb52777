"""The attention module against a literal loop, against golden, and its gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from hamming.distill.method.attention import MODES, HammingAttention
from hamming.distill.method.masks import keep_best
from hamming.distill.method.signs import soft_sign, straight_through_sign
from hamming.golden.score import binarize, matches
from hamming.golden.spec import WEIGHT_FORMS, power_of_two_table
from hamming.golden.topk import select

WEIGHT_BITS = 32  # of the tables compared with: wide enough for no weight to vanish


@pytest.fixture(autouse=True)
def _seed(rng):
    torch.manual_seed(int(rng.integers(2**31)))


def module(**settings) -> HammingAttention:
    """Two heads of 8, in double precision, with different sigmas and centred keys."""
    made = HammingAttention(12, 2, d_head=8, d_value=5, **settings).double()
    made.sigma_q.copy_(torch.tensor([0.4, 0.7]))
    made.sigma_k.copy_(torch.tensor([0.9, 0.5]))
    made.key_mean.copy_(0.2 * torch.randn(2, 8))
    return made


def literal(m: HammingAttention, x: Tensor, visible: Tensor) -> Tensor:
    """Attention as it is written down, number by number; `visible` is `(batch, n_queries, n_keys)`."""
    outs = []
    for tokens, sees in zip(x, visible, strict=True):
        q, k, v = (proj(tokens).tolist() for proj in (m.q_proj, m.k_proj, m.v_proj))
        rows = []
        for i in range(len(tokens)):
            row: list[float] = []
            for head in range(m.n_heads):
                sigma_q, sigma_k = m.sigma_q[head].item(), m.sigma_k[head].item()
                mean = m.key_mean[head].tolist()

                def of(row: list[float], sigma: float, mean: list[float], head: int = head) -> list[float]:
                    elements = row[head * m.d_head : (head + 1) * m.d_head]
                    if m.mode.startswith("float"):
                        return elements
                    centred = [e - o for e, o in zip(elements, mean, strict=True)]
                    c = m.sharpness
                    if m.mode == "sign":
                        return [sigma if e >= 0 else -sigma for e in centred]
                    return [sigma * max(c, 1) * math.tanh(e / (c * sigma)) for e in centred]

                a = of(q[i], sigma_q, [0.0] * m.d_head)
                keys = {j: of(k[j], sigma_k, mean) for j in range(len(tokens)) if sees[i, j]}
                score = {
                    j: round(sum(map(math.prod, zip(a, b, strict=True))), 9) / math.sqrt(m.d_head)
                    for j, b in keys.items()
                }
                best = sorted(score, key=lambda j: (-score[j], j))
                if m.mode != "float":
                    best = best[: m.top_n]
                weight = {j: math.exp(score[j]) for j in best}
                if m.mode == "sign" and m.weight_form == "power_of_two" and best:
                    top = max(score.values())
                    weight = {j: 0.5 ** math.floor((top - score[j]) / math.log(2) + 0.5) for j in best}
                for e in range(m.d_value):
                    values = [weight[j] * v[j][head * m.d_value + e] for j in best]
                    row.append(sum(values) / sum(weight.values()) if best else 0.0)
            rows.append(row)
        outs.append(rows)
    return m.out_proj(torch.tensor(outs, dtype=torch.float64))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("top_n", [1, 4, 50, None])
@pytest.mark.parametrize("masks", ["none", "padding", "causal", "empty"])
def test_equals_a_literal_loop(mode, top_n, masks):
    m = module(mode=mode, top_n=top_n)
    m.configure(sharpness=0.5 if top_n == 4 else 3)
    x = torch.randn(2, 9, 12, dtype=torch.float64)
    full = torch.ones(2, 9, 9, dtype=torch.bool)
    padding = torch.arange(9) < torch.tensor([[9], [6]])
    visible, as_given = {
        "none": (full, None),
        "padding": (full & padding[:, None], padding),
        "causal": (full.tril(), full.tril()),
        "empty": (full & (torch.arange(9) > 0)[:, None] & padding[:, None],) * 2,
    }[masks]
    out, none = m(x, visible=as_given)
    torch.testing.assert_close(out, literal(m, x, visible), rtol=1e-8, atol=1e-10)
    assert none is None
    with_scores, scores = m(x, visible=as_given, need_weights=True)
    torch.testing.assert_close(with_scores, out)
    assert scores.shape == (2, 2, 9, 9)


@pytest.mark.parametrize("top_n", [3, None])
@pytest.mark.parametrize("form", WEIGHT_FORMS)
def test_a_row_without_keys_is_zero_and_has_a_finite_gradient(top_n, form):
    m = module(mode="sign", top_n=top_n, weight_form=form)
    x = torch.randn(1, 4, 12, dtype=torch.float64, requires_grad=True)
    visible = torch.ones(1, 4, 4, dtype=torch.bool)
    visible[:, 1] = False
    out, scores = m(x, visible=visible, need_weights=True)
    torch.testing.assert_close(out[0, 1], m.out_proj.bias)
    (out.square().sum() + scores.sum()).backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("top_n", [3, None])
def test_powers_of_two_equal_a_literal_loop_and_the_table_of_the_spec(top_n):
    m = module(mode="sign", top_n=top_n, weight_form="power_of_two")
    x = torch.randn(2, 9, 12, dtype=torch.float64)
    out, scores = m(x, need_weights=True)
    torch.testing.assert_close(out, literal(m, x, torch.ones(2, 9, 9, dtype=torch.bool)), rtol=1e-8, atol=1e-10)
    q, k, _ = m.project(x)
    weights, _ = m.weights(q, k, None)
    for head in range(2):
        table = power_of_two_table(8, m.logit_scale[head].item(), WEIGHT_BITS)
        deficit = ((scores.amax(-1, keepdim=True) - scores)[:, head] / (2 * m.logit_scale[head])).round().long()
        expected = torch.tensor(table, dtype=torch.float64)[deficit] * (weights[:, head] > 0)
        torch.testing.assert_close(weights[:, head], expected / expected.sum(-1, keepdim=True))


@pytest.mark.parametrize("n_keys", [1, 2, 7, 49, 128])
@pytest.mark.parametrize("levels", [1, 2, 4, 65])
def test_keeps_the_keys_that_golden_keeps(rng, n_keys, levels):
    """Few levels make almost every row tie at the cut."""
    found = rng.integers(0, levels, size=(300, n_keys)).astype(np.uint8)
    present = rng.random((300, n_keys)) < 0.8
    for top_n in {1, 2, min(5, n_keys), n_keys, n_keys + 3}:
        for seen in (None, present):
            kept = keep_best(torch.tensor(found).float(), top_n, None if seen is None else torch.tensor(seen))
            index = select(found, top_n, None if seen is None else ~seen).index
            expected = np.zeros((300, n_keys + 1), bool)
            np.put_along_axis(expected, index, True, axis=1)  # what is missing, -1, goes to the spare column
            np.testing.assert_array_equal(kept.numpy(), expected[:, :-1])


def test_signs_and_selection_are_those_of_golden(rng):
    """On queries and keys with many zeros, whose sign is +1, through the module's own path."""
    m = HammingAttention(8, 1, mode="sign", top_n=5)
    q, k = (rng.integers(-1, 2, size=(1, 1, 40, 8)).astype(np.float32) for _ in "qk")
    weights, scores = m.weights(torch.tensor(q), torch.tensor(k), None)
    found = matches(binarize(q), binarize(k))
    np.testing.assert_array_equal((scores / m.logit_scale).round().numpy(), 2.0 * found - 8)
    index = select(found, 5).index
    assert (np.sort(index) == np.flatnonzero(weights.numpy()).reshape(1, 1, 40, 5) % 40).all()


@pytest.mark.parametrize("sharpness", [3.0, 1.0, 0.4])
def test_gradients_of_the_soft_modes_are_the_numerical_ones(sharpness):
    m = module(mode="tanh", top_n=3)
    m.configure(sharpness=sharpness)
    x = torch.randn(1, 5, 12, dtype=torch.float64, requires_grad=True)
    visible = torch.ones(1, 5, 5, dtype=torch.bool).tril()
    assert torch.autograd.gradcheck(lambda x: m(x, visible=visible, need_weights=True), (x,))


@pytest.mark.parametrize("mode", ["float", "float_top"])
def test_gradients_of_full_precision_are_the_numerical_ones(mode):
    m = module(mode=mode, top_n=3)
    x = torch.randn(1, 5, 12, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: m(x, need_weights=True), (x,))


def test_the_sign_passes_gradients_straight_through_within_sigma():
    x = torch.tensor([-2.0, -0.5, -0.25, 0.0, 0.49, 0.51, 3.0], requires_grad=True)
    sign = straight_through_sign(x, torch.tensor(0.5))
    assert sign.tolist() == [-1, -1, -1, 1, 1, 1, 1]
    (sign * torch.arange(1.0, 8.0)).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0, 4, 6, 8, 10, 0, 0]


def test_sharp_soft_signs_are_signs_and_blunt_ones_the_numbers():
    x, sigma = torch.linspace(-3, 3, 100, dtype=torch.float64), torch.tensor(0.5, dtype=torch.float64)
    torch.testing.assert_close(soft_sign(x, sigma, 1e-3), straight_through_sign(x, sigma))
    torch.testing.assert_close(soft_sign(x, sigma, 1e4), x / sigma, rtol=1e-6, atol=0)


def test_centring_keys_changes_nothing_of_full_precision():
    m = module(mode="float_top")
    x = torch.randn(2, 9, 12, dtype=torch.float64)
    before, _ = m(x)
    m.k_proj.bias.data += 3 * torch.randn(16)
    after, _ = m(x)
    torch.testing.assert_close(after, before)


def test_a_core_takes_the_place_of_the_computation():
    m = module(mode="sign", top_n=2)
    x = torch.randn(2, 9, 12, dtype=torch.float64)
    padding = torch.arange(9) < torch.tensor([[9], [6]])
    seen = []

    def core(module, q, k, v, visible):
        seen.append((module, q.shape, k.shape, v.shape, visible))
        return v.mean(2, keepdim=True).expand(-1, -1, 9, -1)

    m.core = core
    out, scores = m(x, visible=padding, need_weights=True)
    assert scores is None
    assert seen == [(m, (2, 2, 9, 8), (2, 2, 9, 8), (2, 2, 9, 5), padding)]
    expected = m.out_proj(m.v_proj(x).mean(1, keepdim=True)).expand_as(out)
    torch.testing.assert_close(out, expected)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mode": "soft"}, "mode must be one of float, float_top, tanh, sign, not 'soft'"),
        ({"top_n": 0}, "top_n must be 1 or more, not 0"),
        ({"weight_form": "linear"}, "weight_form must be one of exponential, power_of_two, not 'linear'"),
    ],
)
def test_refuses_settings_that_do_not_exist(settings, message):
    with pytest.raises(ValueError, match=message):
        HammingAttention(8, 2, **settings)


def test_refuses_sizes_that_do_not_fit():
    with pytest.raises(ValueError, match=r"n_heads must divide d_model = 9, .* not 2"):
        HammingAttention(9, 2)
    with pytest.raises(ValueError, match="sharpness must be a number above 0, not 0"):
        HammingAttention(8, 2).configure(sharpness=0)
    with pytest.raises(TypeError, match="unknown setting 'topn'"):
        HammingAttention(8, 2).configure(topn=3)
    with pytest.raises(ValueError, match=r"visible must be booleans .* not torch.float32 \(2, 4\)"):
        HammingAttention(8, 2)(torch.zeros(2, 4, 8), visible=torch.ones(2, 4))
