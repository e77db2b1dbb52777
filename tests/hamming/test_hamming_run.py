"""`hamming run`: vectors through the golden model."""

from __future__ import annotations

import numpy as np
import pytest

from hamming.golden.attention import attend
from hamming.rtl.design import load_design
from tests.hamming.command_line import TINY, call, files, save_vectors

pytestmark = pytest.mark.usefixtures("inside_an_empty_folder")


def test_arrays_that_are_not_used_are_named(tmp_path):
    arrays = save_vectors(scale=np.ones(8), nvalid=np.array([3]))
    result = call("run", "tiny", "--vectors", "vectors.npz", "--output", "out.npz")
    assert result.exit_code == 0
    assert result.stderr == (
        "Note: vectors.npz: the array 'nvalid' is not used; did you mean 'n_valid'?\n"
        "Note: vectors.npz: the array 'scale' is not used\n"
    )
    with np.load("out.npz") as found:
        assert np.array_equal(found["out"], attend(TINY.spec, arrays["q"], arrays["k"], arrays["v"]).out)


@pytest.mark.parametrize("command", ["run", "simulate"])
def test_no_queries_are_an_empty_result(command):
    save_vectors(q=np.zeros((2, 0, 8), int))
    result = call(command, "tiny", "--vectors", "vectors.npz", "--output", "out.npz")
    assert result.exit_code == 0, result.output
    with np.load("out.npz") as found:
        assert found["out"].shape == (2, 0, 8)
    if command == "simulate":
        assert "the vectors have no queries: nothing was simulated" in result.stdout


@pytest.mark.parametrize("n_valid", [None, np.array([[0, 1, 3, 4, 16]])])
def test_run_gives_what_the_golden_model_gives(n_valid):
    arrays = save_vectors(n_valid=n_valid)
    result = call("run", "tiny", "--vectors", "vectors.npz", "--output", "new/out")
    assert result.exit_code == 0
    assert result.stdout == f"new/out: 10 queries, {0 if n_valid is None else 2} of them without a key\n"
    expected = attend(TINY.spec, **arrays)
    with np.load("new/out") as found:
        assert set(found.files) == {"out", "index", "weight", "is_empty"}
        for name in found.files:
            assert np.array_equal(found[name], getattr(expected, name))
    assert files() == {"vectors.npz", "new", "new/out"}


def test_run_takes_overrides_and_a_mask():
    mask = np.random.default_rng(1).random((1, 5, 16)) < 0.5
    arrays = save_vectors(mask=mask)
    call("run", "tiny", "--vectors", "vectors.npz", "--output", "out.npz", "--set", "spec.top_k=2")
    spec = load_design("tiny", ["spec.top_k=2"]).spec
    with np.load("out.npz") as found:
        assert np.array_equal(found["index"], attend(spec, **arrays).index)
