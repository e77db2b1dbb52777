"""Causal language models of `transformers`: random small ones, pretrained ones, and both behind the call of a task."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from hamming.distill.models.pretrained import Network, network_of, read_network

__all__ = ["SHAPE", "LanguageModel", "build", "pretrained"]

#: The end of the name of such a model's class in `transformers`.
KIND = "ForCausalLM"

#: Keys of section `[model]`, and what each is in `LlamaConfig`.
SHAPE = {
    "n_layers": "num_hidden_layers",
    "d_model": "hidden_size",
    "n_heads": "num_attention_heads",
    "n_key_heads": "num_key_value_heads",
    "d_head": "head_dim",
    "d_inner": "intermediate_size",
}


class LanguageModel(Network):
    """A causal language model, called as tasks call their models."""

    def forward(
        self, tokens: Tensor, visible: Tensor | None = None, *, need_scores: bool = False
    ) -> tuple[Tensor, list[Tensor]]:
        """Predict the token behind each one.

        Parameters
        ----------
        tokens
            `(batch, n_tokens)`.
        visible
            What the losses compare; the network masks by itself.
        need_scores
            Whether the scores of each layer's attention are wanted too: those of keys that take no part are too low
            to weigh.

        Returns
        -------
        Logits, `(batch * n_tokens, n_words)`, and each layer's scores or none.
        """
        logits, found = self.logits(need_scores, input_ids=tokens, use_cache=False)
        return logits.flatten(0, 1), found


def build(n_words: int, shape: Mapping[str, Any]) -> LanguageModel:
    """Return a random model: of the form of Llama (Touvron et al., arXiv 2302.13971), or of a stored configuration.

    Parameters
    ----------
    n_words
        Kinds of tokens.
    shape
        Keys of `SHAPE`; or `config` alone, what `PreTrainedConfig.to_dict` gave.

    Raises
    ------
    ValueError
        A key that is not known, or numbers that do not go together.
    """
    if "config" in shape:
        return LanguageModel(network_of(KIND, shape["config"]))
    for key in shape:
        if key not in SHAPE:
            raise ValueError(f"unknown key {key!r} in [model]; known: {', '.join(SHAPE)}")
    given = {"n_layers": 4, "d_model": 128, "n_heads": 2, "n_key_heads": 1, "d_head": 64, "d_inner": 384} | dict(shape)
    if given["n_heads"] % given["n_key_heads"]:
        raise ValueError(f"n_key_heads must divide n_heads = {given['n_heads']}, not be {given['n_key_heads']}")
    fields: dict[str, Any] = {SHAPE[key]: value for key, value in given.items()}
    fields |= {"vocab_size": n_words, "tie_word_embeddings": True, "bos_token_id": None, "eos_token_id": None}
    return LanguageModel(LlamaForCausalLM(LlamaConfig(**fields)))


def pretrained(folder: Path) -> tuple[LanguageModel, dict[str, Any]]:
    """Return the model of a folder that `save_pretrained` wrote, in float32, and its shape for `build`.

    Raises
    ------
    ValueError
        It holds no causal language model, or one whose attention is not reached.
    """
    return read_network(KIND, "causal language model", folder, LanguageModel)
