"""Banks of a memory: how many words each has."""

from __future__ import annotations

__all__ = ["bank_depths", "bank_numbers"]


def bank_depths(depth: int, n_banks: int) -> tuple[int, ...]:
    """Return the words of each bank of a memory of `depth` words, of which the highest address bits name the bank.

    All banks that have a word: fewer than `n_banks`, a power of two, where the words do not reach into the last one.
    """
    size = max(1, (1 << (depth - 1).bit_length()) // n_banks)
    return tuple(min(size, depth - first) for first in range(0, depth, size))


def bank_numbers(depth: int) -> list[int]:
    """Return the numbers of banks, powers of two, that leave none of them empty."""
    powers = [1 << bit for bit in range(depth.bit_length() + 1)]
    return [n for n in powers if len(bank_depths(depth, n)) == n]
