"""The tree of full adders that counts words of equal weight: what is added to what, and how deep it is."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["Word", "compress", "tree_depth"]


class Word:
    """A word of the tree: one bit of the count in each of its positions, and when it is there.

    Attributes
    ----------
    delayed
        Its value after each pipeline register on the way, by the number of registers before it.
    depth
        Full adders on the longest way to it.
    """

    def __init__(self, value: Any, depth: int = 0, stage: int = 0):
        self.delayed = {stage: value}
        self.depth = depth


def compress(words: Sequence[Word], add: Callable[[list[Word], int, int], tuple[Word, Word]]) -> list[Word]:
    """Compress equally weighted words, column by column, to one word a bit of the count.

    Three words of a column become one there and one in the next, oldest first, so that depth grows by the
    logarithm; a half adder closes a column that is left with two. For `n` words that is the fewest adders:
    `n - popcount(n)` full ones and at most one half adder a column.

    Parameters
    ----------
    words
        What is counted.
    add
        Makes sum and carry of two or three words, given their column and the depth of the adder.
    """
    columns = [deque(words)]
    result = []
    bits = len(words).bit_length()
    column = 0
    while column < len(columns):
        queue = columns[column]
        while len(queue) > 1:
            operands = [queue.popleft() for _ in range(min(3, len(queue)))]
            depth = 1 + max(word.depth for word in operands)
            total, carry = add(operands, column, depth)
            queue.append(total)
            if column + 1 < bits:
                if len(columns) == column + 1:
                    columns.append(deque())
                columns[column + 1].append(carry)
        result.append(queue.popleft())
        column += 1
    return result


def tree_depth(n_words: int) -> int:
    """Full adders on the longest way through the tree of `n_words` words."""
    words = compress([Word(None)] * n_words, lambda operands, column, depth: (Word(None, depth), Word(None, depth)))
    return max(word.depth for word in words)
