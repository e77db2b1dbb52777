"""Models whose attention is found, swapped and calibrated."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from hamming.distill.method.attention import HammingAttention
from hamming.distill.method.convert import DropInAttention, calibrate, configure, convert, hamming_layers


@pytest.fixture(autouse=True)
def _seed(rng):
    torch.manual_seed(int(rng.integers(2**31)))


def encoder(norm_first: bool = False) -> nn.TransformerEncoder:
    layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0, batch_first=True, norm_first=norm_first)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("masks", ["none", "padding", "causal"])
def test_a_swapped_encoder_computes_the_same(training, norm_first, masks):
    model = encoder(norm_first).train(training)
    x = torch.randn(3, 7, 16)
    settings = {
        "none": {},
        "padding": {"src_key_padding_mask": torch.arange(7) >= torch.tensor([[7], [5], [2]])},
        "causal": {"mask": nn.Transformer.generate_square_subsequent_mask(7), "is_causal": True},
    }[masks]
    with torch.set_grad_enabled(training):  # without, PyTorch takes a fused path where it can
        before = model(x, **settings)
        assert convert(model) is model
        assert list(hamming_layers(model)) == ["layers.0.self_attn", "layers.1.self_attn"]
        after = model(x, **settings)
        if masks == "padding":  # what the fused path makes of padding is zeros
            before, after = (y[settings["src_key_padding_mask"].logical_not()] for y in (before, after))
        torch.testing.assert_close(after, before)
        configure(model, mode="sign", top_n=3)
        assert model(x, **settings).shape == x.shape
        assert not torch.allclose(model(x, **settings).flatten()[: before.numel()], before.flatten())


def test_a_swap_keeps_the_gradient_and_the_dtype():
    model = convert(encoder().double())
    model(torch.randn(2, 5, 16, dtype=torch.float64)).sum().backward()
    first: Any = hamming_layers(model)["layers.0.self_attn"]
    assert first.q_proj.weight.grad is not None
    assert first.sigma_q.dtype == torch.float64


@pytest.mark.parametrize("settings", [{"batch_first": False}, {"dropout": 0.1}, {"kdim": 8}, {"add_bias_kv": True}])
def test_refuses_attention_that_cannot_be_swapped(settings):
    model = nn.Sequential(nn.MultiheadAttention(16, 2, **{"batch_first": True} | settings))
    with pytest.raises(ValueError, match="0 must be self-attention with batch_first=True and dropout=0"):
        convert(model)


def test_a_swapped_module_refuses_what_is_no_self_attention():
    m = DropInAttention(16, 2)
    x = torch.randn(1, 3, 16)
    with pytest.raises(ValueError, match="this is self-attention"):
        m(x, torch.randn(1, 3, 16), x)
    with pytest.raises(ValueError, match="0 and -inf"):
        m(x, x, x, attn_mask=torch.full((3, 3), 0.5))


def test_padding_and_a_causal_mask_count_together():
    m = DropInAttention(16, 2)
    x = torch.randn(1, 4, 16)
    hidden = torch.tensor([[False, False, False, True]])
    out, _ = m(x, x, x, key_padding_mask=hidden, is_causal=True)
    both = torch.ones(1, 4, 4, dtype=torch.bool).tril() & ~hidden[:, None]
    torch.testing.assert_close(out, HammingAttention.forward(m, x, visible=both)[0])


class Tokens(nn.Module):
    """One attention module behind nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = HammingAttention(12, 3, d_head=4)


@pytest.mark.parametrize("centre_keys", [False, True])
@pytest.mark.parametrize("padded", [False, True])
def test_calibration_measures_each_head_over_the_tokens_that_count(centre_keys, padded):
    model = Tokens()
    m = model.attention
    m.k_proj.bias.data += 2
    batches = [torch.randn(2, 6, 12) * size for size in (1, 2, 3)]
    visible = torch.arange(6) < torch.tensor([[6], [4]]) if padded else torch.ones(2, 6, dtype=torch.bool)
    calibrate(model, lambda x: m(x, visible=visible if padded else None), batches, centre_keys=centre_keys)
    for head in range(3):
        part = slice(4 * head, 4 * head + 4)
        q, k = ([proj(x)[visible][:, part].detach() for x in batches] for proj in (m.q_proj, m.k_proj))
        mean = torch.stack([x.mean(0) for x in k]).mean(0) if centre_keys else torch.zeros(4)
        torch.testing.assert_close(m.key_mean[head], mean)
        torch.testing.assert_close(m.sigma_q[head], torch.stack([x.std() for x in q]).mean())
        torch.testing.assert_close(m.sigma_k[head], torch.stack([(x - mean).std() for x in k]).mean())
    assert m.core is None


def test_calibration_needs_a_batch():
    with pytest.raises(ValueError, match="at least one batch"):
        calibrate(Tokens(), lambda x: x, [])
