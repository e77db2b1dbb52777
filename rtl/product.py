"""How weights meet values: what a configuration's `product` names."""

from __future__ import annotations

from hamming.rtl.dimensions import Dimensions
from hamming.rtl.multiply import Multiply
from hamming.rtl.shift import Shift

__all__ = ["product"]


def product(dims: Dimensions) -> Multiply | Shift:
    """Return what makes the rows of the products of `dims.config`."""
    return Shift(dims) if dims.config.product == "shift" else Multiply(dims)
