"""A model of `transformers` made ready: its attention set, and its heads calibrated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from hamming.distill.huggingface.attention import NAME
from hamming.distill.huggingface.reach import attach, reached
from hamming.distill.huggingface.saving import HammingConfig
from hamming.distill.method.convert import calibrate as calibrate_heads
from hamming.distill.method.convert import hamming_layers, set_tables

__all__ = ["calibrate", "prepare"]

Model = TypeVar("Model", bound=PreTrainedModel)


def prepare(model: Model, *, n_tables: int = 1) -> Model:
    """Set the attention `hamming` in all of `model`, and give each attention module the state of its heads.

    The model is changed, and returned; it computes what it did, with full precision, until it is calibrated and
    `configure(model, mode="sign", top_n=...)` is called. `save_pretrained` and `from_pretrained` keep the state.

    Parameters
    ----------
    model
        Of `transformers`.
    n_tables
        Softmax tables of each head, of which a query takes one by its norm (`HammingHeads.set_tables`).

    Raises
    ------
    ValueError
        An attention that the name does not reach, which would stay in full precision, or none at all.
    """
    attach(model)
    set_tables(model, n_tables)
    model.set_attn_implementation(NAME)
    for name, module in reached(model):
        if module.config._attn_implementation != NAME:
            raise ValueError(f"{name} stays with the attention {module.config._attn_implementation!r}")
    model.config.quantization_config = HammingConfig(n_tables)
    return model


def calibrate(model: nn.Module, batches: Iterable[Mapping[str, Tensor]], *, centre_keys: bool = False) -> None:
    """Set `sigma_q`, `sigma_k` and `key_mean` of every head, as `distill.method.convert.calibrate` does.

    Parameters
    ----------
    model
        One that was prepared. It computes with full precision meanwhile, and without dropout.
    batches
        Arguments of `model` by name, tensors of a batch of items each.
    centre_keys
        Whether each element of the keys is centred before its sign.

    Raises
    ------
    ValueError
        There is no batch, the model is not prepared, or a head got no queries from these batches.
    """
    layers = hamming_layers(model)
    if not layers:
        raise ValueError(f"{type(model).__name__} has no state of heads: call hamming.huggingface.prepare(model) first")
    was_training = model.training
    model.eval()
    try:
        calibrate_heads(model, lambda batch: model(**batch), batches, centre_keys=centre_keys)
    finally:
        model.train(was_training)
    for name, heads in layers.items():
        if not bool(torch.all((heads.sigma_q > 0) & (heads.sigma_k > 0))):
            raise ValueError(f"{name}: these batches do not reach every head, or not with queries and keys that differ")
