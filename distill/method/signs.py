"""Signs that have a gradient: queries or keys in, soft or hard signs in units of their standard deviation out."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["exact", "soft_sign", "straight_through_sign"]


def exact(x: Tensor) -> torch.dtype:
    """Type in which sums of `x`'s signs are integers, and which no buffer of float32 loses by: float32 at least."""
    return torch.promote_types(x.dtype, torch.float32)


def soft_sign(x: Tensor, sigma: Tensor, sharpness: float) -> Tensor:
    """`max(c, 1) * tanh(x / (c * sigma))`, `c` the sharpness: a sign that has a gradient, in units of `sigma`.

    With a `c` of 1 and more it is nearly `x / sigma` (HAD's first stage, `c * sigma * tanh(x / (c * sigma))`, 5 to
    1); below 1 it nears the sign (the second, `sigma * tanh(x / (c * sigma))`, 1 to 0.05). Both agree at 1.
    """
    return max(sharpness, 1.0) * torch.tanh(x / (sharpness * sigma))


class _Sign(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, sigma: Tensor) -> Tensor:
        ctx.save_for_backward(x, sigma)
        return (x >= 0).to(x.dtype).mul_(2).sub_(1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        x, sigma = ctx.saved_tensors
        return grads[0] * ((x.abs() <= sigma) / sigma), None


def straight_through_sign(x: Tensor, sigma: Tensor) -> Tensor:
    """`sign(x)`, +1 for zero, with the clipped straight-through gradient.

    The gradient is that of `x / sigma` where `|x| <= sigma`, and 0 elsewhere, so that `sigma * sign(x)` has the
    gradient of `x` clipped to `-sigma ... sigma`. `sigma` gets none; it broadcasts to `x`.
    """
    return _Sign.apply(x, sigma)  # type: ignore[return-value]
