"""Comparisons: an engine and a baseline in; area, clock, energy and accuracy side by side out, as tables and a page."""

from hamming.synth.compare.comparison import Comparison
from hamming.synth.compare.experiment import compare

__all__ = ["Comparison", "compare"]
