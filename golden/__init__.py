"""The arithmetic contract of binary top-k attention, and its model in NumPy, exact to the last bit."""

from hamming.golden.attention import Attention, attend
from hamming.golden.score import binarize
from hamming.golden.spec import AttentionSpec

__all__ = ["Attention", "AttentionSpec", "attend", "binarize"]
