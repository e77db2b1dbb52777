"""Queries and keys turned before their sign: scores of full precision stay what they are, signs become others.

For an orthogonal `R`, `(R q) . (R k) = q . k`, while `sign(R q) . sign(R k)` depends on `R`: signs keep directions best
where no element is much larger than the others. `R` goes into the weights and biases of `q_proj` and `k_proj`, and
costs nothing. Between the projections of a model with rotary positions and its signs stands the positions' own turn, so
that there is nothing to fold `R` into.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from hamming.distill.method.attention import HammingAttention
from hamming.distill.method.convert import cores, hamming_layers, tokens_that_count
from hamming.distill.method.heads import HammingHeads
from hamming.golden.checks import require_choice, require_int

__all__ = ["ROTATIONS", "hadamard", "learnt", "rotate"]

#: How queries and keys are turned: not, by a Hadamard matrix, or by one that fits them.
ROTATIONS = ("none", "hadamard", "learnt")

#: Steps of `learnt`, and queries and keys of a head, each, that it sees at most.
N_STEPS, N_SEEN = 50, 4096


def hadamard(n: int) -> Tensor:
    """Return Sylvester's Hadamard matrix over `sqrt(n)`, `(n, n)`: orthogonal, each element as large as the others.

    Raises
    ------
    ValueError
        `n` is no power of two.
    """
    if require_int("n", n, 1) & (n - 1):
        raise ValueError(f"a Hadamard matrix here must have a power of two rows, not {n}")
    matrix = torch.ones(1, 1)
    while len(matrix) < n:
        matrix = torch.cat([torch.cat([matrix, matrix], 1), torch.cat([matrix, -matrix], 1)])
    return matrix / n**0.5


def learnt(x: Tensor, n_steps: int = N_STEPS) -> Tensor:
    """Return the orthogonal `R`, `(n, n)`, for which `sum of |sign(R x) - R x|**2` is (locally) least.

    By turns `B = sign(X R^T)`, then the `R` that fits best (Procrustes): iterative quantization (Gong and Lazebnik,
    CVPR 2011), begun with a turn drawn from a fixed seed.

    Parameters
    ----------
    x
        Vectors, `(n_samples, n)`.
    n_steps
        Turns.
    """
    generator = torch.Generator().manual_seed(0)
    given, x = x.dtype, x.double()
    turn = torch.linalg.qr(torch.randn(x.shape[1], x.shape[1], generator=generator, dtype=x.dtype)).Q
    for _ in range(n_steps):
        signs = (x @ turn.mT >= 0).to(x.dtype).mul_(2).sub_(1)
        left, _, right = torch.linalg.svd(signs.mT @ x)
        turn = left @ right
    return turn.to(given)


def rotate(model: nn.Module, kind: str, run: Callable[[Any], object], batches: Iterable[Any]) -> None:
    """Turn queries and keys of every head of `model`, each by a matrix of its own; in full precision nothing changes.

    Parameters
    ----------
    model
        Its keys must not be centred yet: calibration comes afterwards.
    kind
        One of `ROTATIONS`.
    run, batches
        As of `convert.calibrate`; used by `learnt` alone.

    Raises
    ------
    ValueError
        An attention whose projections are not its own, as in models with rotary positions.
    """
    if require_choice("rotation", kind, ROTATIONS) == "none":
        return
    layers = hamming_layers(model)
    for name, module in layers.items():
        if not isinstance(module, HammingAttention):
            raise ValueError(f"{name} has no projections of its own that a rotation could go into; it must be 'none'")
    batches = list(batches) if kind == "learnt" else []
    found: dict[HammingHeads, list[Tensor]] = {module: [] for module in layers.values()}

    def record(module: HammingHeads, q: Tensor, k: Tensor, v: Tensor, visible: Tensor | None) -> Tensor:
        for x, seen in zip((q, k), tokens_that_count(q, k, visible), strict=True):
            found[module].append(x.transpose(1, 2)[seen][: N_SEEN // len(batches) + 1])
        mask = None if visible is None else visible[:, None, None] if visible.ndim == 2 else visible[:, None]
        return nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)

    with torch.no_grad(), cores(model, record):
        for batch in batches:
            run(batch)
    for module in layers.values():
        assert isinstance(module, HammingAttention)
        for head in range(module.n_heads):
            if kind == "hadamard":
                turn = hadamard(module.d_head)
            else:
                q, k = (torch.cat(found[module][part::2])[:, head] for part in (0, 1))
                turn = learnt(torch.cat([q / q.std(), k / k.std()]))
            _fold(module, head, turn.to(module.q_proj.weight))


def _fold(module: HammingAttention, head: int, turn: Tensor) -> None:
    rows = slice(head * module.d_head, (head + 1) * module.d_head)
    with torch.no_grad():
        for projection in (module.q_proj, module.k_proj):
            projection.weight[rows] = turn @ projection.weight[rows]
            if projection.bias is not None:
                projection.bias[rows] = turn @ projection.bias[rows]
