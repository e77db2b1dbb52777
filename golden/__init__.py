"""The arithmetic contract of binary top-k attention, and its model in NumPy, exact to the last bit."""

from golden.attention import Attention, attend
from golden.score import binarize
from golden.spec import AttentionSpec

__all__ = ["Attention", "AttentionSpec", "attend", "binarize"]
