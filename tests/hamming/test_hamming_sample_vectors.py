"""`hamming sample-vectors`: the queries, keys and values of a transformer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hamming.golden.fixture import load_minilm
from hamming.golden.values import quantize
from tests.hamming.command_line import assert_mistake, call, files

pytestmark = pytest.mark.usefixtures("inside_an_empty_folder")


def test_sample_vectors_are_those_of_the_transformer():
    result = call("sample-vectors", "-o", "new/vectors.npz", "--value-bits", "6")
    assert result.stdout == "new/vectors.npz: 24 heads of 128 queries and keys of 32 bits\n"
    fifth = load_minilm(4)
    with np.load("new/vectors.npz") as vectors:
        assert set(vectors) == {"q", "k", "v"}
        assert vectors["q"].shape == vectors["k"].shape == vectors["v"].shape == (24, 128, 32)
        assert np.array_equal(vectors["q"][12:], fifth.q)
        assert np.array_equal(vectors["k"][12:], fifth.k)
        assert np.array_equal(vectors["v"][12:], quantize(fifth.v, 6).integers)


def test_sample_vectors_that_cannot_be_written():
    Path("file").touch()
    assert_mistake(call("sample-vectors", "-o", "file/v.npz"), "cannot write 'file/v.npz': Not a directory")
    assert call("sample-vectors", "-o", "v.npz", "--value-bits", "1").exit_code == 2
    assert files() == {"file"}
