"""Streams side by side: a bit a stream in, words of 64 streams out, and back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Words", "pack_streams", "unpack_streams"]

#: A bit for each of 64 streams, in each word.
Words = NDArray[np.uint64]


def pack_streams(bits: NDArray[np.uint8]) -> Words:
    """Return words `(n, n_words)` of bits `(n, n_streams)`."""
    return np.packbits(bits, axis=1, bitorder="little").view(np.uint64)


def unpack_streams(words: Words) -> NDArray[np.uint8]:
    """Invert `pack_streams`."""
    return np.unpackbits(np.ascontiguousarray(words).view(np.uint8), axis=1, bitorder="little")
