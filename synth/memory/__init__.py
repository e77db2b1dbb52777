"""On-chip memories: words and bits in; area, energy and access time out."""

from hamming.synth.memory.sram import SramModel

__all__ = ["SramModel"]
