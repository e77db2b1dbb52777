"""A text continued with every attention through the bit-exact model, keys and values appended step by step."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import DynamicCache

from hamming.distill.hardware.engine_file import engine_settings
from hamming.distill.hardware.integer import limits_of
from hamming.distill.method.convert import cores, hamming_layers
from hamming.distill.method.heads import HammingHeads
from hamming.distill.method.quantize import Widths, head_spec, quantize_values
from hamming.distill.models.language import LanguageModel
from hamming.golden.attention import attend
from hamming.golden.checks import require_int
from hamming.golden.score import binarize
from hamming.rtl.config import EngineConfig
from hamming.rtl.design import Design

__all__ = ["AppendedRows", "Engines", "generate"]

#: Gets tokens made, and tokens to be made.
Progress = Callable[[int, int], None]


@dataclass(kw_only=True)
class AppendedRows:
    """What the engines of a layer's heads have been sent, and what they gave: `(n_heads, ...)` each.

    Attributes
    ----------
    k, v
        Rows: bits and integers, written once each.
    q, first, n_valid, table
        Queries in their order, what each sees, and the table that it takes.
    out
        Their outputs, integers.
    """

    k: NDArray[np.uint8]
    v: NDArray[np.int16]
    q: list[NDArray[np.uint8]] = field(default_factory=list)
    first: list[NDArray[np.int64]] = field(default_factory=list)
    n_valid: list[NDArray[np.int64]] = field(default_factory=list)
    table: list[NDArray[np.int64]] = field(default_factory=list)
    out: list[NDArray[np.int64]] = field(default_factory=list)


class Engines:
    """One engine for every head of a model, with the rows that were written into each head's.

    Parameters
    ----------
    model
        Its attention in mode `sign`.
    scales
        Of values, as of `integer.value_scales`.
    widths
        Of the integers.
    n_keys
        Rows that an engine has.
    name
        Of the engine.

    Attributes
    ----------
    settings
        Keys of the section `[engine]`, the same for all heads.
    rows
        `AppendedRows` by layer.

    Raises
    ------
    ValueError
        Heads that no engine serves all.
    """

    def __init__(
        self,
        model: LanguageModel,
        scales: Mapping[str, Tensor],
        widths: Widths,
        *,
        n_keys: int,
        name: str = "language_engine",
    ) -> None:
        self.model, self.scales, self.widths = model, scales, widths
        self.n_keys = require_int("n_keys", n_keys, 1)
        self.layers = hamming_layers(model)
        self._name_of = {layer: name for name, layer in self.layers.items()}
        self.specs = {
            key: [head_spec(layer, head, n_keys, widths) for head in range(layer.n_heads)]
            for key, layer in self.layers.items()
        }
        specs = [spec for row in self.specs.values() for spec in row]
        self.settings = engine_settings(specs, name=name, has_range=_has_windows(model.network.config))
        self.rows: dict[str, AppendedRows] = {}
        self.clear()

    def clear(self) -> None:
        """Forget all rows, and the queries."""
        self.rows = {
            key: AppendedRows(
                k=np.zeros((layer.n_heads, 0, layer.d_head), np.uint8),
                v=np.zeros((layer.n_heads, 0, layer.d_value), np.int16),
            )
            for key, layer in self.layers.items()
        }

    def design(self, layer: str, head: int) -> Design:
        """Return what is generated for a head: its table, and the engine of all."""
        return Design(self.specs[layer][head], EngineConfig.from_dict(self.settings))

    @contextlib.contextmanager
    def attached(self, replace: Mapping[str, NDArray[np.int64]] | None = None) -> Iterator[None]:
        """Let the engines compute every attention of the model, for a while.

        Parameters
        ----------
        replace
            Outputs of a layer, `(n_heads, n_queries, d_value)`, in place of the golden model's: the Verilog's.
        """
        replace = {} if replace is None else replace

        def core(layer: HammingHeads, q: Tensor, k: Tensor, v: Tensor, visible: Tensor | None) -> Tensor:
            name = self._name_of[layer]
            given = replace.get(name)
            out = self._attend(name, q, k, v, visible)
            if given is not None:
                done = sum(part.shape[1] for part in self.rows[name].out)
                out = given[:, done - out.shape[1] : done]
            scale = self.scales[name][:, None] / 2**self.widths.out_frac_bits
            return (torch.from_numpy(out).to(v.dtype) * scale)[None]

        with torch.no_grad(), cores(self.model, core):
            yield

    def _attend(self, name: str, q: Tensor, k: Tensor, v: Tensor, visible: Tensor | None) -> NDArray[np.int64]:
        """Append the rows that are new, and send the queries."""
        layer, rows = self.layers[name], self.rows[name]
        if len(q) != 1:
            raise ValueError(f"engines serve one text at a time, not {len(q)}")
        n_queries, n_keys, n_old = q.shape[2], k.shape[2], rows.k.shape[1]
        if n_keys > self.n_keys:
            raise ValueError(f"the cache has {n_keys} rows, and the engine n_keys = {self.n_keys}: export a larger one")
        if n_keys != n_old + n_queries:
            raise ValueError(
                f"{name}: a step of {n_queries} tokens must add as many rows to {n_old}, not make them {n_keys}"
            )
        limits = limits_of(visible)
        if "mask" in limits:
            raise ValueError(f"{name}: a mask that is neither causal nor a window; the engine takes none")
        new_k = binarize((k[0, :, n_old:] - layer.key_mean[:, None]).numpy())
        new_v = quantize_values(v[0, :, n_old:], self.scales[name][:, None], self.widths.value_bits)
        rows.k = np.concatenate([rows.k, new_k], axis=1)
        rows.v = np.concatenate([rows.v, new_v.to(torch.int16).numpy()], axis=1)
        bits = binarize(q[0].numpy())
        shape = (layer.n_heads, n_queries)
        n_valid = np.broadcast_to(limits.get("n_valid", np.int64(n_keys)), shape)
        first = np.broadcast_to(limits.get("first", np.int64(0)), shape)
        table = np.zeros(shape, np.int64) if (named := layer.table(q)) is None else named[0].numpy()
        queries = zip(self.specs[name], bits, rows.k, rows.v, first, n_valid, table, strict=True)
        out = np.stack(
            [attend(spec, q, k, v, first=low, n_valid=high, table=t).out for spec, q, k, v, low, high, t in queries]
        )
        rows.q.append(bits)
        rows.first.append(first)
        rows.n_valid.append(n_valid)
        rows.table.append(table)
        rows.out.append(out)
        return out


def _has_windows(config: Any) -> bool:
    """Whether some layer's queries do not see all keys before them; a model says it of each layer, or of all."""
    kinds = getattr(config, "layer_types", None)
    if kinds is not None:
        return any(kind != "full_attention" for kind in kinds)
    return any(getattr(config, size, None) is not None for size in ("sliding_window", "attention_chunk_size"))


@torch.no_grad()
def generate(
    model: LanguageModel, prompt: Tensor, n_tokens: int, *, progress: Progress | None = None
) -> tuple[Tensor, Tensor]:
    """Continue a text greedily, with a cache: the most probable token each time, the lower one among equals.

    Parameters
    ----------
    model
        It attends as its modules are set, or through `Engines.attached`.
    prompt
        `(n_prompt,)`, one token or more.
    n_tokens
        Tokens to be made.
    progress
        Called after each token.

    Returns
    -------
    Tokens `(n_tokens,)`, and the logits that each was the greatest of, `(n_tokens, n_words)`.
    """
    require_int("n_tokens", n_tokens, 1)
    if prompt.ndim != 1 or not len(prompt):
        raise ValueError(f"a prompt must be (n_prompt,), of one token or more, not {tuple(prompt.shape)}")
    cache = DynamicCache()  # keeps every row; a window is in the mask
    step, tokens, logits = prompt[None].long(), [], []
    for done in range(n_tokens):
        last = model.network(input_ids=step, past_key_values=cache, use_cache=True).logits[0, -1]
        logits.append(last)
        tokens.append(int(last.argmax()))
        step = torch.tensor([tokens[-1:]])
        if progress is not None:
            progress(done + 1, n_tokens)
    return torch.tensor(tokens), torch.stack(logits)
