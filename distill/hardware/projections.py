"""The matrices around a layer's attention, with everything folded in that the hardware leaves to them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hamming.distill.method.attention import HammingAttention
from hamming.distill.method.quantize import Widths

__all__ = ["projections"]


def projections(layer: HammingAttention, scale: Tensor, widths: Widths) -> dict[str, NDArray[np.float32]]:
    """Return a layer's matrices as the hardware needs them around it, `(out, in)`, and vectors of biases.

    With `x` a token::

        bits of q = q_weight @ x + q_bias >= 0          bits of k = k_weight @ x + k_bias >= 0
        v = round(v_weight @ x + v_bias), clipped       y = out_weight @ out + out_bias

    `k_bias` holds the mean of keys, `v_weight` and `v_bias` are divided by the values' scale, and `out_weight` is
    multiplied by it and by `2**-out_frac_bits`. Elements are heads after heads.
    """
    flat = scale.flatten()
    with torch.no_grad():
        parts = {
            "q_weight": layer.q_proj.weight,
            "q_bias": _bias(layer.q_proj),
            "k_weight": layer.k_proj.weight,
            "k_bias": _bias(layer.k_proj) - layer.key_mean.flatten(),
            "v_weight": layer.v_proj.weight / flat[:, None],
            "v_bias": _bias(layer.v_proj) / flat,
            "out_weight": layer.out_proj.weight * flat / 2**widths.out_frac_bits,
            "out_bias": _bias(layer.out_proj),
        }
    return {name: part.detach().to(torch.float32).numpy() for name, part in parts.items()}


def _bias(linear: nn.Linear) -> Tensor:
    return torch.zeros(linear.out_features) if linear.bias is None else linear.bias
