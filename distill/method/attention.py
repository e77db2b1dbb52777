"""Attention with binary queries and keys as a PyTorch module: what is distilled, and what the engine then computes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from hamming.distill.method.masks import keep_best, masked, spread
from hamming.distill.method.signs import soft_sign, straight_through_sign
from hamming.golden.checks import require_choice, require_int
from hamming.golden.spec import WEIGHT_FORMS

__all__ = ["MODES", "HammingAttention"]

#: How a module attends: softmax of full precision, over all keys or over the best; with soft signs; with signs.
MODES = ("float", "float_top", "tanh", "sign")

#: In place of the computation from projected queries, keys and values to each head's output.
Core = Callable[["HammingAttention", Tensor, Tensor, Tensor, "Tensor | None"], Tensor]


class HammingAttention(nn.Module):
    """Multi-head attention that can be full precision, soft, or binary with the best `top_n` keys kept.

    For one head, with `x` the tokens, `q = q_proj(x)`, `k = k_proj(x)`, `v = v_proj(x)`::

        mode         q', k'                                           score of a query and a key
        float        q, k                                             q' . k' / sqrt(d_head)
        float_top    q, k                                             the same
        tanh         soft_sign(q / sigma_q), of k - key_mean alike    sigma_q * sigma_k * q' . k' / sqrt(d_head)
        sign         sign(q), sign(k - key_mean)                      the same

        kept         all keys that take part; but in `float` the top_n best, lower index first among equals
        out          softmax over the kept scores, times v

    `sign(x)` is +1 where `x >= 0`, zero included, and -1 elsewhere, as in `golden.score.binarize`. In `sign` the dot
    product is the integer `2 * matches - d_head`, exactly, so that the kept keys are those of `golden.topk.select`,
    ties included; where no key takes part the output is zero, as in the contract. With more `top_n` than keys all are
    kept. `weight_form = "power_of_two"` rounds each weight, relative to the row's best, to a power of two as
    `golden.spec.power_of_two_table` does, and passes the gradient of the exponential through.

    Method: Hamming Attention Distillation (arXiv 2502.01770). There `sigma` is a layer's; here it is a head's, since
    each head has a softmax table of its own in the engine.

    Parameters
    ----------
    d_model
        Elements of a token, in and out.
    n_heads
        Heads.
    d_head, d_value
        Elements of a head's queries and keys, and of its values; `d_model / n_heads` by default.
    top_n
        Keys kept for each query (the paper's N); None keeps all.
    mode
        One of `MODES`.
    weight_form
        One of `golden.spec.WEIGHT_FORMS`; used by `sign` alone.
    bias
        Whether the four projections have a bias.

    Attributes
    ----------
    q_proj, k_proj, v_proj, out_proj
        `nn.Linear`; outputs of the first three are heads after heads.
    sigma_q, sigma_k
        Buffers, `(n_heads,)`: standard deviations, set once by `convert.calibrate` and then frozen.
    key_mean
        Buffer, `(n_heads, d_head)`: taken from keys before their sign; zero unless keys are centred. Softmax of full
        precision does not depend on it, and in the engine it folds into the bias of `k_proj`.
    sharpness
        `c` of `soft_sign`.
    core
        If set, `core(module, q, k, v, visible)` gives the heads' outputs `(batch, n_heads, n_queries, d_value)`, from
        `q`, `k` `(batch, n_heads, n_tokens, d_head)` as projected (`key_mean` is still in `k`), `v` alike, and
        `visible` as `forward` got it.
    """

    sigma_q: Tensor
    sigma_k: Tensor
    key_mean: Tensor

    def __init__(
        self,
        d_model: int,
        n_heads: int,
        *,
        d_head: int | None = None,
        d_value: int | None = None,
        top_n: int | None = None,
        mode: str = "float",
        weight_form: str = "exponential",
        bias: bool = True,
    ) -> None:
        super().__init__()
        require_int("d_model", d_model, 1)
        self.n_heads = require_int("n_heads", n_heads, 1)
        if (d_head is None or d_value is None) and d_model % n_heads:
            raise ValueError(f"n_heads must divide d_model = {d_model}, or d_head and d_value be given; not {n_heads}")
        self.d_head = require_int("d_head", d_model // n_heads if d_head is None else d_head, 1)
        self.d_value = require_int("d_value", d_model // n_heads if d_value is None else d_value, 1)
        self.q_proj = nn.Linear(d_model, self.n_heads * self.d_head, bias=bias)
        self.k_proj = nn.Linear(d_model, self.n_heads * self.d_head, bias=bias)
        self.v_proj = nn.Linear(d_model, self.n_heads * self.d_value, bias=bias)
        self.out_proj = nn.Linear(self.n_heads * self.d_value, d_model, bias=bias)
        self.register_buffer("sigma_q", torch.ones(self.n_heads))
        self.register_buffer("sigma_k", torch.ones(self.n_heads))
        self.register_buffer("key_mean", torch.zeros(self.n_heads, self.d_head))
        self.sharpness = 1.0
        self.core: Core | None = None
        self.configure(mode=mode, top_n=top_n, weight_form=weight_form)

    def configure(self, **settings: Any) -> None:
        """Set any of `mode`, `top_n`, `weight_form` and `sharpness`, checked.

        Raises
        ------
        TypeError, ValueError
            A value that is not allowed; it is quoted.
        """
        for name, value in settings.items():
            if name == "mode":
                self.mode = require_choice(name, value, MODES)
            elif name == "top_n":
                self.top_n = None if value is None else require_int(name, value, 1)
            elif name == "weight_form":
                self.weight_form = require_choice(name, value, WEIGHT_FORMS)
            elif name == "sharpness":
                if not (isinstance(value, (int, float)) and math.isfinite(value) and value > 0):
                    raise ValueError(f"sharpness must be a number above 0, not {value!r}")
                self.sharpness = float(value)
            else:
                raise TypeError(f"unknown setting {name!r}; known: mode, top_n, weight_form, sharpness")

    @property
    def logit_scale(self) -> Tensor:
        """`sigma_q * sigma_k / sqrt(d_head)` of each head, `(n_heads,)`: what the engine's tables are made of."""
        return self.sigma_q * self.sigma_k / math.sqrt(self.d_head)

    def extra_repr(self) -> str:
        return f"mode={self.mode!r}, top_n={self.top_n}, weight_form={self.weight_form!r}"

    def forward(
        self, x: Tensor, *, visible: Tensor | None = None, need_weights: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Attend.

        Parameters
        ----------
        x
            Tokens, `(batch, n_tokens, d_model)`.
        visible
            True where a key takes part: `(batch, n_keys)`, or `(batch, n_queries, n_keys)` (causal, for instance).
            None: all do.
        need_weights
            Whether the scores are wanted too. A `core` gives none.

        Returns
        -------
        Outputs `(batch, n_tokens, d_model)`, and the scores of all keys before any is left out,
        `(batch, n_heads, n_queries, n_keys)`, or None.
        """
        q, k, v = self.project(x)
        scores = None
        if self.core is not None:
            out = self.core(self, q, k, v, visible)
        elif self.mode == "float" and not need_weights:
            out = functional.scaled_dot_product_attention(q, k, v, attn_mask=spread(visible))
        else:
            weights, scores = self.weights(q, k, visible)
            out = weights @ v
        return self.out_proj(out.transpose(1, 2).flatten(2)), scores if need_weights else None

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values by heads, `(batch, n_heads, n_tokens, d)` each."""
        q, k, v = (
            proj(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            for proj in (self.q_proj, self.k_proj, self.v_proj)
        )
        return q, k, v

    def weights(self, q: Tensor, k: Tensor, visible: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return softmax weights, zero where a key was not kept, and the scores of all keys."""
        if self.mode in ("float", "float_top"):
            ordered = scores = q @ k.mT / math.sqrt(self.d_head)
        else:
            k = k - self.key_mean[:, None]
            sigma_q, sigma_k = self.sigma_q[:, None, None], self.sigma_k[:, None, None]
            if self.mode == "tanh":
                q, k = soft_sign(q, sigma_q, self.sharpness), soft_sign(k, sigma_k, self.sharpness)
            else:
                q, k = straight_through_sign(q, sigma_q), straight_through_sign(k, sigma_k)
            ordered = q @ k.mT  # in sign mode integers, exactly: their order is the contract's
            scores = ordered * self.logit_scale[:, None, None]
        kept = self._kept(ordered.detach(), visible)
        logits = masked(scores, kept)
        if self.mode == "sign" and self.weight_form == "power_of_two":
            logits = masked(_whole_halvings(scores, logits.detach().amax(-1, keepdim=True)), kept)
        weights = logits.softmax(-1)
        return weights if kept is None else weights * kept, scores  # a row without a key would share out its weight

    def _kept(self, ordered: Tensor, visible: Tensor | None) -> Tensor | None:
        present = spread(visible)
        if self.mode == "float" or self.top_n is None or self.top_n >= ordered.shape[-1]:
            return present
        return keep_best(ordered, self.top_n, present)


def _whole_halvings(scores: Tensor, best: Tensor) -> Tensor:
    """Logarithms of weights that are powers of two, the nearest to `exp(scores - best)`, with the latter's gradient."""
    below = (best - scores) / math.log(2)
    return -math.log(2) * (below + (torch.floor(below + 0.5) - below).detach())
