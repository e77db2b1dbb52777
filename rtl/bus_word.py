"""How a word of the key or value memory lies in memory behind an AXI master."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BURST_BEATS", "BUS_BITS", "PAGE_BYTES", "BusWord"]

#: Fewest and most data bits of a master, both powers of two.
BUS_BITS = (32, 1024)

#: No burst crosses a multiple of it (AMBA AXI4, A3.4.1). Base addresses are multiples of it, too.
PAGE_BYTES = 4096

#: Beats of a burst of several words at most: as many as AXI3 allows, too.
BURST_BEATS = 16

_MAX_BEATS = 256


@dataclass(frozen=True)
class BusWord:
    """A word: `n_elements` of `element_bits`, each in `element_bytes`, a power of two, the first one lowest.

    Numbers are signed and fill their bytes by their sign; bits begin at the lowest one. A word takes `word_bytes`, a
    power of two, 4 at least, and moves in `beats` of `data_bits`.

    Raises
    ------
    ValueError
        A word is longer than a page, or than a burst.
    """

    kind: str
    n_elements: int
    element_bits: int
    element_bytes: int
    word_bytes: int
    data_bits: int

    @classmethod
    def of(
        cls, kind: str, *, n_elements: int, element_bits: int, is_array: bool, bus_bits: int | None = None
    ) -> BusWord:
        """Return how such words lie.

        Parameters
        ----------
        kind
            `key` or `value`, for messages.
        n_elements, element_bits
            Of a word.
        is_array
            Whether element `i` of word `w` is to be the array's element `w * n_elements + i`, so that elements and no
            words are filled up.
        bus_bits
            Most data bits.
        """
        element_bytes = _power(-(-element_bits // 8))
        if is_array:
            element_bytes = max(element_bytes, -(-4 // n_elements))
        word_bytes = max(4, _power(n_elements * element_bytes))
        data_bits = min(8 * word_bytes, bus_bits or BUS_BITS[1])
        found = cls(kind, n_elements, element_bits, element_bytes, word_bytes, data_bits)
        if word_bytes > PAGE_BYTES:
            raise ValueError(
                f"bus 'axi' moves {kind} words of at most {PAGE_BYTES} bytes, not {word_bytes} "
                f"({n_elements} elements of {element_bytes}); take fewer lanes or multipliers"
            )
        if found.beats > _MAX_BEATS:
            raise ValueError(
                f"a {kind} word of {word_bytes} bytes must take at most {_MAX_BEATS} beats of bus_bits, "
                f"not {found.beats} of {data_bits}"
            )
        return found

    @property
    def beats(self) -> int:
        """Beats of a word."""
        return 8 * self.word_bytes // self.data_bits

    @property
    def most_words(self) -> int:
        """Words of a burst, at most."""
        return max(1, BURST_BEATS // self.beats)

    @property
    def latency(self) -> int:
        """Cycles by which a word comes later, at most, than from a memory without a master between.

        Two registers; the words behind it in its burst, which it waits for; and the beats of its own.
        """
        return 2 + (self.most_words - 1) + (self.beats - 1)


def _power(number: int) -> int:
    """Return the least power of two that is not below `number`."""
    return 1 << (number - 1).bit_length()
