"""The attention named `hamming` in `transformers`: queries, keys and values of any of its models to outputs."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask

from hamming.distill.method.heads import HammingHeads

__all__ = ["CHILD", "NAME", "TransformersHeads", "hamming_attention", "visible_keys"]

#: What `model.set_attn_implementation` takes.
NAME = "hamming"

#: The name of a `TransformersHeads` in the attention module of `transformers` that it is the state of.
CHILD = "hamming"

#: What some models add to, or take from, scores, which binary scores cannot have.
_OTHER_SCORES = ("softcap", "s_aux", "position_bias", "head_mask")


class TransformersHeads(HammingHeads):
    """`HammingHeads` of one attention module of `transformers`; the mode and what is kept are saved with the weights.

    Of grouped queries each head has its own `sigma_k` and `key_mean`, those of its group's keys.
    """

    saves_settings = True


def hamming_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    is_causal: bool | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """Attend as the `TransformersHeads` in `module` does: the function behind the name `hamming`.

    Rotary positions are in `query` and `key`, and the keys and values of earlier steps before those of this one, when
    they come here: a sign is taken of what is cached, so that a step with a cache sees the bits of one without.

    Parameters
    ----------
    module
        Attention of `transformers`, with a child `hamming` (`model.prepare`).
    query
        `(batch, n_heads, n_queries, d_head)`.
    key, value
        `(batch, n_heads / group, n_keys, d_head)`, one head for each group of queries' heads.
    attention_mask
        As of `visible_keys`. None: all keys take part, or, of a causal module with more than one query, those up to a
        query's own, the last query seeing the last key.
    dropout
        Share of the weights that are dropped at random.
    scaling
        Above 0. Another one than `1 / sqrt(d_head)`, which is in the heads' logit scales, goes into the queries
        (Gemma, Granite, OPT, Whisper); their signs do not depend on it.
    is_causal
        In place of the module's own attribute.
    others
        Of what models send here, `softcap`, `s_aux`, `position_bias` and `head_mask` must be None.

    Returns
    -------
    Outputs `(batch, n_queries, n_heads, d_head)`, and None in place of weights.

    Raises
    ------
    ValueError
        The module has no state, heads of another shape, or something that binary scores cannot have.
    """
    heads = getattr(module, CHILD, None)
    if not isinstance(heads, TransformersHeads):
        raise ValueError(f"{type(module).__name__} has no state of its heads: call hamming.huggingface.prepare(model)")
    if query.shape[1::2] != (heads.n_heads, heads.d_head) or value.shape[-1] != heads.d_value:
        raise ValueError(
            f"{type(module).__name__} must have {heads.n_heads} heads of {heads.d_head} and values of {heads.d_value}, "
            f"not {query.shape[1]} heads of {query.shape[3]} and values of {value.shape[-1]}"
        )
    if scaling is not None and not math.isclose(scaling, heads.d_head**-0.5):
        if scaling <= 0:
            raise ValueError(f"{type(module).__name__} must have a scaling above 0, not {scaling:.6g}")
        query = query * (scaling * math.sqrt(heads.d_head))
    for name in _OTHER_SCORES:
        if others.get(name) is not None:
            raise ValueError(f"{type(module).__name__} has {name}, which binary scores cannot have")
    n_queries, n_keys = query.shape[2], key.shape[2]
    visible = visible_keys(attention_mask, n_queries, n_keys)
    causal = getattr(module, "is_causal", False) if is_causal is None else is_causal
    if visible is None and causal and n_queries > 1:
        every = torch.ones(n_queries, n_keys, dtype=torch.bool, device=query.device)
        visible = every.tril(n_keys - n_queries).expand(len(query), -1, -1)
    groups = heads.n_heads // key.shape[1]
    key, value = (x.repeat_interleave(groups, 1) for x in (key, value))
    out, _ = heads.attend(query, key, value, visible, dropout=dropout)
    return out.transpose(1, 2).contiguous(), None


def visible_keys(mask: Tensor | None, n_queries: int, n_keys: int) -> Tensor | None:
    """Return where a key takes part, `(batch, n_queries, n_keys)`, of a mask of `transformers`.

    Parameters
    ----------
    mask
        `(batch, 1, n_queries, n_keys)`: booleans, true where a key takes part, or what is added to scores: 0, and the
        least number of its type or -inf. None stays None.
    n_queries, n_keys
        What it must have.

    Raises
    ------
    ValueError
        It has another shape, such as one mask a head, or adds something else to scores.
    """
    if mask is None:
        return None
    if mask.ndim != 4 or mask.shape[1] != 1 or mask.shape[2:] != (n_queries, n_keys):
        raise ValueError(
            f"a mask must be (batch, 1, {n_queries}, {n_keys}), the same for all heads, not {tuple(mask.shape)}"
        )
    mask = mask[:, 0]
    if mask.dtype == torch.bool:
        return mask
    seen = mask == 0
    if not (seen | (mask <= torch.finfo(mask.dtype).min)).all():
        raise ValueError(
            "a mask must hide keys or leave them: 0 and the least number, or booleans; no other share can be added to "
            "binary scores"
        )
    return seen


AttentionInterface.register(NAME, hamming_attention)
AttentionMaskInterface.register(NAME, eager_mask)
