"""Attention of `transformers` beyond the four families: other queries, scalings and masks, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

transformers = pytest.importorskip("transformers", reason="pip install 'hamming-attention[huggingface]'")

import hamming.huggingface as hh  # noqa: E402
from hamming.distill.huggingface.attention import visible_keys  # noqa: E402
from hamming.distill.method.convert import hamming_layers  # noqa: E402
from tests.distill.families import binary, inputs_of, model_of, result  # noqa: E402


def bart(**config) -> Any:
    sizes: dict[str, Any] = {"vocab_size": 40, "d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "dropout": 0.0}
    sizes |= {"encoder_ffn_dim": 24, "decoder_ffn_dim": 24, "max_position_embeddings": 32}
    sizes |= {"encoder_attention_heads": 4, "decoder_attention_heads": 2} | config
    torch.manual_seed(8)
    return transformers.BartModel(transformers.BartConfig(**sizes)).eval()


@pytest.mark.parametrize("n_queries", [5, 1])
def test_queries_of_others_tokens_than_the_keys(n_queries, tmp_path):
    """A decoder looks at what an encoder made, with as many heads as it has itself."""
    model = bart()
    inputs = inputs_of("bert", padded=True) | {"decoder_input_ids": torch.arange(3 * n_queries).reshape(3, n_queries)}
    before = result(model, inputs)
    torch.testing.assert_close(result(hh.prepare(model), inputs), before)
    cross = model.decoder.layers[0].encoder_attn
    caught: dict[str, Tensor] = {}
    for name in ("q_proj", "k_proj"):
        getattr(cross, name).register_forward_hook(lambda _, args, out, name=name: caught.update({name: out.detach()}))
    hh.calibrate(model, [inputs])
    keys = caught["k_proj"][inputs["attention_mask"].bool()].reshape(-1, 2, 16)  # heads of the decoder
    queries = caught["q_proj"].reshape(-1, 2, 16)
    torch.testing.assert_close(cross.hamming.sigma_k, keys.transpose(0, 1).flatten(1).std(1))
    torch.testing.assert_close(cross.hamming.sigma_q, queries.transpose(0, 1).flatten(1).std(1))
    hh.configure(model, mode="sign", top_n=3)
    model.save_pretrained(tmp_path)
    assert torch.equal(result(transformers.BartModel.from_pretrained(tmp_path), inputs), result(model, inputs))


def test_values_of_another_size_than_the_keys():
    sizes = {"q_lora_rank": 8, "kv_lora_rank": 8, "qk_rope_head_dim": 4, "qk_nope_head_dim": 8, "v_head_dim": 6}
    experts = {"moe_intermediate_size": 16, "n_routed_experts": 4, "n_group": 1, "topk_group": 1}
    shape = {"vocab_size": 40, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1}
    config = transformers.DeepseekV3Config(
        **shape, **sizes, **experts, num_attention_heads=4, num_key_value_heads=4, num_experts_per_tok=2
    )
    torch.manual_seed(9)
    model = transformers.DeepseekV3ForCausalLM(config).eval()
    before = result(model, inputs_of("llama"))
    torch.testing.assert_close(result(hh.prepare(model), inputs_of("llama")), before)
    [heads] = hamming_layers(model).values()
    assert (heads.n_heads, heads.d_head, heads.d_value) == (4, 12, 6)


def test_settings_are_set_together_or_not_at_all():
    model = hh.prepare(model_of("llama"))
    for wrong in ({"top_n": 0}, {"sharpness": 0}, {"topn": 3}):
        with pytest.raises((ValueError, TypeError)):
            hh.configure(model, mode="sign", **wrong)
        assert {heads.mode for heads in hamming_layers(model).values()} == {"float"}
    with pytest.raises(ValueError, match="LlamaForCausalLM has no attention to configure"):
        hh.configure(model_of("llama"), mode="sign")


def test_a_module_without_state_is_not_left_in_full_precision():
    model = model_of("llama")
    model.set_attn_implementation("hamming")
    with pytest.raises(ValueError, match=r"LlamaAttention has no state of its heads: call hamming.huggingface.prepare"):
        result(model, inputs_of("llama"))
    with pytest.raises(ValueError, match=r"LlamaForCausalLM has no state of heads: call"):
        hh.calibrate(model, [inputs_of("llama")])


class OwnAttention(nn.Module):
    """An attention that asks nobody."""

    def forward(self, x: Tensor) -> Tensor:
        return x


def test_an_attention_that_is_not_reached_is_named():
    model = model_of("llama")
    model.model.layers[1].add_module("other", OwnAttention())
    with pytest.raises(ValueError, match=r"model\.layers\.1\.other \(OwnAttention\) .* full precision"):
        hh.prepare(model)
    none = transformers.MambaModel(transformers.MambaConfig(vocab_size=8, hidden_size=8, num_hidden_layers=1))
    with pytest.raises(ValueError, match="MambaModel has no attention"):
        hh.prepare(none)


def test_heads_that_batches_do_not_reach_are_named():
    model = hh.prepare(model_of("llama"))
    nn.init.zeros_(model.model.layers[1].self_attn.q_proj.weight)
    with pytest.raises(ValueError, match=r"model\.layers\.1\.self_attn\.hamming: these batches do not reach"):
        hh.calibrate(model, [inputs_of("llama")])
    with pytest.raises(ValueError, match="at least one batch"):
        hh.calibrate(model, [])


def test_scores_that_binary_ones_cannot_be_are_refused():
    module = hh.prepare(model_of("llama")).model.layers[0].self_attn
    q, k = torch.zeros(1, 4, 5, 8), torch.zeros(1, 2, 5, 8)
    with pytest.raises(ValueError, match=r"softcap, which binary scores cannot have"):
        hh.hamming_attention(module, q, k, k, None, scaling=8**-0.5, softcap=30.0)
    with pytest.raises(ValueError, match=r"LlamaAttention must have a scaling above 0, not -1"):
        hh.hamming_attention(module, q, k, k, None, scaling=-1.0)
    with pytest.raises(ValueError, match=r"must have 4 heads of 8 and values of 8, not 4 heads of 6 and values of 6"):
        hh.hamming_attention(module, q[..., :6], k[..., :6], k[..., :6], None)


SMALL: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 40}


GEMMA = SMALL | {"intermediate_size": 24, "num_key_value_heads": 1, "head_dim": 16}


def random(family: str, **config: Any) -> Any:
    """Return a random model of `transformers`' class `family`."""
    torch.manual_seed(9)
    kind = getattr(transformers, family)
    return kind(kind.config_class(**config)).eval()


@pytest.mark.parametrize(
    ("family", "config"),
    [
        ("OPTModel", SMALL | {"ffn_dim": 24, "word_embed_proj_dim": 32, "pad_token_id": 0}),
        ("GraniteModel", GEMMA | {"attention_multiplier": 0.7}),
        ("Gemma3TextModel", GEMMA),
        ("Gemma2Model", GEMMA | {"attn_logit_softcapping": None}),
    ],
)
def test_another_scaling_goes_into_the_queries(family, config):
    """Full precision is that of `transformers`; signs do not see it, and a head's logit scale has it."""
    model, inputs = random(family, **config), {"input_ids": torch.arange(20).reshape(2, 10) + 3}
    model.set_attn_implementation("eager")
    eager = result(model, inputs)
    hh.prepare(model)
    torch.testing.assert_close(result(model, inputs), eager, rtol=1e-4, atol=1e-5)
    hh.calibrate(model, [inputs])
    hh.configure(model, mode="sign", top_n=4)
    assert result(model, inputs).isfinite().all()
    module = next(module for name, module in model.named_modules() if name.endswith("self_attn"))
    q, k, v = torch.randn(3, 1, 2, 5, 16, generator=torch.Generator().manual_seed(6))
    plain, _ = hh.hamming_attention(module, q, k, v, None, scaling=0.25)
    scaled, _ = hh.hamming_attention(module, q, k, v, None, scaling=1.5)
    assert torch.equal(plain, scaled)
    hh.configure(model, mode="float")
    scaled, _ = hh.hamming_attention(module, q, k, v, None, scaling=1.5, is_causal=False)
    torch.testing.assert_close(scaled, (1.5 * q @ k.mT).softmax(-1).matmul(v).transpose(1, 2))


@pytest.mark.parametrize(
    ("family", "config", "what"),
    [
        ("Gemma2Model", GEMMA, r"layers\.0\.self_attn \(Gemma2Attention\) has a soft cap"),
        ("GptOssModel", GEMMA | {"num_local_experts": 2, "num_experts_per_tok": 1}, "has sinks in its softmax"),
        ("T5EncoderModel", {"d_model": 32, "d_kv": 16, "d_ff": 24, "num_layers": 2, "num_heads": 2}, "has biases by"),
    ],
)
def test_families_whose_scores_binary_ones_cannot_be_are_refused_when_they_are_prepared(family, config, what):
    model = random(family, **config)
    with pytest.raises(ValueError, match=what):
        hh.prepare(model)
    assert not hamming_layers(model)


def test_masks_hide_keys_or_leave_them():
    seen = torch.tensor([[True, False, True]]).expand(2, 2, 3)
    added = torch.where(seen, 0.0, torch.finfo(torch.float32).min)
    for mask in (seen[:, None], added[:, None], (2 * added)[:, None]):
        found = visible_keys(mask, 2, 3)
        assert found is not None
        assert torch.equal(found, seen)
    assert visible_keys(None, 2, 3) is None
    with pytest.raises(ValueError, match="no other share can be added"):
        visible_keys(torch.full((2, 1, 2, 3), -1.0), 2, 3)
    with pytest.raises(ValueError, match=r"\(batch, 1, 2, 3\), the same for all heads, not \(2, 4, 2, 3\)"):
        visible_keys(torch.zeros(2, 4, 2, 3), 2, 3)
    with pytest.raises(ValueError, match=r"not \(2, 1, 2, 4\)"):
        visible_keys(torch.zeros(2, 1, 2, 4), 2, 3)


def test_a_causal_module_without_a_mask_sees_no_later_key():
    model = binary("llama", top_n=None)
    module = model.model.layers[0].self_attn
    generator = torch.Generator().manual_seed(5)
    q = torch.randn(1, 4, 2, 8, generator=generator)
    k, v = torch.randn(2, 1, 2, 5, 8, generator=generator)
    both, _ = hh.hamming_attention(module, q, k, v, None, scaling=1 / math.sqrt(8))
    first, _ = hh.hamming_attention(module, q[:, :, :1], k[:, :, :4], v[:, :, :4], None)
    last, _ = hh.hamming_attention(module, q[:, :, 1:], k, v, None)
    torch.testing.assert_close(both, torch.cat([first, last], 1))


def test_a_saved_state_of_another_kind_is_refused(tmp_path):
    with pytest.raises(ValueError, match="must have no bits"):
        hh.HammingConfig(bits=4)
    model_of("llama").save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"load the model as it is, then call hamming.huggingface.prepare"):
        transformers.AutoModelForCausalLM.from_pretrained(tmp_path, quantization_config=hh.HammingConfig())
