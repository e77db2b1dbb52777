"""The arithmetic contract of binary top-k attention, and its model in NumPy, exact to the last bit."""

from hamming.golden.attention import Attention, attend
from hamming.golden.parts import Cut, Merged, Partial, agree, level_counts, merge, merge_softmax, partial
from hamming.golden.score import binarize
from hamming.golden.spec import AttentionSpec

__all__ = [
    "Attention",
    "AttentionSpec",
    "Cut",
    "Merged",
    "Partial",
    "agree",
    "attend",
    "binarize",
    "level_counts",
    "merge",
    "merge_softmax",
    "partial",
]
