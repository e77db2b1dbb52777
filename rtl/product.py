"""How weights meet values: what a configuration's `product` and `fabric` name."""

from __future__ import annotations

from hamming.rtl.dimensions import Dimensions
from hamming.rtl.multiplier import Multiplier
from hamming.rtl.multiply import Multiply, MultiplyByPairs
from hamming.rtl.shift import Shift

__all__ = ["product"]


def product(dims: Dimensions) -> Multiply | Shift | Multiplier:
    """Return what makes the products of `dims.config`: their rows; and where sums are chains their terms."""
    kinds = {"shift": Shift, "dsp": Multiplier, "multiply": MultiplyByPairs if dims.has_chains else Multiply}
    return kinds[dims.config.product](dims)
