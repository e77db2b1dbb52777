"""Models of `transformers` behind the call of a task: classifiers, and what language models share with them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from transformers import AutoConfig, PreTrainedModel

from hamming.distill.huggingface.model import prepare
from hamming.distill.method.convert import configure, cores, hamming_layers
from hamming.distill.method.heads import HammingHeads
from hamming.distill.method.masks import masked, spread

__all__ = ["Classifier", "Network", "network_of", "read_network"]


class Network(nn.Module):
    """A model of `transformers` whose attention becomes `hamming`.

    Parameters
    ----------
    network
        The model; it is changed.
    """

    def __init__(self, network: PreTrainedModel) -> None:
        super().__init__()
        self.network = prepare(network)

    def save_pretrained(self, folder: Path) -> None:
        """Write the network and the state of its heads, for `from_pretrained` of `transformers`."""
        n_tables = {heads.n_tables for heads in hamming_layers(self).values()}
        prepare(self.network, n_tables=max(n_tables)).save_pretrained(folder)

    def logits(self, need_scores: bool, **inputs: Any) -> tuple[Tensor, list[Tensor]]:
        """Return the network's logits and, if they are wanted, the scores of each layer's attention.

        Scores of keys that take no part are too low to weigh.
        """
        found: list[Tensor] = []

        def record(heads: HammingHeads, q: Tensor, k: Tensor, v: Tensor, seen: Tensor | None) -> Tensor:
            weights, scores = heads.weights(q, k, seen)
            found.append(masked(scores, spread(seen)))
            return weights.to(v.dtype) @ v

        if not need_scores:
            return self.network(**inputs).logits, found
        with cores(self, record):
            return self.network(**inputs).logits, found


class Classifier(Network):
    """A classifier of texts (BERT and its like) or of images (ViT and its like)."""

    def forward(
        self,
        tokens: Tensor | None = None,
        visible: Tensor | None = None,
        *,
        images: Tensor | None = None,
        need_scores: bool = False,
    ) -> tuple[Tensor, list[Tensor]]:
        """Classify.

        Parameters
        ----------
        tokens, visible
            `(batch, n_tokens)`; padding is not visible.
        images
            In place of tokens: one channel, `(batch, height, width)`, which a network of more gets in each.
        need_scores
            As of `Network.logits`.

        Returns
        -------
        Logits, `(batch, n_classes)`, and each layer's scores or none.
        """
        if images is None:
            mask = None if visible is None else visible.long()
            return self.logits(need_scores, input_ids=tokens, attention_mask=mask)
        pixels = images[:, None].expand(-1, self.network.config.num_channels, -1, -1)
        return self.logits(need_scores, pixel_values=pixels)


def network_of(kind: str, config: Mapping[str, Any]) -> PreTrainedModel:
    """Return a random model of a stored configuration, what `PreTrainedConfig.to_dict` gave, in float32.

    Parameters
    ----------
    kind
        The end of its class's name, as `ForCausalLM`.
    config
        The configuration.
    """
    left_out = ("quantization_config", "dtype")  # what is trained is of float32, whatever the folder's weights were
    fields = {key: value for key, value in config.items() if key not in left_out}
    return _auto(kind).from_config(AutoConfig.for_model(**fields))


def read_network(kind: str, what: str, folder: Path, wrapper: type[Network]) -> tuple[Any, dict[str, Any]]:
    """Return the model of a folder that `save_pretrained` wrote, in float32 and full precision, and its shape.

    Parameters
    ----------
    kind
        The end of its class's name, as `ForCausalLM`.
    what
        The same in words.
    folder
        Where it is.
    wrapper
        What it is put in.

    Raises
    ------
    ValueError
        It holds no such model, or one whose attention is not reached.
    """
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        kinds = config.architectures or []
        if not any(name.endswith(kind) for name in kinds):
            raise ValueError(f"it holds {', '.join(kinds) or 'no model'}, no {what} (...{kind})")
        network = _auto(kind).from_pretrained(folder, local_files_only=True, dtype=torch.float32)
        model = wrapper(network).eval()
        configure(model, mode="float")
        return model, {"config": config.to_dict()}
    except (OSError, ValueError) as error:
        raise ValueError(f"{str(folder)!r} cannot be a teacher: {error}") from error


def _auto(kind: str) -> Any:
    return getattr(transformers, f"AutoModel{kind}")
