"""The attention modules of a model of `transformers` that the name `hamming` reaches, and those that it does not."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from torch import nn

from hamming.distill.huggingface.attention import CHILD, TransformersHeads

__all__ = ["attach", "reached"]

#: Attributes of attention modules whose scores binary ones cannot be, and what they are; off where None or false.
_OTHER_SCORES = {
    "attn_logit_softcapping": "a soft cap of its scores (Gemma 2)",
    "sinks": "sinks in its softmax (GPT-OSS)",
    "has_relative_attention_bias": "biases by position (T5)",
}


def attach(model: nn.Module) -> None:
    """Put a `TransformersHeads` into every attention module of `model` that has none.

    Raises
    ------
    ValueError
        An attention is not reached, or there is none, or its scores are such as binary ones cannot be.
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
    for name, module in found.items():
        for attribute, what in _OTHER_SCORES.items():
            value = getattr(module, attribute, None)
            if value is not None and value is not False:
                raise ValueError(
                    f"the attention {name} ({type(module).__name__}) has {what}, which binary scores cannot have"
                )
    for name, module in found.items():
        if not hasattr(module, CHILD):
            setattr(module, CHILD, TransformersHeads(*_shape(name, module)))


def reached(model: nn.Module) -> Iterator[tuple[str, Any]]:
    """Give the modules whose `forward` takes its attention from `transformers`' interface, by their names."""
    for name, module in model.named_modules():
        code = getattr(inspect.unwrap(type(module).forward), "__code__", None)
        if code is not None and "ALL_ATTENTION_FUNCTIONS" in code.co_names:
            yield name, module


def _holds(outer: str, inner: str) -> bool:
    return inner == outer or inner.startswith(f"{outer}.") or not outer


def _shape(name: str, module: Any) -> tuple[int, int, int]:
    """Return heads, elements of a head's queries and keys, and of its values, of an attention module.

    Models of several parts have a configuration for all, so that what a module says itself goes before.
    """

    def said(*names: str) -> int | None:
        places = [(module, one) for one in names] + [(module.config, one) for one in names]
        sizes = [getattr(place, one, None) for place, one in places]
        return next((size for size in sizes if isinstance(size, int)), None)

    n_heads = said("num_attention_heads", "num_heads")
    if n_heads is None:
        raise ValueError(f"the attention {name} ({type(module).__name__}) does not say how many heads it has")
    d_head = said("qk_head_dim", "head_dim", "attention_head_size") or module.config.hidden_size // n_heads
    return n_heads, d_head, said("v_head_dim") or d_head
