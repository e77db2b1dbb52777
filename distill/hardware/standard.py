"""A model of full precision whose attention a baseline computes, to the last bit: standard attention in small numbers.

Queries and keys of a head have a scale each, and each value element one. All are chosen on training items, each as the
one of some shares of the largest magnitude for which the squared error is least; nothing is trained.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hamming.distill.hardware.integer import limits_of
from hamming.distill.method.convert import cores, hamming_layers
from hamming.distill.method.heads import HammingHeads
from hamming.distill.method.quantize import quantize_values, value_scale
from hamming.golden.standard import StandardSpec, attend_standard
from hamming.golden.standard.bf16 import Bf16Spec, attend_bf16
from hamming.golden.standard.bf16_arithmetic import from_patterns, to_patterns

__all__ = ["HeadScales", "collect_heads", "head_scales", "standard_attention"]

#: Keys of a row, and partial sums, of bfloat16, by which it sums: those of the baseline of `bert`.
_BF16_LANES, _BF16_SUMS = 2, 3


@dataclass(frozen=True, kw_only=True)
class HeadScales:
    """What a unit is worth: of a head's queries and keys, `(n_heads,)`, and of value elements, `(n_heads, d_value)`."""

    q: Tensor
    k: Tensor
    v: Tensor


def collect_heads(
    model: nn.Module, run: Callable[[Any], object], batches: Iterable[Any], *, enough: int
) -> dict[str, tuple[Tensor, Tensor, Tensor]]:
    """Return queries, keys and values of some batches, `(n_tokens, n_heads, d)`, by attention module.

    Padding counts as well. Batches are taken until there are `enough` tokens.
    """
    found: dict[str, list[tuple[Tensor, ...]]] = {name: [] for name in hamming_layers(model)}
    name_of = {layer: name for name, layer in hamming_layers(model).items()}

    def record(layer: HammingHeads, q: Tensor, k: Tensor, v: Tensor, visible: Tensor | None) -> Tensor:
        found[name_of[layer]].append(tuple(x.transpose(1, 2).flatten(0, 1) for x in (q, k, v)))
        return layer.weights(q, k, visible)[0] @ v

    with torch.no_grad(), cores(model, record):
        for batch in batches:
            run(batch)
            if sum(len(q) for q, *_ in next(iter(found.values()))) >= enough:
                break
    return {name: tuple(torch.cat(parts) for parts in zip(*seen, strict=True)) for name, seen in found.items()}  # type: ignore[misc]


def head_scales(seen: Mapping[str, tuple[Tensor, Tensor, Tensor]], element_bits: int) -> dict[str, HeadScales]:
    """Return the scales of integers of `element_bits`, of what `collect_heads` found."""

    def of_head(x: Tensor) -> Tensor:
        return value_scale(x.transpose(1, 2).flatten(0, 1), element_bits)

    return {
        name: HeadScales(q=of_head(q), k=of_head(k), v=value_scale(v, element_bits)) for name, (q, k, v) in seen.items()
    }


@contextlib.contextmanager
def standard_attention(
    model: nn.Module, scales: Mapping[str, HeadScales] | None, *, element_bits: int = 8, top_k: int | None = None
) -> Iterator[None]:
    """Let a baseline's golden model compute every attention of `model`, for a while.

    Parameters
    ----------
    model
        Its modules in mode `float`: whose queries and keys are of full precision.
    scales
        Of each module by name, as of `head_scales`. None: numbers are bfloat16, without scales.
    element_bits, top_k
        As of `golden.standard.StandardSpec`; without meaning in bfloat16.

    Raises
    ------
    ValueError
        A module is not in mode `float`; or, as it attends, a query does not see its keys from the first on.
    """
    layers = hamming_layers(model)
    for name, layer in layers.items():
        if layer.mode != "float":
            raise ValueError(f"{name} must be in mode 'float', not {layer.mode!r}: a baseline has no binary keys")
    name_of = {layer: name for name, layer in layers.items()}

    def core(layer: HammingHeads, q: Tensor, k: Tensor, v: Tensor, visible: Tensor | None) -> Tensor:
        limits = limits_of(visible)
        if limits.keys() - {"n_valid"}:
            raise ValueError("a baseline's query sees the keys below its n_valid, and no other pattern")
        out = torch.empty((*q.shape[:-1], layer.d_value), dtype=v.dtype)
        for head in range(layer.n_heads):
            given = q[:, head], k[:, head], v[:, head]
            if scales is None:
                out[:, head] = _bf16(layer, *given, limits)
            else:
                out[:, head] = _integers(layer, *given, limits, scales[name_of[layer]], head, element_bits, top_k)
        return out

    with torch.no_grad(), cores(model, core):
        yield


def _integers(
    layer: HammingHeads,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    limits: Mapping[str, Any],
    scales: HeadScales,
    head: int,
    element_bits: int,
    top_k: int | None,
) -> Tensor:
    n_keys = k.shape[-2]
    spec = StandardSpec.from_logit_scale(
        d_head=layer.d_head,
        d_value=layer.d_value,
        n_keys=n_keys,
        logit_scale=float(scales.q[head] * scales.k[head]) / layer.d_head**0.5,
        element_bits=element_bits,
        top_k=None if top_k is None else min(top_k, n_keys),
    )
    of_head = (scales.q[head], scales.k[head], scales.v[head])
    integers = (
        quantize_values(x, scale, element_bits).to(torch.int64).numpy()
        for x, scale in zip((q, k, v), of_head, strict=True)
    )
    out = attend_standard(spec, *integers, **limits).out
    return torch.from_numpy(out).to(v.dtype) * (scales.v[head] / 2**spec.out_frac_bits)


def _bf16(layer: HammingHeads, q: Tensor, k: Tensor, v: Tensor, limits: Mapping[str, Any]) -> Tensor:
    spec = Bf16Spec.from_logit_scale(
        d_head=layer.d_head,
        d_value=layer.d_value,
        n_keys=k.shape[-2],
        n_lanes=_BF16_LANES,
        n_sums=_BF16_SUMS,
        logit_scale=layer.d_head**-0.5,
    )
    out = np.empty((*q.shape[:-1], layer.d_value))
    n_valid = np.broadcast_to(limits.get("n_valid", k.shape[-2]), q.shape[:-1])
    for item in range(len(q)):  # a batch's products would take gigabytes
        patterns = (to_patterns(x[item].numpy()) for x in (q, k, v))
        out[item] = from_patterns(attend_bf16(spec, *patterns, n_valid=n_valid[item]).out)
    return torch.from_numpy(out).to(v.dtype)
