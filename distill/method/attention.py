"""Attention with binary queries and keys as a PyTorch module: what is distilled, and what the engine then computes."""

from __future__ import annotations

from torch import Tensor, nn

from hamming.distill.method.heads import MODES, HammingHeads
from hamming.golden.checks import require_int

__all__ = ["MODES", "HammingAttention"]


class HammingAttention(HammingHeads):
    """Multi-head self-attention: `HammingHeads` between projections of its own.

    `q = q_proj(x)`, `k = k_proj(x)`, `v = v_proj(x)` of the tokens `x`; `out_proj` takes all heads' outputs.

    Parameters
    ----------
    d_model
        Elements of a token, in and out.
    n_heads, top_n, mode, weight_form
        As of `HammingHeads`.
    d_head, d_value
        As of `HammingHeads`; `d_model / n_heads` by default.
    bias
        Whether the four projections have a bias.

    Attributes
    ----------
    q_proj, k_proj, v_proj, out_proj
        `nn.Linear`; outputs of the first three are heads after heads.
    """

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
        require_int("d_model", d_model, 1)
        require_int("n_heads", n_heads, 1)
        if (d_head is None or d_value is None) and d_model % n_heads:
            raise ValueError(f"n_heads must divide d_model = {d_model}, or d_head and d_value be given; not {n_heads}")
        super().__init__(
            n_heads,
            d_model // n_heads if d_head is None else d_head,
            d_model // n_heads if d_value is None else d_value,
            top_n=top_n,
            mode=mode,
            weight_form=weight_form,
        )
        self.q_proj = nn.Linear(d_model, self.n_heads * self.d_head, bias=bias)
        self.k_proj = nn.Linear(d_model, self.n_heads * self.d_head, bias=bias)
        self.v_proj = nn.Linear(d_model, self.n_heads * self.d_value, bias=bias)
        self.out_proj = nn.Linear(self.n_heads * self.d_value, d_model, bias=bias)

    def forward(
        self, x: Tensor, *, visible: Tensor | None = None, need_weights: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Attend.

        Parameters
        ----------
        x
            Tokens, `(batch, n_tokens, d_model)`.
        visible
            As of `HammingHeads.attend`.
        need_weights
            Whether the scores are wanted too. A `core` gives none.

        Returns
        -------
        Outputs `(batch, n_tokens, d_model)`, and the scores as of `HammingHeads.attend`, or None.
        """
        out, scores = self.attend(*self.project(x), visible, need_scores=need_weights)
        return self.out_proj(out.transpose(1, 2).flatten(2)), scores

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values by heads, `(batch, n_heads, n_tokens, d)` each."""
        q, k, v = (
            proj(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            for proj in (self.q_proj, self.k_proj, self.v_proj)
        )
        return q, k, v
