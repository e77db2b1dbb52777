"""Rows of bits that products are made of, and the columns that they add up in: sizes, and no hardware yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

__all__ = [
    "MAX_DEPTH",
    "add_columns",
    "kept_carries",
    "largest_negated",
    "pair_stages",
    "row_heights",
    "top_digits",
    "waiting",
]

#: Full adders that a carry goes through before it waits for the next cycle, unless told: as many as fit 1 GHz in 45 nm.
#: Shifted values come later than those of a digit.
MAX_DEPTH = {"multiply": 7, "shift": 5}


def top_digits(weight_bits: int) -> tuple[int, ...]:
    """Return the largest value of each digit of a weight, lowest first.

    A weight is `sum(4**i * digit[i])` with digits -1, 0, 1 and 2, in one way. The last digit is not negative.
    """
    if weight_bits % 2:
        return (2,) * (weight_bits // 2 + 1) if weight_bits > 1 else (1,)
    return (*(2,) * (weight_bits // 2), 1)


def largest_negated(product: str, weight_bits: int) -> int:
    """Return the largest `sum(4**i)` over the digits of a weight that are -1; a shift has none."""
    return (4 ** (weight_bits // 2) - 1) // 3 if product == "multiply" else 0


def row_heights(product: str, value_bits: int, weight_bits: int, n_columns: int) -> list[int]:
    """Return how many bits of rows each column has.

    A shifted value is one row. A digit's row `i` begins at column `2 * i`.
    """
    heights = [0] * n_columns
    if product == "shift":
        heights[: value_bits + weight_bits - 1] = [1] * (value_bits + weight_bits - 1)
        return heights
    for i, top in enumerate(top_digits(weight_bits)):
        for k in range(value_bits + (top > 1)):
            heights[2 * i + k] += 1
    return heights


def waiting(product: str, value_bits: int, adder_depth: int | None) -> dict[str, int]:
    """Return when a carry waits, as of `add_columns`: unless told, where it would miss 1 GHz in 45 nm.

    Of digits' rows the lowest columns have few, which are early.
    """
    if adder_depth is not None:
        return {"max_depth": adder_depth, "first_kept": 0}
    return {"max_depth": MAX_DEPTH[product], "first_kept": value_bits + 1 if product == "multiply" else 0}


def add_columns(
    columns: Sequence[Sequence[Any]],
    add: Callable[[int, list[Any]], tuple[Any, Any]],
    keep: Callable[[int, Any], Any],
    *,
    max_depth: int,
    first_kept: int,
) -> list[Any]:
    """Add words of equal weight, column by column, to one word a column.

    Three words of a column become one there and one in the next, those that are there first before the others. A
    column's last carry, which is the latest, waits where it would have gone through `max_depth` adders.

    Parameters
    ----------
    columns
        Words of weight `2**column`, one at least in each.
    add
        Adds two or three words of a column: sum and carry.
    keep
        Lets a carry into a column wait: returns the one that has waited.
    max_depth
        Adders that a carry may go through.
    first_kept
        First column into which a carry may wait: below it few words come together, and those are early.

    Returns
    -------
    list
        The sum's words, modulo `2**len(columns)`.
    """
    queues = [[(0, word) for word in column] for column in columns]
    for column, queue in enumerate(queues):
        while len(queue) > 1:
            queue.sort(key=lambda entry: entry[0])
            operands = queue[:3]
            del queue[:3]
            depth = 1 + max(depth for depth, _ in operands)
            total, carry = add(column, [word for _, word in operands])
            if column + 1 < len(queues):
                is_late = not queue and depth >= max_depth and column + 1 >= first_kept
                queues[column + 1].append((0, keep(column + 1, carry)) if is_late else (depth, carry))
            queue.append((depth, total))
    return [queue[0][1] for queue in queues]


def pair_stages(product: str, weight_bits: int) -> int:
    """Return the cycles in which a product's terms are added in pairs, one a digit; that of a multiplier is held."""
    n_terms = {"multiply": len(top_digits(weight_bits)), "shift": 1, "dsp": 2}[product]
    return (n_terms - 1).bit_length()


def kept_carries(
    product: str, value_bits: int, weight_bits: int, n_columns: int, adder_depth: int | None = None
) -> tuple[int, ...]:
    """Return the columns into which a carry waits when products are added to a sum of `n_columns` bits.

    It waits where it would have gone through `adder_depth` adders. None: where it would miss 1 GHz in 45 nm.
    """
    kept = []
    heights = row_heights(product, value_bits, weight_bits, n_columns)

    def keep(column: int, carry: None) -> None:
        kept.append(column)

    add_columns(
        [[None] * (1 + n) for n in heights],
        lambda column, words: (None, None),
        keep,
        **waiting(product, value_bits, adder_depth),
    )
    return tuple(kept)
