"""Models of `transformers`: what the attention `hamming` does in four families, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

transformers = pytest.importorskip("transformers", reason="pip install 'hamming-attention[huggingface]'")

import hamming.huggingface as hh  # noqa: E402
from hamming.distill.method.attention import HammingAttention  # noqa: E402
from hamming.distill.method.convert import cores, hamming_layers  # noqa: E402
from tests.distill.families import FAMILIES, WINDOW, binary, inputs_of, model_of, result  # noqa: E402

CAUSAL = ("llama", "qwen2")


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
