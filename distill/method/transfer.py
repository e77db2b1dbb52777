"""Attention that is trained layer by layer: each learns to give, of its teacher's inputs, its teacher's outputs.

Attention transfer is the first of the two steps of LoLCATs (Zhang et al., arXiv 2410.10254), there of linear attention
and here of binary. A step costs one forward of the teacher and, of the student, the attention alone: no perceptron and
no output layer has a gradient, and all layers learn at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from hamming.distill.method.convert import hamming_layers
from hamming.distill.method.losses import mean, output_error

__all__ = ["attention_modules", "attention_weights", "transfer"]

#: Names of the projections of queries and of keys in a module of attention.
_PROJECTIONS = (("q_proj", "k_proj"), ("query", "key"), ("q_lin", "k_lin"))

#: Names of norms between these projections and the scores.
_NORMS = ("q_norm", "k_norm", "q_layernorm", "k_layernorm")


def attention_modules(model: nn.Module) -> dict[str, nn.Module]:
    """Return the modules of `model` that project queries and keys for its `HammingHeads`, by name.

    They are the heads themselves (`HammingAttention`), or what they are a child of (models of `transformers`).

    Raises
    ------
    ValueError
        One has no projections of queries and keys alone, or there is none.
    """
    found = {}
    for name, heads in hamming_layers(model).items():
        parent = name.rpartition(".")[0]
        found |= {name: heads} if _projections(heads) else {parent: model.get_submodule(parent)}
    for name, module in found.items():
        if not _projections(module):
            known = " or ".join(" and ".join(names) for names in _PROJECTIONS)
            raise ValueError(
                f"the attention {name} ({type(module).__name__}) must have projections of its queries and keys alone, "
                f"named {known}; it has {', '.join(child for child, _ in module.named_children())}"
            )
    if not found:
        raise ValueError(f"{type(model).__name__} has no attention whose projections could be trained")
    return found


def attention_weights(model: nn.Module) -> list[nn.Parameter]:
    """Return the weights that scores depend on, and values do not: projections of queries and keys, and their norms.

    The norm before a module of attention is not among them: its values come from there, too.
    """
    found = {}
    for module in attention_modules(model).values():
        for child in (*_projections(module), *_NORMS):
            part = getattr(module, child, None)
            if isinstance(part, nn.Module):
                found |= {id(weight): weight for weight in part.parameters()}
    return list(found.values())


def transfer(teacher: nn.Module, student: nn.Module, inputs: Mapping[str, Any]) -> Tensor:
    """Add the gradient of the transfer's loss to the student's weights, and return that loss.

    ::

        loss = mean over layers of output_error(f_T(x), f_S(x), visible)

    `f_T` and `f_S` are the modules of attention of teacher and student, their outputs' projections with them where they
    have these, and `x` are the inputs that the layer gets in the teacher. No layer's gradient reaches another, so that
    each is taken as soon as the teacher's forward has passed there, and no more than one layer is remembered.

    Parameters
    ----------
    teacher
        Without gradients.
    student
        A model of the same modules; those that shall not learn have `requires_grad` unset.
    inputs
        What both are called with, without a cache of keys; `visible` says which tokens count.
    """
    pairs, losses = attention_modules(student), []
    theirs = attention_modules(teacher)

    def learn(module: nn.Module, wanted: tuple[Any, ...], given: dict[str, Any], out: tuple[Tensor, ...]) -> None:
        with torch.enable_grad():
            found = pairs[names[module]](*wanted, **given)[0]
            loss = output_error(out[0], found, inputs.get("visible"))
            with torch.autocast(loss.device.type, enabled=False):
                (loss / len(pairs)).backward()
        losses.append(loss.detach())

    names = {module: name for name, module in theirs.items()}
    hooks = [module.register_forward_hook(learn, with_kwargs=True) for module in theirs.values()]
    try:
        with torch.no_grad():
            teacher(**inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return mean(losses)


def _projections(module: nn.Module) -> tuple[str, ...]:
    """Return the names of a module's projections of queries and keys; none if it has none."""
    return next((names for names in _PROJECTIONS if all(hasattr(module, name) for name in names)), ())
