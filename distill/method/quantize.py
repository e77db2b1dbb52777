"""What the hardware's integers are: widths, a softmax table for each head, a scale for each value element."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hamming.distill.method.heads import HammingHeads
from hamming.golden.checks import require_choice, require_int
from hamming.golden.spec import WEIGHT_FORMS, AttentionSpec

__all__ = ["Widths", "head_spec", "quantize_values", "value_scale"]

#: Shares of an element's largest magnitude at which its values may be clipped.
_CLIPS = tuple(share / 20 for share in range(20, 5, -1))


@dataclass(frozen=True, kw_only=True)
class Widths:
    """Widths of the integers; the defaults are the spec's.

    Parameters
    ----------
    weight_bits
        Bits of a softmax table's entry, 1 to 32.
    value_bits
        Bits of a value element, signed, 2 to 16.
    out_frac_bits
        Fraction bits that an output has more than a value element, 0 and up.
    weight_form
        One of `golden.spec.WEIGHT_FORMS`; None: the form that the layer was trained with.

    Raises
    ------
    TypeError, ValueError
        A width has the wrong type or is out of range.
    """

    weight_bits: int = 12
    value_bits: int = 8
    out_frac_bits: int = 8
    weight_form: str | None = None

    def __post_init__(self) -> None:
        require_int("weight_bits", self.weight_bits, 1, 32)
        require_int("value_bits", self.value_bits, 2, 16)
        require_int("out_frac_bits", self.out_frac_bits, 0)
        if self.weight_form is not None:
            require_choice("weight_form", self.weight_form, WEIGHT_FORMS)


def head_spec(layer: HammingHeads, head: int, n_keys: int, widths: Widths) -> AttentionSpec:
    """Return what the hardware computes for one head: its own softmax tables, everything else shared.

    `logit_scale = sigma_q * sigma_k / sqrt(d_head)` of that head (HAD, arXiv 2502.01770), times a share for each of
    several tables. A layer that keeps more
    keys than there are, or all of them, keeps `n_keys`.

    Parameters
    ----------
    layer
        The layer.
    head
        Which head, counted from 0.
    n_keys
        Most keys that a query sees.
    widths
        Of the integers.
    """
    head = require_int("head", head, 0, layer.n_heads - 1)
    scales = layer.logit_scales[head].tolist()
    return AttentionSpec.from_logit_scale(
        d_head=layer.d_head,
        d_value=layer.d_value,
        n_keys=n_keys,
        top_k=n_keys if layer.top_n is None else min(layer.top_n, n_keys),
        logit_scale=scales[0] if len(scales) == 1 else scales,
        weight_bits=widths.weight_bits,
        weight_form=layer.weight_form if widths.weight_form is None else widths.weight_form,
        value_bits=widths.value_bits,
        out_frac_bits=widths.out_frac_bits,
    )


def value_scale(values: Tensor, value_bits: int) -> Tensor:
    """Return what one unit of each value element is worth, for the least mean squared error over a sample.

    Elements are rounded to `-high` to `high`, `high = 2**(value_bits - 1) - 1`, one scale an element. Of some shares
    of its largest magnitude that one becomes `high` which makes `mean((v - scale * quantized)**2)` least: with few
    bits it pays to clip the rare large values. The scale of an element costs the hardware nothing, since attention's
    output is linear in the values: it multiplies a column of the output projection's matrix.

    Parameters
    ----------
    values
        Real numbers, `(n_samples, ...)`.
    value_bits
        2 to 16.

    Returns
    -------
    Positive numbers, `(...)`.
    """
    high = 2 ** (require_int("value_bits", value_bits, 2, 16) - 1) - 1
    if not len(values):
        raise ValueError("values must have one sample at least, not 0")
    if not bool(torch.isfinite(values).all()):
        raise ValueError(f"values must be finite, not {float(values[~torch.isfinite(values)][0])}")
    largest = values.abs().amax(dim=0)
    largest = torch.where(largest > 0, largest, torch.full_like(largest, high))
    best = torch.full_like(largest, torch.inf)
    scale = largest / high
    for share in _CLIPS:
        tried = share * largest / high
        error = (values - tried * quantize_values(values, tried, value_bits)).square().mean(dim=0)
        scale = torch.where(error < best, tried, scale)
        best = torch.minimum(error, best)
    return scale


def quantize_values(values: Tensor, scale: Tensor, value_bits: int) -> Tensor:
    """`clip(round(values / scale), -high, high)`, halves to even, `high = 2**(value_bits - 1) - 1`; whole numbers."""
    high = 2 ** (value_bits - 1) - 1
    return torch.clamp(torch.round(values / scale), -high, high)
