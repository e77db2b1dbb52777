"""How alike attention is in integers and in floating point, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hamming.distill.hardware.integer import HeadInputs, attend_heads, head_inputs, integer_attention
from hamming.distill.method.convert import cores, hamming_layers
from hamming.distill.method.heads import HammingHeads
from hamming.distill.method.quantize import Widths
from hamming.distill.tasks.task import Task
from hamming.golden.score import binarize

__all__ = ["Cosine", "attention_cosine", "cosine", "flipped_bits"]


@dataclass(frozen=True, kw_only=True)
class Cosine:
    """Cosine similarities of vectors: of all of them, the mean and the least."""

    mean: float
    worst: float


def cosine(a: Tensor, b: Tensor) -> Cosine:
    """Compare vectors along the last axis, each with its own."""
    return _summary(torch.cosine_similarity(a.double(), b.double(), dim=-1))


def _summary(cosines: Tensor) -> Cosine:
    return Cosine(mean=float(cosines.double().mean()), worst=float(cosines.min()))


def attention_cosine(
    model: nn.Module, task: Task, scales: Mapping[str, Tensor], widths: Widths, *, limit: int | None = None
) -> Cosine:
    """Compare each token's outputs of attention, integer to float, from the same queries, keys and values.

    The model goes on with those of floating point. Tokens that are padding, or see no key, do not count.
    """
    name_of = {layer: name for name, layer in hamming_layers(model).items()}
    found = []

    def core(layer: HammingHeads, q: Tensor, k: Tensor, v: Tensor, visible: Tensor | None) -> Tensor:
        scale = scales[name_of[layer]]
        exact = layer.weights(q, k, visible)[0] @ v
        given = head_inputs(layer, q, k, v, visible, scale=scale, value_bits=widths.value_bits)
        rounded = torch.from_numpy(attend_heads(layer, given, widths)) * scale[:, None]
        tokens = [x.transpose(1, 2).flatten(2) for x in (exact, rounded.to(exact.dtype))]
        if visible is not None:
            counts = visible if visible.ndim == 2 else visible.any(dim=-1)
            tokens = [x[counts] for x in tokens]
        found.append(torch.cosine_similarity(*tokens, dim=-1).flatten())
        return exact

    with torch.no_grad(), cores(model, core):
        for inputs, _ in task.test_batches(limit):
            task.forward(model, inputs)  # type: ignore[arg-type]
    return _summary(torch.cat(found))


def flipped_bits(
    model: nn.Module, task: Task, scales: Mapping[str, Tensor], widths: Widths, *, limit: int | None = None
) -> dict[str, float]:
    """Return the share of the bits of queries and keys that are not those of floating point, by layer.

    Both models go their own way from the first layer on, whose bits are therefore the same. Tokens that are padding
    do not count.
    """
    name_of = {layer: name for name, layer in hamming_layers(model).items()}
    exact: dict[str, tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.bool_]]] = {}
    flipped, count = dict.fromkeys(name_of.values(), 0), dict.fromkeys(name_of.values(), 0)

    def keep(layer: HammingHeads, q: Tensor, k: Tensor, v: Tensor, visible: Tensor | None) -> Tensor:
        counts = torch.ones(q.shape[0], q.shape[2], dtype=torch.bool)
        if visible is not None:
            counts = visible if visible.ndim == 2 else visible.any(dim=1)
        centred = k - layer.key_mean[:, None]
        exact[name_of[layer]] = binarize(q.numpy()), binarize(centred.numpy()), counts.numpy()
        return layer.weights(q, k, visible)[0] @ v

    def compare(name: str, given: HeadInputs, out: NDArray[np.int64]) -> None:
        q, k, counts = exact[name]
        for there, here in ((q, given.q), (k, given.k)):
            differs = (there != here).swapaxes(1, 2)[counts]
            flipped[name] += int(differs.sum())
            count[name] += differs.size

    with torch.no_grad():
        for inputs, _ in task.test_batches(limit):
            with cores(model, keep):
                task.forward(model, inputs)  # type: ignore[arg-type]
            with integer_attention(model, scales, widths, watch=compare):
                task.forward(model, inputs)  # type: ignore[arg-type]
    return {name: flipped[name] / count[name] for name in flipped}
