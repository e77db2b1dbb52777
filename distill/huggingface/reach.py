"""The attention modules of a model of `transformers` that the name `hamming` reaches, and those that it does not."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from torch import nn

from hamming.distill.huggingface.attention import CHILD, TransformersHeads

__all__ = ["attach", "reached"]


def attach(model: nn.Module) -> None:
    """Put a `TransformersHeads` into every attention module of `model` that has none.

    Raises
    ------
    ValueError
        An attention is not reached, or there is none.
    """
    found = dict(reached(model))
    if not found:
        raise ValueError(f"{type(model).__name__} has no attention that asks AttentionInterface for its function")
    for name, module in model.named_modules():
        is_part = any(_holds(name, other) or _holds(other, name) for other in found)
        if "Attention" in type(module).__name__ and not is_part:
            raise ValueError(
                f"the attention {name} ({type(module).__name__}) does not ask AttentionInterface for its function: it "
                "would stay in full precision"
            )
    for module in found.values():
        if not hasattr(module, CHILD):
            n_heads, d_head = _shape(module)
            setattr(module, CHILD, TransformersHeads(n_heads, d_head, d_head))


def reached(model: nn.Module) -> Iterator[tuple[str, Any]]:
    """Give the modules whose `forward` takes its attention from `transformers`' interface, by their names."""
    for name, module in model.named_modules():
        code = getattr(inspect.unwrap(type(module).forward), "__code__", None)
        if code is not None and "ALL_ATTENTION_FUNCTIONS" in code.co_names:
            yield name, module


def _holds(outer: str, inner: str) -> bool:
    return inner == outer or inner.startswith(f"{outer}.") or not outer


def _shape(module: Any) -> tuple[int, int]:
    """Return heads, and elements of a head, of an attention module."""
    n_heads = module.config.num_attention_heads
    for owner, name in ((module, "head_dim"), (module, "attention_head_size"), (module.config, "head_dim")):
        size = getattr(owner, name, None)
        if size is not None:
            return n_heads, size
    return n_heads, module.config.hidden_size // n_heads
