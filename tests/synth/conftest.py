"""What the synthesis tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from hamming.synth.library.libraries import Library, LibraryError, load_library


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAMMING_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def toy() -> Library:
    """Cells of round areas: NOT 1, NAND 2, XOR 5, FLOP 10, full adder ADD 9."""
    return load_library(Path(__file__).with_name("toy.lib"))


@pytest.fixture(scope="session")
def osu018() -> Library:
    try:
        return load_library("osu018")
    except LibraryError as error:
        pytest.skip(str(error))
