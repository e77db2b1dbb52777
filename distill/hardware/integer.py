"""A model whose attention is computed by the golden model, as the hardware computes it, to the last bit."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hamming.distill.method.convert import cores, hamming_layers
from hamming.distill.method.heads import HammingHeads
from hamming.distill.method.quantize import Widths, head_spec, quantize_values, value_scale
from hamming.golden.attention import attend
from hamming.golden.score import binarize

__all__ = [
    "HeadInputs",
    "attend_heads",
    "collect_values",
    "head_inputs",
    "integer_attention",
    "limits_of",
    "value_scales",
]


@dataclass(frozen=True, kw_only=True, eq=False)
class HeadInputs:
    """What the heads of a layer send to the hardware, as `golden.attention.attend` takes it.

    Attributes
    ----------
    q, k
        Bits, `(batch, n_heads, n_tokens, d_head)`.
    v
        Signed integers of `value_bits`, `(batch, n_heads, n_tokens, d_value)`.
    n_valid
        Keys that a query sees, `(batch, 1)` or `(batch, n_queries)`; None where it sees all, or where it takes a mask
        to say which.
    first
        Where its keys begin, shaped like `n_valid`, if that is not 0 of every query: a window, or padding in front.
    table
        Which of a head's tables a query takes, `(batch, n_heads, n_queries)`, or None where there is one.
    mask
        True where a query does not see a key, `(batch, 1, n_keys)` or `(batch, n_queries, n_keys)`, or None.
    """

    q: NDArray[np.uint8]
    k: NDArray[np.uint8]
    v: NDArray[np.int16]
    n_valid: NDArray[np.int64] | None = None
    first: NDArray[np.int64] | None = None
    mask: NDArray[np.bool_] | None = None
    table: NDArray[np.int64] | None = None

    def limits(self, head: int) -> dict[str, NDArray]:
        """Return what there is of `first`, `n_valid`, `mask` and `table` of a head, by name."""
        named = {name: getattr(self, name) for name in ("first", "n_valid", "mask")}
        named["table"] = None if self.table is None else self.table[:, head]
        return {name: array for name, array in named.items() if array is not None}


def head_inputs(
    layer: HammingHeads,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    visible: Tensor | None,
    *,
    scale: Tensor,
    value_bits: int,
) -> HeadInputs:
    """Turn projected queries, keys and values into the hardware's integers.

    `q = sign(q)`, `k = sign(k - key_mean)`, `v = round(v / scale)`, clipped; padding at the end becomes `n_valid`, as
    does a causal mask; a window, or padding in front, `first` and `n_valid`; any other pattern a mask.

    Parameters
    ----------
    layer
        Whose they are.
    q, k, v, visible
        As a `core` of `distill.method.attention.HammingHeads` gets them.
    scale
        Of each value element, `(n_heads, d_value)`.
    value_bits
        Bits of the integers.
    """
    return HeadInputs(
        q=binarize(q.numpy()),
        k=binarize((k - layer.key_mean[:, None]).numpy()),
        v=quantize_values(v, scale[:, None], value_bits).to(torch.int16).numpy(),
        table=None if (table := layer.table(q)) is None else table.numpy(),
        **limits_of(visible),
    )


def limits_of(visible: Tensor | None) -> dict[str, Any]:
    """Return `first`, `n_valid` or `mask` of `HeadInputs`, whichever say what is visible."""
    if visible is None:
        return {}
    seen = visible.numpy()
    if seen.ndim == 2:
        seen = seen[:, None]
    n_keys = seen.shape[-1]
    count, place = seen.sum(axis=-1), np.arange(n_keys)
    first = np.where(count > 0, seen.argmax(axis=-1), 0)
    n_valid = first + count
    if not np.array_equal(seen, (first[..., None] <= place) & (place < n_valid[..., None])):
        return {"mask": ~seen}
    return {"n_valid": n_valid, "first": first} if first.any() else {"n_valid": n_valid}


def attend_heads(layer: HammingHeads, given: HeadInputs, widths: Widths) -> NDArray[np.int64]:
    """`golden.attention.attend` of each head with its own tables: `(batch, n_heads, n_queries, d_value)`, integers."""
    out = np.empty((*given.q.shape[:-1], layer.d_value), np.int64)
    for head in range(layer.n_heads):
        spec = head_spec(layer, head, given.k.shape[-2], widths)
        q, k, v = given.q[:, head], given.k[:, head], given.v[:, head]
        out[:, head] = attend(spec, q, k, v, **given.limits(head)).out
    return out


@contextlib.contextmanager
def integer_attention(
    model: nn.Module,
    scales: Mapping[str, Tensor],
    widths: Widths,
    *,
    watch: Callable[[str, HeadInputs, NDArray[np.int64]], None] | None = None,
) -> Iterator[None]:
    """Let the golden model compute every attention of `model`, for a while.

    A head's output is `out * scale / 2**out_frac_bits`; a chip has these factors in the columns of the output
    projection's matrix. Everything outside of attention stays as it is.

    Parameters
    ----------
    model
        Distilled: its modules in mode `sign`.
    scales
        Of each module by name, as `value_scales` gives them.
    widths
        Of the integers.
    watch
        Called with a module's name, what its heads send and what they get, each time that it attends.

    Raises
    ------
    ValueError
        The model has no `HammingHeads`, one that is not in mode `sign`, or one without scales.
    """
    layers = hamming_layers(model)
    if not layers:
        raise ValueError("the model has no HammingAttention; hamming.distill.method.convert.convert puts it in")
    name_of = {layer: name for name, layer in layers.items()}
    for name, layer in layers.items():
        if layer.mode != "sign":
            raise ValueError(
                f"{name} must be in mode 'sign', not {layer.mode!r}: the hardware has binary queries and keys"
            )
        if name not in scales:
            raise ValueError(f"scales must have {name!r}, not only {', '.join(scales) or 'none'}")

    def core(layer: HammingHeads, q: Tensor, k: Tensor, v: Tensor, visible: Tensor | None) -> Tensor:
        scale = scales[name_of[layer]]
        given = head_inputs(layer, q, k, v, visible, scale=scale, value_bits=widths.value_bits)
        out = attend_heads(layer, given, widths)
        if watch is not None:
            watch(name_of[layer], given, out)
        return torch.from_numpy(out).to(v.dtype) * (scale[:, None] / 2**widths.out_frac_bits)

    with torch.no_grad(), cores(model, core):
        yield


def collect_values(
    model: nn.Module, run: Callable[[Any], object], batches: Iterable[Any], *, enough: int | None = None
) -> dict[str, Tensor]:
    """Return the value vectors of some batches, `(n_tokens, n_heads, d_value)` for each attention module by name.

    Tokens that no query sees, being padding, are left out.

    Parameters
    ----------
    model
        It attends as its mode says.
    run
        `run(batch)` sends a batch through the model.
    batches
        Of what kind `run` takes.
    enough
        Tokens after which no further batch is taken; None: all batches are.

    Raises
    ------
    ValueError
        There is no batch.
    """
    found: dict[HammingHeads, list[Tensor]] = {layer: [] for layer in hamming_layers(model).values()}

    def record(layer: HammingHeads, q: Tensor, k: Tensor, v: Tensor, visible: Tensor | None) -> Tensor:
        tokens = v.transpose(1, 2)
        if visible is not None:
            tokens = tokens[visible.any(dim=1) if visible.ndim == 3 else visible]
        else:
            tokens = tokens.flatten(0, 1)
        found[layer].append(tokens)
        return layer.weights(q, k, visible)[0] @ v

    with torch.no_grad(), cores(model, record):
        for batch in batches:
            run(batch)
            if enough is not None and sum(map(len, next(iter(found.values())))) >= enough:
                break
    if not all(found.values()):
        raise ValueError("scales of values need at least one batch")
    return {name: torch.cat(found[layer]) for name, layer in hamming_layers(model).items()}


def value_scales(values: Mapping[str, Tensor], value_bits: int) -> dict[str, Tensor]:
    """Return the scale of each value element, `(n_heads, d_value)` by module, of what `collect_values` found."""
    return {name: value_scale(sample, value_bits) for name, sample in values.items()}
