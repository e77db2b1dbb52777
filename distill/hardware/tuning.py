"""A short fine-tuning for a design's numbers: rounded in training too, and over as few keys."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from hamming.distill.hardware.standard import HeadScales
from hamming.distill.method.convert import configure, cores, hamming_layers
from hamming.distill.method.heads import Core, HammingHeads
from hamming.distill.method.losses import output_divergence
from hamming.distill.method.quantize import quantize_values
from hamming.distill.method.schedule import learning_rate
from hamming.distill.tasks.task import Task

__all__ = ["tuned", "tuned_student"]

BATCH_SIZE = 64
LEARNING_RATE = 3e-4
WARMUP = 0.1
CLIP = 1.0


def tuned(
    teacher: nn.Module,
    task: Task,
    scales: Mapping[str, HeadScales],
    *,
    element_bits: int,
    top_k: int | None,
    n_steps: int,
    seed: int = 0,
) -> nn.Module:
    """Return a copy of a teacher that was trained for integers of `element_bits` and `top_k` keys, all if None.

    Queries, keys and values are rounded as in `standard_attention`, with gradients that go straight through; softmax
    and sums are of full precision. The loss is `output_divergence` from the teacher as it was.

    Parameters
    ----------
    teacher
        In mode `float`; left as it is.
    task
        Whose training items are drawn.
    scales
        As of `head_scales`; they stay.
    element_bits, top_k
        Of the baseline.
    n_steps, seed
        Steps of 64 items, and by what they are drawn.
    """
    model = copy.deepcopy(teacher)
    configure(model, mode="float" if top_k is None else "float_top", top_n=top_k)
    name_of = {layer: name for name, layer in hamming_layers(model).items()}

    def core(layer: HammingHeads, q: Tensor, k: Tensor, v: Tensor, visible: Tensor | None) -> Tensor:
        of = scales[name_of[layer]]
        q, k = (_rounded(x, scale[:, None, None], element_bits) for x, scale in ((q, of.q), (k, of.k)))
        return layer.weights(q, k, visible)[0] @ _rounded(v, of.v[:, None], element_bits)

    _train(model, teacher, task, core, n_steps, seed)
    configure(model, mode="float", top_n=None)
    return model


def tuned_student(
    student: nn.Module,
    teacher: nn.Module,
    task: Task,
    scales: Mapping[str, Tensor],
    *,
    value_bits: int,
    n_steps: int,
    seed: int = 0,
) -> nn.Module:
    """Return a copy of a student, its attention in mode `sign`, that was trained for values of `value_bits`.

    It keeps as many keys, and has weights of the form, that it is configured with; all else is as of `tuned`.

    Parameters
    ----------
    student, teacher
        Both are left as they are.
    scales
        As of `integer.value_scales`; they stay.
    task, value_bits, n_steps, seed
        As of `tuned`.
    """
    model = copy.deepcopy(student)
    name_of = {layer: name for name, layer in hamming_layers(model).items()}

    def core(layer: HammingHeads, q: Tensor, k: Tensor, v: Tensor, visible: Tensor | None) -> Tensor:
        return layer.weights(q, k, visible)[0] @ _rounded(v, scales[name_of[layer]][:, None], value_bits)

    _train(model, teacher, task, core, n_steps, seed)
    return model


def _train(model: nn.Module, teacher: nn.Module, task: Task, core: Core, n_steps: int, seed: int) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=0.0)
    batches, epoch = iter(()), 0
    teacher.eval()
    model.train()
    with cores(model, core):
        for step in range(n_steps):
            if (items := next(batches, None)) is None:
                generator = torch.Generator().manual_seed((seed << 32) + (1 << 31) + epoch)
                batches, epoch = iter(task.epoch(BATCH_SIZE, generator)), epoch + 1
                items = next(batches)
            inputs, _ = task.train_batch(items, torch.Generator().manual_seed((seed << 32) + step))
            with torch.no_grad():
                wanted = task.forward(teacher, inputs)  # type: ignore[arg-type]
            loss = output_divergence(wanted, task.forward(model, inputs))  # type: ignore[arg-type]
            for group in optimizer.param_groups:
                group["lr"] = LEARNING_RATE * learning_rate(step, n_steps, WARMUP)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), CLIP)
            optimizer.step()
    model.eval()


def _rounded(x: Tensor, scale: Tensor, bits: int) -> Tensor:
    """Round to integers of a scale; the gradient is that of `x`."""
    return x + (scale * quantize_values(x, scale, bits) - x).detach()
