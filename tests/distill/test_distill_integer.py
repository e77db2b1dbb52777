"""Attention by the golden model inside a PyTorch model: every bit golden's, every scale and mask where it belongs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hamming.distill.hardware.integer import attend_heads, collect_values, head_inputs, integer_attention, value_scales
from hamming.distill.method.attention import HammingAttention
from hamming.distill.method.quantize import Widths, head_spec
from hamming.golden.accuracy import Widths as GoldenWidths
from hamming.golden.accuracy import integer_attention as integer_attention_of_golden
from hamming.golden.attention import attend
from hamming.golden.fixture import MINILM_LAYERS, load_minilm
from hamming.golden.ideal import error_bound
from hamming.golden.spec import AttentionSpec
from hamming.golden.values import quantize


class Encoder(nn.Module):
    """Two layers of attention with a residual: what a model is to the hardware."""

    def __init__(self, **settings: object) -> None:
        super().__init__()
        self.first = HammingAttention(12, 3, mode="sign", **settings)  # type: ignore[arg-type]
        self.second = HammingAttention(12, 3, mode="sign", **settings)  # type: ignore[arg-type]

    def forward(self, x: Tensor, visible: Tensor | None = None) -> Tensor:
        for layer in (self.first, self.second):
            x = x + layer(x, visible=visible)[0]
        return x


def encoder(seed: int, **settings: object) -> Encoder:
    torch.manual_seed(seed)
    model = Encoder(**settings)
    for layer in (model.first, model.second):
        layer.sigma_q.uniform_(0.3, 2)
        layer.sigma_k.uniform_(0.3, 2)
        layer.key_mean.uniform_(-0.3, 0.3)
    return model.eval()


def tokens(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def literal(layer: HammingAttention, x: Tensor, visible: Tensor | None, scale: Tensor, widths: Widths) -> Tensor:
    """A head's outputs written out: one query at a time, Python's integers, nothing of golden's."""
    q, k, v = layer.project(x)
    out = torch.zeros(*q.shape[:-1], layer.d_value)
    high = 2 ** (widths.value_bits - 1) - 1
    for item, head, query in np.ndindex(*q.shape[:-1]):
        step = float(layer.sigma_q[head] * layer.sigma_k[head]) / math.sqrt(layer.d_head)
        seen = range(k.shape[2])
        if visible is not None:
            row = visible[item] if visible.ndim == 2 else visible[item, query]
            seen = [key for key in seen if row[key]]
        matches = {
            key: sum(
                bool(a >= 0) == bool(b - mean >= 0)
                for a, b, mean in zip(q[item, head, query], k[item, head, key], layer.key_mean[head], strict=True)
            )
            for key in seen
        }
        kept = sorted(seen, key=lambda key: (-matches[key], key))[: layer.top_n]
        weights = {
            key: round((2**widths.weight_bits - 1) * math.exp(-2 * (matches[kept[0]] - matches[key]) * step))
            for key in kept
        }
        total = sum(weights.values())
        for element in range(layer.d_value if kept else 0):
            unit = scale[head, element]
            integers = {key: min(max(round(float(v[item, head, key, element] / unit)), -high), high) for key in kept}
            acc = sum(weights[key] * integers[key] for key in kept) << widths.out_frac_bits
            out[item, head, query, element] = ((2 * acc + total) // (2 * total)) * unit / 2**widths.out_frac_bits
    return layer.out_proj(out.transpose(1, 2).flatten(2))


PADDED = torch.arange(7) < torch.tensor([7, 3, 0, 1])[:, None]
CAUSAL = torch.ones(7, 7, dtype=torch.bool).tril().expand(4, 7, 7)
SCATTERED = torch.rand(4, 7, 7, generator=torch.Generator().manual_seed(3)) < 0.4


@pytest.mark.parametrize("visible", [None, PADDED, CAUSAL, SCATTERED], ids=["all", "padded", "causal", "scattered"])
@pytest.mark.parametrize("top_n", [2, None, 50])
@torch.no_grad()
def test_a_layer_equals_a_literal_loop(visible, top_n):
    model, x = encoder(1, top_n=top_n), tokens(4, 7, 12)
    widths = Widths(weight_bits=6, value_bits=4, out_frac_bits=3)
    scales = value_scales(collect_values(model, lambda batch: model(batch, visible), [x]), widths.value_bits)
    with integer_attention(model, scales, widths):
        found = model.first(x, visible=visible)[0]
    torch.testing.assert_close(found, literal(model.first, x, visible, scales["first"], widths), rtol=0, atol=1e-6)


@pytest.mark.parametrize("seed", range(4))
@torch.no_grad()
def test_every_bit_is_goldens(seed):
    """Whole outputs as integers, head by head and item by item, against golden; few bits, so that ties abound."""
    rng = np.random.default_rng(seed)
    d_head, n_tokens, top_n = (int(rng.integers(*bounds)) for bounds in ((1, 9), (1, 30), (1, 12)))
    layer = HammingAttention(16, 3, d_head=d_head, d_value=5, top_n=top_n, mode="sign")
    layer.sigma_q.uniform_(0.1, 2)
    widths = Widths(weight_bits=int(rng.integers(1, 17)), value_bits=int(rng.integers(2, 17)))
    visible = torch.from_numpy(rng.random((6, n_tokens, n_tokens)) < rng.choice([0, 0.3, 1], (6, n_tokens, 1)))
    scale = torch.full((3, 5), 0.01)
    q, k, v = layer.project(tokens(6, n_tokens, 16, seed=seed))
    given = head_inputs(layer, q, k, v, visible, scale=scale, value_bits=widths.value_bits)
    found = attend_heads(layer, given, widths)
    high = 2 ** (widths.value_bits - 1) - 1
    for item, head in np.ndindex(6, 3):
        spec = AttentionSpec.from_logit_scale(
            d_head=d_head,
            d_value=5,
            n_keys=n_tokens,
            top_k=min(top_n, n_tokens),
            logit_scale=float(layer.sigma_q[head] / math.sqrt(d_head)),
            weight_bits=widths.weight_bits,
            value_bits=widths.value_bits,
        )
        one = attend(
            spec,
            (q[item, head] >= 0).numpy(),
            (k[item, head] >= 0).numpy(),
            np.clip(np.rint((v[item, head] / 0.01).numpy()), -high, high).astype(int),
            mask=~visible[item].numpy(),
        )
        np.testing.assert_array_equal(found[item, head], one.out)


def test_padding_and_causal_masks_become_n_valid_and_others_a_mask():
    model, x = encoder(2, top_n=3), tokens(4, 7, 12)
    scale = torch.ones(3, 4)

    def given(visible: Tensor | None):
        with torch.no_grad():
            return head_inputs(model.first, *model.first.project(x), visible, scale=scale, value_bits=8)

    assert given(None).n_valid is None
    assert given(None).mask is None
    np.testing.assert_array_equal(given(PADDED).n_valid, [[7], [3], [0], [1]])
    np.testing.assert_array_equal(given(CAUSAL).n_valid, [range(1, 8)] * 4)
    assert given(SCATTERED).n_valid is None
    np.testing.assert_array_equal(given(SCATTERED).mask, ~SCATTERED.numpy())


@torch.no_grad()
def test_wide_integers_are_float_had_within_goldens_bound():
    """The module's own floating point, which knows nothing of golden, and the integers, whole model."""
    model, x = encoder(3, top_n=3), tokens(5, 9, 12, seed=1)
    visible = torch.arange(9) < torch.tensor([9, 9, 4, 2, 1])[:, None]
    widths = Widths(weight_bits=16, value_bits=16, out_frac_bits=12)
    scales = value_scales(collect_values(model, lambda batch: model(batch, visible), [x]), 16)
    exact = model(x, visible)
    with integer_attention(model, scales, widths):
        found = model(x, visible)
    layer = model.first
    bound = float(error_bound(head_spec(layer, 0, 9, widths))) + 0.5
    unit = max(float(scale.max()) for scale in scales.values())
    gain = float(layer.out_proj.weight.abs().sum(1).max())
    assert 0 < (found - exact).abs().max() < 100 * bound * unit * gain < 0.2
    assert (found - exact).abs().max() < 2e-3


@torch.no_grad()
def test_power_of_two_layers_get_tables_of_powers_of_two():
    layer = HammingAttention(8, 2, top_n=2, mode="sign", weight_form="power_of_two")
    assert all(w & (w - 1) == 0 for w in head_spec(layer, 0, 5, Widths()).tables[0])
    forced = head_spec(layer, 0, 5, Widths(weight_form="exponential")).tables[0]
    assert any(w & (w - 1) for w in forced)


@torch.no_grad()
def test_heads_have_their_own_tables():
    layer = HammingAttention(8, 2, top_n=2, mode="sign")
    layer.sigma_q.copy_(torch.tensor([0.1, 2.0]))
    first, second = (head_spec(layer, head, 5, Widths()).weights for head in (0, 1))
    assert first[1] == round(4095 * math.exp(-2 * float(torch.tensor(0.1)) / 2))
    assert second[1] == round(4095 * math.exp(-2 * 2.0 / 2))


@torch.no_grad()
def test_values_of_padding_are_not_collected():
    model, x = encoder(4, top_n=2), tokens(4, 7, 12)
    x[~PADDED] = 1e6
    values = collect_values(model, lambda batch: model(batch, PADDED), [x])
    assert values["first"].shape == (7 + 3 + 0 + 1, 3, 4)
    assert values["first"].abs().max() < 100


@torch.no_grad()
def test_the_model_is_as_before_afterwards():
    model, x = encoder(5, top_n=2), tokens(2, 5, 12)
    before = model(x)
    scales = value_scales(collect_values(model, model, [x]), 8)
    with integer_attention(model, scales, Widths()):
        assert not torch.equal(model(x), before)
    assert torch.equal(model(x), before)


def test_what_cannot_be():
    model, x = encoder(6, top_n=2), tokens(2, 5, 12)
    with pytest.raises(ValueError, match="at least one batch"):
        collect_values(model, model, [])
    scales = value_scales(collect_values(model, model, [x]), 8)
    with (
        pytest.raises(ValueError, match="scales must have 'second', not only first"),
        integer_attention(model, {"first": scales["first"]}, Widths()),
    ):
        pass
    model.second.configure(mode="tanh")
    with (
        pytest.raises(ValueError, match="second must be in mode 'sign', not 'tanh'"),
        integer_attention(model, scales, Widths()),
    ):
        pass
    with pytest.raises(ValueError, match="no HammingAttention"), integer_attention(nn.Linear(2, 2), {}, Widths()):
        pass
    with pytest.raises(ValueError, match="value_bits must be 2 to 16, not 1"):
        Widths(value_bits=1)
    with pytest.raises(ValueError, match="weight_form must be one of exponential, power_of_two, not 'log'"):
        Widths(weight_form="log")


@torch.no_grad()
@pytest.mark.parametrize("number", MINILM_LAYERS)
def test_a_pretrained_layer_is_what_golden_accuracy_measures(number):
    """All twelve heads of a real layer, as the table of `docs/accuracy.md` is made."""
    inputs = load_minilm(number)
    layer = HammingAttention(384, 12, top_n=30, mode="sign")
    layer.sigma_q.copy_(torch.from_numpy(inputs.sigma_q))
    layer.sigma_k.copy_(torch.from_numpy(inputs.sigma_k))
    q, k, v = (torch.from_numpy(np.float32(x))[None] for x in (2.0 * inputs.q - 1, 2.0 * inputs.k - 1, inputs.v))
    scale = torch.from_numpy(quantize(inputs.v).scale[:, 0])
    given = head_inputs(layer, q, k, v.double(), None, scale=scale, value_bits=8)
    found = torch.from_numpy(attend_heads(layer, given, Widths())[0]) * scale[:, None] / 256
    expected = integer_attention_of_golden(inputs, GoldenWidths(), inputs.logit_scale)
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-12)
