"""Heads with binary queries and keys: from projected queries, keys and values to outputs, with each head's state."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from hamming.distill.method.masks import keep_best, masked, spread
from hamming.distill.method.signs import exact, soft_sign, straight_through_sign
from hamming.golden.checks import require_choice, require_int
from hamming.golden.spec import MAX_TABLES, WEIGHT_FORMS

__all__ = ["MODES", "Core", "HammingHeads"]

#: How heads attend: softmax of full precision, over all keys or over the best; with soft signs; with signs.
MODES = ("float", "float_top", "tanh", "sign")

#: In place of the computation from projected queries, keys and values to each head's output.
Core = Callable[["HammingHeads", Tensor, Tensor, Tensor, "Tensor | None"], Tensor]


class HammingHeads(nn.Module):
    """Heads that can be full precision, soft, or binary with the best `top_n` keys kept.

    For one head, with queries `q`, keys `k` and values `v` as projected::

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
    `golden.spec.power_of_two_table` does, and passes the gradient of the exponential through. Queries, keys and values
    may be of half precision, whatever the buffers are; soft and hard signs are then taken and multiplied in float32.

    Method: Hamming Attention Distillation (arXiv 2502.01770). There `sigma` is a layer's; here it is a head's, since
    each head has a softmax table of its own in the engine.

    Parameters
    ----------
    n_heads
        Heads.
    d_head, d_value
        Elements of a head's queries and keys, and of its values.
    top_n
        Keys kept for each query (the paper's N); None keeps all.
    mode
        One of `MODES`.
    weight_form
        One of `golden.spec.WEIGHT_FORMS`; used by `sign` alone.

    Attributes
    ----------
    sigma_q, sigma_k
        Buffers, `(n_heads,)`: standard deviations, set once by `convert.calibrate` and then frozen.
    key_mean
        Buffer, `(n_heads, d_head)`: taken from keys before their sign; zero unless keys are centred. Softmax of full
        precision does not depend on it, and in the engine it folds into the bias of `k_proj`.
    norm_bounds, norm_shares
        Buffers, `(n_heads, n_tables - 1)` and `(n_heads, n_tables)`, or None: see `set_tables`.
    settings
        Buffer of three integers: `mode`, `top_n` (0: None) and `weight_form`, which `configure` sets.
    sharpness
        `c` of `soft_sign`.
    core
        If set, `core(module, q, k, v, visible)` gives the heads' outputs `(batch, n_heads, n_queries, d_value)`, from
        `q`, `k` `(batch, n_heads, n_tokens, d_head)` as projected (`key_mean` is still in `k`), `v` alike, and
        `visible` as `attend` got it.
    """

    sigma_q: Tensor
    sigma_k: Tensor
    key_mean: Tensor
    settings: Tensor
    norm_bounds: Tensor | None
    norm_shares: Tensor | None

    #: Whether `settings` are saved with the weights; a run of `distill.training` keeps them in its own file.
    saves_settings = False

    def __init__(
        self,
        n_heads: int,
        d_head: int,
        d_value: int,
        *,
        top_n: int | None = None,
        mode: str = "float",
        weight_form: str = "exponential",
    ) -> None:
        super().__init__()
        self.n_heads = require_int("n_heads", n_heads, 1)
        self.d_head = require_int("d_head", d_head, 1)
        self.d_value = require_int("d_value", d_value, 1)
        self.register_buffer("sigma_q", torch.ones(self.n_heads, dtype=torch.float32))  # of half precision models, too
        self.register_buffer("sigma_k", torch.ones(self.n_heads, dtype=torch.float32))
        self.register_buffer("key_mean", torch.zeros(self.n_heads, self.d_head, dtype=torch.float32))
        self.register_buffer("settings", torch.zeros(3, dtype=torch.int64), persistent=self.saves_settings)
        self.register_buffer("norm_bounds", None)
        self.register_buffer("norm_shares", None)
        self.sharpness = 1.0
        self.core: Core | None = None
        self.configure(mode=mode, top_n=top_n, weight_form=weight_form)

    def configure(self, **settings: Any) -> None:
        """Set any of `mode`, `top_n`, `weight_form` and `sharpness`; where one is wrong, none.

        Raises
        ------
        TypeError, ValueError
            A value that is not allowed; it is quoted.
        """
        places: dict[int, int] = {}
        sharpness = settings.get("sharpness", self.sharpness)
        for name, value in settings.items():
            if name == "mode":
                places[0] = MODES.index(require_choice(name, value, MODES))
            elif name == "top_n":
                places[1] = 0 if value is None else require_int(name, value, 1)
            elif name == "weight_form":
                places[2] = WEIGHT_FORMS.index(require_choice(name, value, WEIGHT_FORMS))
            elif name == "sharpness":
                if not (isinstance(value, (int, float)) and math.isfinite(value) and value > 0):
                    raise ValueError(f"sharpness must be a number above 0, not {value!r}")
            else:
                raise TypeError(f"unknown setting {name!r}; known: mode, top_n, weight_form, sharpness")
        for place, number in places.items():
            self.settings[place] = number
        self.sharpness = float(sharpness)

    @property
    def mode(self) -> str:
        """How the heads attend."""
        return MODES[int(self.settings[0])]

    @property
    def top_n(self) -> int | None:
        """Keys kept for each query; None: all."""
        return int(self.settings[1]) or None

    @property
    def weight_form(self) -> str:
        """Form of the weights."""
        return WEIGHT_FORMS[int(self.settings[2])]

    @property
    def logit_scale(self) -> Tensor:
        """`sigma_q * sigma_k / sqrt(d_head)` of each head, `(n_heads,)`: what the engine's tables are made of."""
        return self.sigma_q * self.sigma_k / math.sqrt(self.d_head)

    def set_tables(self, n_tables: int) -> None:
        """Give each head `n_tables` softmax tables, of which a query takes one by its own norm, which its signs lose.

        With `b` the head's `norm_bounds`, rising, and `s` its `norm_shares`::

            table(q) = how many of b are <= |q|         score of q = s[table(q)] * the score by the head's scale

        `convert.calibrate` sets both, so that tables are for as many queries each; until then all tables are alike.
        Heads that have as many tables keep what they have.

        Raises
        ------
        TypeError, ValueError
            `n_tables` is no integer of 1 to 256.
        """
        if require_int("n_tables", n_tables, 1, MAX_TABLES) == self.n_tables:
            return
        several, like = n_tables > 1, self.sigma_q
        self.norm_bounds = like.new_full((self.n_heads, n_tables - 1), torch.inf) if several else None
        self.norm_shares = like.new_ones(self.n_heads, n_tables) if several else None

    @property
    def n_tables(self) -> int:
        """Softmax tables of each head."""
        return 1 if self.norm_shares is None else self.norm_shares.shape[1]

    @property
    def logit_scales(self) -> Tensor:
        """`logit_scale` of each table, `(n_heads, n_tables)`."""
        scale = self.logit_scale[:, None]
        return scale if self.norm_shares is None else scale * self.norm_shares

    def table(self, q: Tensor) -> Tensor | None:
        """Return which table each of `q`, `(batch, n_heads, n_queries, d_head)`, takes; None: there is one."""
        if self.norm_bounds is None:
            return None
        return (q.norm(dim=-1, dtype=exact(q))[..., None] >= self.norm_bounds[:, None]).sum(-1)

    def _scale(self, q: Tensor) -> Tensor:
        """Return the logit scale of each query, to be multiplied with `(batch, n_heads, n_queries, n_keys)`."""
        table = self.table(q.detach())
        if table is None:
            return self.logit_scale[:, None, None]
        return self.logit_scales[:, None].expand(*table.shape, -1).gather(-1, table[..., None])

    def extra_repr(self) -> str:
        return f"mode={self.mode!r}, top_n={self.top_n}, weight_form={self.weight_form!r}"

    def attend(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        visible: Tensor | None,
        *,
        need_scores: bool = False,
        dropout: float = 0.0,
    ) -> tuple[Tensor, Tensor | None]:
        """Attend.

        Parameters
        ----------
        q, k, v
            `(batch, n_heads, n_queries, d_head)`, `(batch, n_heads, n_keys, d_head)`, `(batch, n_heads, n_keys,
            d_value)`.
        visible
            True where a key takes part: `(batch, n_keys)`, or `(batch, n_queries, n_keys)` (causal, for instance).
            None: all do.
        need_scores
            Whether the scores are wanted too. A `core` gives none.
        dropout
            Share of the weights that are dropped at random; a `core` drops none.

        Returns
        -------
        Outputs `(batch, n_heads, n_queries, d_value)`, and the scores of all keys before any is left out,
        `(batch, n_heads, n_queries, n_keys)`, or None.
        """
        if self.core is not None:
            return self.core(self, q, k, v, visible), None
        if self.mode == "float" and not need_scores:
            seen = spread(visible)
            return functional.scaled_dot_product_attention(q, k, v, attn_mask=seen, dropout_p=dropout), None
        weights, scores = self.weights(q, k, visible)
        if dropout:
            weights = functional.dropout(weights, dropout)
        return weights.to(v.dtype) @ v, scores if need_scores else None

    def weights(self, q: Tensor, k: Tensor, visible: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return softmax weights, zero where a key was not kept, and the scores of all keys."""
        if self.mode in ("float", "float_top"):
            ordered = scores = q @ k.mT / math.sqrt(self.d_head)
        else:
            q, k = q.to(exact(q)), k.to(exact(k)) - self.key_mean[:, None]
            sigma_q, sigma_k, scale = self.sigma_q[:, None, None], self.sigma_k[:, None, None], self._scale(q)
            if self.mode == "tanh":
                q, k = soft_sign(q, sigma_q, self.sharpness), soft_sign(k, sigma_k, self.sharpness)
            else:
                q, k = straight_through_sign(q, sigma_q), straight_through_sign(k, sigma_k)
            ordered = q @ k.mT  # in sign mode integers, exactly: their order is the contract's
            scores = ordered * scale
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
