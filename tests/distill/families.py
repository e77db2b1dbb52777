"""Small random models of `transformers`, and inputs for them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    BertConfig,
    BertModel,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    ViTConfig,
    ViTModel,
)

import hamming.huggingface as hh

FAMILIES = ("bert", "vit", "llama", "qwen2")

#: Keys that a query of `qwen2` sees in its second layer, its own included; the first sees all before.
WINDOW = 6

_SHAPE: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
_GROUPED: dict[str, Any] = _SHAPE | {
    "vocab_size": 40,
    "num_key_value_heads": 2,
    "bos_token_id": None,
    "eos_token_id": None,
}


def model_of(family: str) -> Any:
    """Return a random model, whose queries and keys are large enough for their softmax not to be flat."""
    torch.manual_seed(FAMILIES.index(family))
    if family == "bert":
        model: Any = BertModel(BertConfig(vocab_size=40, **_SHAPE), add_pooling_layer=False)
    elif family == "vit":
        model = ViTModel(ViTConfig(image_size=12, patch_size=4, **_SHAPE), add_pooling_layer=False)
    elif family == "llama":
        model = LlamaForCausalLM(LlamaConfig(**_GROUPED))
    else:
        kinds = ["full_attention", "sliding_attention"]
        model = Qwen2ForCausalLM(
            Qwen2Config(use_sliding_window=True, sliding_window=WINDOW, layer_types=kinds, **_GROUPED)
        )
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.3)
            if module.bias is not None:
                nn.init.normal_(module.bias, std=0.3)
    return model.eval()


def inputs_of(family: str, *, padded: bool = False, seed: int = 0) -> dict[str, Tensor]:
    """Return three items: images, or texts of 11 tokens; padded ones have only 7 and 4 of them in the last two."""
    generator = torch.Generator().manual_seed(seed)
    if family == "vit":
        return {"pixel_values": torch.randn(3, 3, 12, 12, generator=generator)}
    inputs = {"input_ids": torch.randint(40, (3, 11), generator=generator)}
    if padded:
        is_text = torch.arange(11) < torch.tensor([11, 7, 4])[:, None]
        inputs["attention_mask"] = (is_text if family == "bert" else is_text.flip(1)).long()
    return inputs


def binary(family: str, *, top_n: int | None = 3, **settings) -> Any:
    """Return a model that is calibrated, its attention binary."""
    model = hh.prepare(model_of(family))
    hh.calibrate(model, [inputs_of(family, seed=seed) for seed in (1, 2)], **settings)
    hh.configure(model, mode="sign", top_n=top_n)
    return model


def result(model, inputs: dict[str, Tensor]) -> Tensor:
    """Return a model's first output."""
    return model(**inputs)[0]
