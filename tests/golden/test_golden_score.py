"""Bits of real numbers, their packing, and matches counted on packed words."""

import numpy as np
import pytest

from hamming.golden.score import binarize, matches, pack


def test_zero_and_above_is_one():
    tiny = np.nextafter(0.0, 1.0)
    bits = binarize([-np.inf, -1.0, -tiny, -0.0, 0.0, tiny, 1.0, np.inf])
    assert bits.tolist() == [0, 0, 0, 1, 1, 1, 1, 1]
    assert bits.dtype == np.uint8


def test_integers_and_shape():
    assert binarize(np.array([[-3, 0], [4, -1]], np.int8)).tolist() == [[0, 1], [1, 0]]


def test_nan_has_no_sign():
    with pytest.raises(ValueError, match=r"^x must be numbers, not nan: nan has no sign$"):
        binarize([0.0, np.nan])


@pytest.mark.parametrize("x", [["a"], [1j], [None]])
def test_only_real_numbers_have_a_sign(x):
    with pytest.raises(TypeError, match=r"^x must be real numbers, not "):
        binarize(x)


@pytest.mark.parametrize(("length", "n_words"), [(1, 1), (8, 1), (9, 1), (63, 1), (64, 1), (65, 2), (128, 2), (130, 3)])
def test_packing_puts_element_0_lowest(length, n_words):
    bits = np.random.default_rng(length).integers(0, 2, (5, length))
    words = pack(bits)
    assert words.shape == (5, n_words)
    assert words.dtype == np.uint64
    for row, packed in zip(bits.tolist(), words.tolist(), strict=True):
        number = sum(bit << position for position, bit in enumerate(row))
        assert [number >> 64 * word & (2**64 - 1) for word in range(n_words)] == packed


def test_matches_are_exhaustively_right_for_four_bits():
    every = (np.arange(16)[:, None] >> np.arange(4)) & 1
    for i, row in enumerate(matches(every, every).tolist()):
        assert row == [4 - (i ^ j).bit_count() for j in range(16)]


@pytest.mark.parametrize("d_head", [1, 2, 31, 32, 63, 64, 65, 127, 128, 129, 192, 255, 256, 300, 1000])
def test_matches_give_the_dot_product(d_head):
    rng = np.random.default_rng(d_head)
    q, k = rng.integers(0, 2, (3, 7, d_head)), rng.integers(0, 2, (3, 11, d_head))
    q[0, 0] = k[0, 0] = 1  # all match
    k[0, 1] = 0  # none does
    matched = matches(q, k)
    assert np.array_equal(2 * matched.astype(int) - d_head, (2 * q - 1) @ (2 * k - 1).swapaxes(-1, -2))
    assert (matched[0, 0, 0], matched[0, 0, 1]) == (d_head, 0)
    assert matched.dtype == (np.uint8 if d_head < 256 else np.uint16)


def test_leading_axes_broadcast():
    rng = np.random.default_rng(0)
    q, k = rng.integers(0, 2, (2, 1, 3, 9)), rng.integers(0, 2, (4, 5, 9))
    matched = matches(q, k)
    assert matched.shape == (2, 4, 3, 5)
    assert np.array_equal(matched[1, 2], matches(q[1, 0], k[2]))


def test_lengths_must_agree():
    with pytest.raises(ValueError, match=r"^k must have as many elements as q = 3, not 4$"):
        matches(np.zeros((1, 3), int), np.zeros((1, 4), int))
