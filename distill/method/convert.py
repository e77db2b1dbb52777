"""Models made ready for distillation: their attention found, swapped, calibrated and set."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from hamming.distill.method.attention import HammingAttention
from hamming.distill.method.heads import HammingHeads
from hamming.distill.method.signs import exact

__all__ = ["DropInAttention", "calibrate", "configure", "convert", "hamming_layers", "set_tables", "tokens_that_count"]


class DropInAttention(HammingAttention):
    """`HammingAttention` behind the call of `nn.MultiheadAttention`, for self-attention of batches.

    `nn.TransformerEncoder` and its layers work with it, training and not. Attention weights are not handed out.
    """

    #: What `nn.TransformerEncoderLayer` asks before its fused path, which knows no other attention.
    batch_first = False
    _qkv_same_embed_dim = False

    def forward(  # type: ignore[override]
        self,
        query: Tensor,
        key: Tensor | None = None,
        value: Tensor | None = None,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = False,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
        *,
        visible: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Attend; masks are those of `nn.MultiheadAttention`, and together with `visible` all count.

        Raises
        ------
        ValueError
            Keys or values are not the queries, or a mask is not one of shares 0 and -inf, or of booleans.
        """
        del average_attn_weights
        if (key is not None and key is not query) or (value is not None and value is not query):
            raise ValueError("keys and values must be the queries themselves: this is self-attention")
        batch, n_tokens, _ = query.shape
        parts = [] if visible is None else [visible if visible.ndim == 3 else visible[:, None]]
        if key_padding_mask is not None:
            parts.append(_seen(key_padding_mask)[:, None])
        if attn_mask is not None:
            if attn_mask.ndim != 2:
                raise ValueError(f"attn_mask must be (n_queries, n_keys), not {tuple(attn_mask.shape)}")
            parts.append(_seen(attn_mask)[None])
        elif is_causal:
            parts.append(torch.ones(n_tokens, n_tokens, dtype=torch.bool).tril()[None])
        together = torch.ones((), dtype=torch.bool)
        for part in parts:
            together = together & part
        seen = together.expand(batch, n_tokens, n_tokens) if parts else None
        return super().forward(query, visible=seen, need_weights=need_weights)


def _seen(mask: Tensor) -> Tensor:
    """True where `mask`, of booleans (true: hidden) or of what is added to scores, hides nothing."""
    if mask.dtype == torch.bool:
        return ~mask
    if not ((mask == 0) | (mask == -torch.inf)).all():
        raise ValueError("a mask must hold booleans, or 0 and -inf: no other share can be added to binary scores")
    return mask == 0


def hamming_layers(model: nn.Module) -> dict[str, HammingHeads]:
    """Return a model's attention modules by their names in it, in its order."""
    return {name: module for name, module in model.named_modules() if isinstance(module, HammingHeads)}


def convert(model: nn.Module) -> nn.Module:
    """Put a `DropInAttention` of the same weights in place of every `nn.MultiheadAttention` of `model`.

    The model is changed, and returned; what it computes does not change until its modules are given another mode.

    Raises
    ------
    ValueError
        One of them is not `batch_first`, has dropout, keys of another size, or what binary keys cannot have.
    """
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.MultiheadAttention):
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, _swapped(name, module))
    return model


def _swapped(name: str, source: nn.MultiheadAttention) -> DropInAttention:
    weight, bias = source.in_proj_weight, source.in_proj_bias
    if not source.batch_first or weight is None or source.bias_k is not None or source.add_zero_attn or source.dropout:
        raise ValueError(
            f"{name} must be self-attention with batch_first=True and dropout=0, without kdim, vdim, add_bias_kv and "
            "add_zero_attn"
        )
    swapped = DropInAttention(source.embed_dim, source.num_heads, bias=bias is not None).to(weight)
    with torch.no_grad():
        projections = swapped.q_proj, swapped.k_proj, swapped.v_proj
        for projection, rows in zip(projections, weight.chunk(3), strict=True):
            projection.weight.copy_(rows)
        swapped.out_proj.weight.copy_(source.out_proj.weight)
        if bias is not None:
            for projection, rows in zip(projections, bias.chunk(3), strict=True):
                projection.bias.copy_(rows)
            swapped.out_proj.bias.copy_(source.out_proj.bias)
    return swapped.train(source.training)


def configure(model: nn.Module, **settings: Any) -> None:
    """Set `mode`, `top_n`, `weight_form` or `sharpness` of every attention module of `model`.

    Raises
    ------
    TypeError, ValueError
        A value that is not allowed, or a model that has no attention of this kind; nothing was set.
    """
    layers = hamming_layers(model)
    if not layers:
        raise ValueError(f"{type(model).__name__} has no attention to configure: it is to be made ready first")
    for module in layers.values():
        module.configure(**settings)


def set_tables(model: nn.Module, n_tables: int) -> None:
    """Give every head of `model` as many softmax tables (`HammingHeads.set_tables`)."""
    for module in hamming_layers(model).values():
        module.set_tables(n_tables)


@contextlib.contextmanager
def cores(model: nn.Module, core: Callable[..., Tensor] | None) -> Iterator[None]:
    """Give every attention module of `model` the same `core`, for a while."""
    layers = hamming_layers(model).values()
    before = [module.core for module in layers]
    for module in layers:
        module.core = core
    try:
        yield
    finally:
        for module, old in zip(layers, before, strict=True):
            module.core = old


def calibrate(
    model: nn.Module, run: Callable[[Any], object], batches: Iterable[Any], *, centre_keys: bool = False
) -> None:
    """Set `sigma_q` and `sigma_k` of every attention module, and `key_mean` if keys are to be centred.

    ::

        sigma = mean over batches of the standard deviation over a head's elements and a batch's tokens

    (HAD, arXiv 2502.01770, which takes 100 batches.) Tokens that no query sees, being padding, do not count; where
    queries are not of the keys' tokens, those that see a key do. Keys are measured about `key_mean`, the
    mean over batches of each of their elements, if they are centred. Of several tables the bounds are quantiles of the
    norms of all batches' queries, and a table's share is the root mean square of its queries' norms, in that of all.
    Models of half precision are measured in float32.

    Parameters
    ----------
    model
        Changed in nothing else; it computes with full precision meanwhile.
    run
        `run(batch)` sends a batch through the model.
    batches
        Some batches; they are gone through twice if keys are centred.
    centre_keys
        Whether `key_mean` is measured. If not, it becomes zero.

    Raises
    ------
    ValueError
        There is no batch.
    """
    batches = list(batches)
    if not batches:
        raise ValueError("calibration needs at least one batch")
    layers = list(hamming_layers(model).values())
    sums = {
        module: [torch.zeros_like(t, dtype=exact(t)) for t in (module.sigma_q, module.sigma_k, module.key_mean)]
        for module in layers
    }

    norms: dict[HammingHeads, list[Tensor]] = {module: [] for module in layers}

    def measure(module: HammingHeads, q: Tensor, k: Tensor, v: Tensor, visible: Tensor | None) -> Tensor:
        q_seen, k_seen = (
            x.to(exact(x)).transpose(1, 2)[counted].transpose(0, 1)
            for x, counted in zip((q, k), tokens_that_count(q, k, visible), strict=True)
        )  # (n_heads, tokens, d_head)
        if module.n_tables > 1:
            norms[module].append(q_seen.norm(dim=-1))
        sigma_q, sigma_k, mean = sums[module]
        sigma_q += q_seen.flatten(1).std(1)
        sigma_k += (k_seen - module.key_mean[:, None]).flatten(1).std(1)
        mean += k_seen.mean(1)
        mask = None if visible is None else visible[:, None, None] if visible.ndim == 2 else visible[:, None]
        return nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)

    with torch.no_grad(), cores(model, measure):
        for module in layers:
            module.key_mean.zero_()
        for measures_spread in (False, True) if centre_keys else (True,):
            for batch in batches:
                run(batch)
            for module, (sigma_q, sigma_k, mean) in sums.items():
                if measures_spread:
                    module.sigma_q.copy_(sigma_q / len(batches))
                    module.sigma_k.copy_(sigma_k / len(batches))
                else:
                    module.key_mean.copy_(mean / len(batches))
                for total in (sigma_q, sigma_k, mean):
                    total.zero_()
        for module in layers:
            if module.norm_bounds is not None and module.norm_shares is not None:
                _share_out(torch.cat(norms[module], 1), module.norm_bounds, module.norm_shares)


def tokens_that_count(q: Tensor, k: Tensor, visible: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return which tokens of queries and of keys count, `(batch, n_queries)` and `(batch, n_keys)`."""
    queries, keys = (torch.ones(x.shape[0], x.shape[2], dtype=torch.bool, device=x.device) for x in (q, k))
    if visible is None:
        return queries, keys
    keys = visible.any(1) if visible.ndim == 3 else visible
    if q.shape[2] == k.shape[2]:
        return keys, keys
    return visible.any(2) if visible.ndim == 3 else visible.any(1, keepdim=True).expand_as(queries), keys


def _share_out(norms: Tensor, bounds: Tensor, shares: Tensor) -> None:
    """Set bounds and shares of tables by the norms of queries, `(n_heads, n_queries)`."""
    n_tables = shares.shape[1]
    places = torch.arange(1, n_tables) * norms.shape[1] // n_tables
    bounds.copy_(norms.sort(1).values[:, places])
    table = (norms[..., None] >= bounds[:, None]).sum(-1)
    whole = norms.square().mean(1).sqrt()
    for number in range(n_tables):
        its = table == number
        mean = (norms.square() * its).sum(1) / its.sum(1).clamp(min=1)
        shares[:, number] = torch.where(its.any(1), mean.sqrt() / whole, torch.ones_like(whole))
