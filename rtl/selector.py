"""The selector that a configuration names; all of them take levels in and put kept keys out."""

from __future__ import annotations

from hamming.rtl.dimensions import Dimensions
from hamming.rtl.histogram import HistogramSelector
from hamming.rtl.insertion import InsertionSelector

__all__ = ["selector"]

_COMPONENTS = {"histogram": HistogramSelector, "insertion": InsertionSelector}


def selector(dims: Dimensions) -> HistogramSelector | InsertionSelector:
    """Return the selector of `dims.config`."""
    return _COMPONENTS[dims.config.selector](dims)
