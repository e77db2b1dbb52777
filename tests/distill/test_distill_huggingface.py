"""Models of `transformers`: what the attention `hamming` does in four families, and what it refuses."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

transformers = pytest.importorskip("transformers", reason="pip install 'hamming-attention[huggingface]'")

import hamming.huggingface as hh  # noqa: E402
from hamming.distill.huggingface.attention import visible_keys  # noqa: E402
from hamming.distill.method.attention import HammingAttention  # noqa: E402
from hamming.distill.method.convert import cores, hamming_layers  # noqa: E402
from tests.distill.families import FAMILIES, WINDOW, inputs_of, model_of  # noqa: E402

CAUSAL = ("llama", "qwen2")


def binary(family: str, *, top_n: int | None = 3, **settings) -> Any:
    """Return a model that is calibrated, its attention binary."""
    model = hh.prepare(model_of(family))
    hh.calibrate(model, [inputs_of(family, seed=seed) for seed in (1, 2)], **settings)
    hh.configure(model, mode="sign", top_n=top_n)
    return model


def result(model, inputs: dict[str, Tensor]) -> Tensor:
    return model(**inputs)[0]


def seen_by_hand(family: str, layer: int, inputs: dict[str, Tensor]) -> Tensor | None:
    """Return where a key takes part, from positions alone."""
    if family == "vit":
        return None
    place = torch.arange(11)
    seen = torch.ones(3, 11, 11, dtype=torch.bool)
    if "attention_mask" in inputs:
        seen &= inputs["attention_mask"].bool()[:, None]
    if family in CAUSAL:
        seen &= place[:, None] >= place
    if family == "qwen2" and layer == 1:
        seen &= place[:, None] - place < WINDOW
    return seen


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_full_precision_is_what_the_model_computed_before(family, padded):
    model, inputs = model_of(family), inputs_of(family, padded=padded)
    there = inputs.get("attention_mask", torch.ones(1, 1)).bool()
    before = result(model, inputs)
    after = result(hh.prepare(model), inputs)
    torch.testing.assert_close(after * there[..., None], before * there[..., None])


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_attention_is_our_own_to_the_bit(family, padded):
    """Rotary positions are all zero, and turn nothing; what they turn is in the keys that a cache holds."""
    model, inputs = binary(family), inputs_of(family, padded=padded)
    if family in CAUSAL:
        inputs["position_ids"] = torch.zeros(3, 11, dtype=torch.long)
    layers = hamming_layers(model)
    assert len(layers) == 2
    for number, (name, heads) in enumerate(layers.items()):
        module = model.get_submodule(name.rpartition(".")[0])
        caught: dict[str, Tensor] = {}

        def catch(module, args, kwargs, output, caught=caught):
            caught["x"] = args[0] if args else kwargs["hidden_states"]
            caught["out"] = output[0]

        with module.register_forward_hook(catch, with_kwargs=True):
            model(**inputs)
        ours = own_attention(module, heads)
        visible = seen_by_hand(family, number, inputs)
        expected = ours(caught["x"], visible=visible)[0]
        assert torch.equal(caught["out"], expected)


def own_attention(module: Any, heads) -> HammingAttention:
    """Return a `HammingAttention` with the weights of an attention module, a group's keys and values repeated."""
    ours = HammingAttention(32, 4, mode="sign", top_n=heads.top_n)
    names = {"query": "q_proj", "key": "k_proj", "value": "v_proj"} if hasattr(module, "query") else {}
    for there in names or ("q_proj", "k_proj", "v_proj", "o_proj"):
        mine: Any = ours.get_submodule({"o_proj": "out_proj"}.get(there, names.get(there, there)))
        source: Any = module.get_submodule(there)
        group = mine.out_features // source.out_features
        for key in ("weight", "bias"):
            given = getattr(source, key)
            wanted = torch.zeros(mine.out_features) if given is None else given
            if group > 1 and given is not None:
                wanted = wanted.unflatten(0, (2, 8)).repeat_interleave(group, 0).flatten(0, 1)
            getattr(mine, key).data.copy_(wanted)
    if names:  # of BERT the output's matrix is elsewhere
        nn.init.eye_(ours.out_proj.weight)
        nn.init.zeros_(ours.out_proj.bias)
    for key in ("sigma_q", "sigma_k", "key_mean"):
        getattr(ours, key).copy_(getattr(heads, key))
    return ours


@pytest.mark.parametrize("family", FAMILIES)
def test_calibration_measures_queries_and_keys_behind_their_positions(family):
    model = hh.prepare(model_of(family))
    batches = [inputs_of(family, seed=seed) for seed in (1, 2)]
    found: dict[str, list[tuple[Tensor, Tensor]]] = {name: [] for name in hamming_layers(model)}
    name_of = {heads: name for name, heads in hamming_layers(model).items()}

    def catch(heads, q, k, v, visible):
        found[name_of[heads]].append((q, k))
        heads.core = None
        try:
            return heads.attend(q, k, v, visible)[0]
        finally:
            heads.core = catch

    with cores(model, catch), torch.no_grad():
        for batch in batches:
            model(**batch)
    hh.calibrate(model, batches, centre_keys=True)
    for name, heads in hamming_layers(model).items():
        means = torch.stack([k.mean((0, 2)) for _, k in found[name]]).mean(0)
        spreads = [q.transpose(0, 1).flatten(1).std(1) for q, _ in found[name]]
        torch.testing.assert_close(heads.key_mean, means)
        torch.testing.assert_close(heads.sigma_q, torch.stack(spreads).mean(0))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_projection_gets_a_gradient(family):
    model = binary(family).train()
    result(model, inputs_of(family)).square().mean().backward()
    for name, heads in hamming_layers(model).items():
        module = model.get_submodule(name.rpartition(".")[0])
        for projection in module.children():
            if isinstance(projection, nn.Linear):
                assert projection.weight.grad is not None
                assert projection.weight.grad.abs().sum() > 0
        assert all(not buffer.requires_grad for buffer in heads.buffers())


def test_weights_are_dropped_in_training_alone():
    config = transformers.BertConfig(
        vocab_size=40, hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=4,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.5,
    )  # fmt: skip
    model = hh.prepare(transformers.BertModel(config, add_pooling_layer=False))
    inputs = inputs_of("bert")
    hh.calibrate(model, [inputs])
    hh.configure(model, mode="sign")
    torch.manual_seed(0)
    first, second = (result(model.train(), inputs) for _ in range(2))
    assert not torch.allclose(first, second)
    assert torch.equal(*(result(model.eval(), inputs) for _ in range(2)))


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("family", CAUSAL)
def test_a_cache_changes_no_token(family, padded):
    model, inputs = binary(family), inputs_of(family, padded=padded)
    inputs["attention_mask"] = inputs.get("attention_mask", torch.ones(3, 11, dtype=torch.long))
    made = [
        model.generate(
            **inputs, max_new_tokens=20, do_sample=False, use_cache=use_cache, pad_token_id=0,
            return_dict_in_generate=True, output_logits=True,
        )
        for use_cache in (True, False)
    ]  # fmt: skip
    assert made[0].sequences.shape == (3, 31)
    assert torch.equal(made[0].sequences, made[1].sequences)
    for cached, uncached in zip(made[0].logits, made[1].logits, strict=True):
        torch.testing.assert_close(cached, uncached, rtol=1e-4, atol=1e-4)
    hh.configure(model, mode="float")
    exact = model.generate(**inputs, max_new_tokens=20, do_sample=False, pad_token_id=0)
    assert not torch.equal(exact, made[0].sequences)


@pytest.mark.parametrize("family", FAMILIES)
def test_state_is_saved_and_loaded_with_the_model(family, tmp_path):
    model, inputs = binary(family, centre_keys=True), inputs_of(family)
    next(iter(hamming_layers(model).values())).configure(top_n=5, weight_form="power_of_two")
    model.save_pretrained(tmp_path)
    loaded = transformers.AutoModel if family in ("bert", "vit") else transformers.AutoModelForCausalLM
    loaded = loaded.from_pretrained(tmp_path, **({"add_pooling_layer": False} if family in ("bert", "vit") else {}))
    assert [heads.top_n for heads in hamming_layers(loaded).values()] == [5, 3]
    assert [heads.weight_form for heads in hamming_layers(loaded).values()] == ["power_of_two", "exponential"]
    assert torch.equal(result(loaded.eval(), inputs), result(model, inputs))
    other = hh.prepare(model_of(family))
    other.load_state_dict(model.state_dict())
    assert torch.equal(result(other, inputs), result(model, inputs))
    assert loaded.double().half().dtype == torch.float16


def test_a_user_writes_ten_lines(tmp_path, monkeypatch):
    """The lines of docs/distillation.md are run by tests/test_docs.py; here they give what they say."""
    model_of("llama").save_pretrained(tmp_path / "teacher")
    model = hh.prepare(transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "teacher"))
    model.set_attn_implementation("eager")
    eager = result(model, inputs_of("llama"))
    model.set_attn_implementation("hamming")
    torch.testing.assert_close(result(model, inputs_of("llama")), eager)


def test_bfloat16_keeps_the_order_of_integers():
    model = binary("llama").bfloat16()
    assert result(model, inputs_of("llama")).isfinite().all()


@pytest.mark.parametrize("mode", ["float", "float_top", "tanh", "sign"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_model_of_half_precision_is_prepared(dtype, mode, tmp_path):
    """As `from_pretrained` loads it: what it is calibrated to is of float32, also after it was saved."""
    model_of("llama").to(dtype).save_pretrained(tmp_path)
    model = hh.prepare(transformers.AutoModelForCausalLM.from_pretrained(tmp_path), n_tables=3)
    hh.calibrate(model, [inputs_of("llama", seed=seed) for seed in (1, 2)])
    hh.configure(model, mode=mode, top_n=3)
    inputs = inputs_of("llama", padded=True)
    out = result(model, inputs)
    assert out.dtype == dtype
    assert out.isfinite().all()
    model.save_pretrained(tmp_path)
    loaded = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
    assert loaded.dtype == dtype
    for heads in hamming_layers(loaded).values():
        assert {buffer.dtype for buffer in heads.buffers()} == {torch.float32, torch.int64}
    assert torch.equal(result(loaded, inputs), out)
    result(model.train(), inputs).float().square().mean().backward()
    assert model.model.layers[0].self_attn.q_proj.weight.grad.abs().sum() > 0


def test_half_precision_has_the_weights_of_the_same_numbers():
    heads = next(iter(hamming_layers(binary("llama")).values()))
    q, k = torch.randn(2, 2, 4, 7, 8, generator=torch.Generator().manual_seed(3)).bfloat16()
    weights, scores = heads.weights(q, k, None)
    expected = heads.weights(q.float(), k.float(), None)
    assert torch.equal(weights, expected[0])
    assert torch.equal(scores, expected[1])


def test_many_batches_are_summed_in_float32():
    model = hh.prepare(model_of("llama"))
    batches = [inputs_of("llama", seed=seed) for seed in range(60)]
    hh.calibrate(model, batches)
    expected = [heads.sigma_q.clone() for heads in hamming_layers(model).values()]
    hh.calibrate(model.bfloat16(), batches)
    for heads, sigma in zip(hamming_layers(model).values(), expected, strict=True):
        torch.testing.assert_close(heads.sigma_q.float(), sigma, rtol=0.02, atol=0)


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
