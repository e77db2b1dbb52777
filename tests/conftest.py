"""What all tests share."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from hamming.sim.runner import compilers

compilers.OPTIMIZE = "-O0"  # the tests simulate little of many designs: compiling takes longest


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Random numbers that are the same in every run, and differ from test to test."""
    return np.random.default_rng(zlib.crc32(request.node.nodeid.encode()))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the pages, which hold the longest tests: none of them is then left alone at the end."""
    items.sort(key=lambda item: item.path.name != "test_docs.py")
