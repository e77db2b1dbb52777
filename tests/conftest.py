"""What all tests share."""

from __future__ import annotations

import gc
import os
import zlib
from collections.abc import Iterator

import numpy as np
import pytest

from hamming.sim.runner import compilers

compilers.OPTIMIZE = "-O0"  # the tests simulate little of many designs: compiling takes longest


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Random numbers that are the same in every run, and differ from test to test."""
    return np.random.default_rng(zlib.crc32(request.node.nodeid.encode()))


@pytest.fixture(autouse=True)
def _own_environment() -> Iterator[None]:
    """No test leaves variables behind, as the command line does for what it starts."""
    before = dict(os.environ)
    yield
    if os.environ != before:
        os.environ.clear()
        os.environ.update(before)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the pages, which hold the longest tests: none of them is then left alone at the end."""
    items.sort(key=lambda item: item.path.name != "test_docs.py")


def pytest_collection_finish() -> None:
    """Let the search for garbage pass over what is there to stay, modules and tests, and look less often at the rest.

    Half of the time in which a design became Verilog was such searches, as PyTorch is loaded, too.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
