"""Scales of values: least squared error, to the known best of small cases."""

from __future__ import annotations

import pytest
import torch

from hamming.distill.method.quantize import quantize_values, value_scale


def squared_error(values, scale, bits):
    return float((values - scale * quantize_values(values, scale, bits)).square().mean())


def test_rounding_is_to_even_and_clips_symmetrically():
    values = torch.tensor([-9.0, -1.5, -0.5, 0.5, 1.5, 2.5, 9.0])
    assert quantize_values(values, torch.tensor(1.0), 4).tolist() == [-7, -2, 0, 0, 2, 2, 7]


def test_values_on_a_grid_keep_their_grid():
    values = torch.arange(-7.0, 8)[:, None] * 0.25
    scale = value_scale(values, 4)
    assert scale.tolist() == [0.25]
    assert squared_error(values, scale, 4) == 0


@pytest.mark.parametrize("bits", [2, 3, 4, 5])
def test_rare_large_values_are_clipped(bits):
    """Near the best of a fine search over scales, and better than the largest magnitude's."""
    values = torch.randn(4000, 1, generator=torch.Generator().manual_seed(bits))
    largest = values.abs().max() / (2 ** (bits - 1) - 1)
    found = squared_error(values, value_scale(values, bits), bits)
    best = min(squared_error(values, share * largest, bits) for share in torch.linspace(0.1, 1.2, 400))
    assert found <= 1.02 * best
    assert found < 0.95 * squared_error(values, largest, bits)


def test_each_element_has_its_own_scale():
    values = torch.randn(500, 2, 3, generator=torch.Generator().manual_seed(0))
    values[:, 1, 2] *= 100
    scale = value_scale(values, 8)
    assert scale.shape == (2, 3)
    torch.testing.assert_close(scale[1, 2], value_scale(values[:, 1, 2], 8))
    assert scale[1, 2] > 20 * scale[0].max()


def test_an_element_that_is_always_zero_has_a_scale():
    assert value_scale(torch.zeros(5, 2), 8).tolist() == [1, 1]


def test_no_scale_without_numbers():
    with pytest.raises(ValueError, match="one sample at least, not 0"):
        value_scale(torch.zeros(0, 2), 8)
    with pytest.raises(ValueError, match="finite, not nan"):
        value_scale(torch.tensor([[1.0, torch.nan]]), 8)
