"""Real values as integers: by hand, and within half a unit."""

import numpy as np
import pytest

from hamming.golden.values import quantize


def test_by_hand():
    # Element 0 has a largest magnitude of 7, which becomes 7 (4 bits): a scale of 1. 2.5 and -0.5 go to even.
    # Element 1's is 14: a scale of 2. Element 2 is zero everywhere.
    integers, scale = quantize(np.array([[-7.0, 14.0, 0.0], [2.5, -4.1, 0.0], [-0.5, 3.1, 0.0]]), 4)
    assert integers.tolist() == [[-7, 7, 0], [2, -2, 0], [0, 2, 0]]
    assert scale.tolist() == [[1.0, 2.0, 1.0]]


@pytest.mark.parametrize("value_bits", [2, 3, 8, 16])
def test_within_half_a_unit(value_bits):
    v = np.random.default_rng(value_bits).normal(size=(3, 50, 6)) * np.geomspace(1e-6, 1e6, 6)
    integers, scale = quantize(v, value_bits)
    assert scale.shape == (3, 1, 6)
    assert np.abs(integers).max() == 2 ** (value_bits - 1) - 1
    assert (np.abs(integers * scale - v) <= scale * (0.5 + 1e-9)).all()


def test_half_precision_is_read_exactly():
    assert quantize(np.array([[60000.0], [-30000.0]], np.float16), 16).integers.tolist() == [[32767], [-16384]]


def test_no_keys():
    integers, scale = quantize(np.zeros((0, 2)))
    assert (integers.shape, scale.shape) == ((0, 2), (1, 2))


@pytest.mark.parametrize(
    ("v", "value_bits", "text"),
    [
        ([[1.0, np.nan]], 8, "v must be finite, not nan"),
        ([[1.0], [-np.inf]], 8, "v must be finite, not -inf"),
        ([[1.0]], 1, "value_bits must be 2 to 16, not 1"),
        ([[1.0]], 17, "value_bits must be 2 to 16, not 17"),
    ],
)
def test_bad_input_is_refused(v, value_bits, text):
    with pytest.raises(ValueError, match=f"^{text}$"):
        quantize(np.array(v), value_bits)
