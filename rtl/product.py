"""The weighted sum and the normaliser that a configuration's `product` names."""

from __future__ import annotations

from rtl.config import Dimensions
from rtl.normalizer import Normalizer
from rtl.parts_normalizer import PartsNormalizer
from rtl.shift_sum import ShiftSum
from rtl.weighted_sum import WeightedSum

__all__ = ["normalizer", "weighted_sum"]


def weighted_sum(dims: Dimensions) -> WeightedSum | ShiftSum:
    """Return the weighted sum of `dims.config`."""
    return ShiftSum(dims) if dims.config.product == "shift" else WeightedSum(dims)


def normalizer(dims: Dimensions) -> PartsNormalizer | Normalizer:
    """Return the normaliser that takes what `weighted_sum` puts out."""
    return Normalizer(dims) if dims.config.product == "shift" else PartsNormalizer(dims)
