"""What is measured of a model: its accuracy, and how its attention compares with its teacher's."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from hamming.distill.method.convert import configure, hamming_layers
from hamming.distill.method.heads import HammingHeads
from hamming.distill.method.losses import attention_divergence, attention_recall, mean
from hamming.distill.tasks import Task

__all__ = ["AttentionLikeness", "accuracy", "attention_likeness", "settings"]


@contextlib.contextmanager
def settings(model: nn.Module, **changed: Any) -> Iterator[None]:
    """Give every attention module of `model` other settings, for a while."""
    layers: list[HammingHeads] = list(hamming_layers(model).values())
    before = [{name: getattr(module, name) for name in changed} for module in layers]
    configure(model, **changed)
    try:
        yield
    finally:
        for module, old in zip(layers, before, strict=True):
            module.configure(**old)


@torch.no_grad()
def accuracy(model: nn.Module, task: Task, *, limit: int | None = None, **changed: Any) -> float:
    """Return the share of the test items that `model` classifies rightly, its attention set as `changed` says."""
    right = count = 0
    with settings(model, **changed):
        for inputs, labels in task.test_batches(limit):
            right += int((task.forward(model, inputs).argmax(1) == labels).sum())
            count += len(labels)
    return right / count


@dataclass(frozen=True)
class AttentionLikeness:
    """How a student's attention maps compare with its teacher's, mean over queries, heads and layers.

    Attributes
    ----------
    recall
        Share of the teacher's best `top_n` keys that the student keeps.
    divergence
        `distill.method.losses.attention_divergence` over all keys, in nats.
    """

    recall: float
    divergence: float


@torch.no_grad()
def attention_likeness(
    teacher: nn.Module, student: nn.Module, task: Task, top_n: int, *, limit: int = 500
) -> AttentionLikeness:
    """Compare attention on the first `limit` test items.

    Each model's scores are those of its own layers' inputs, as they come from the layers before.
    """
    recalls, divergences, count = [], [], 0
    for inputs, labels in task.test_batches(limit):
        visible = inputs.get("visible")
        _, wanted = teacher(**inputs, need_scores=True)
        _, found = student(**inputs, need_scores=True)
        pairs = list(zip(wanted, found, strict=True))
        count += len(labels)
        recalls.append(len(labels) * mean([attention_recall(a, b, top_n, visible) for a, b in pairs]))
        divergences.append(len(labels) * mean([attention_divergence(a, b, visible) for a, b in pairs]))
    return AttentionLikeness(float(sum(recalls)) / count, float(sum(divergences)) / count)
