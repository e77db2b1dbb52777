"""What the command line's tests share."""

from __future__ import annotations

import pytest


@pytest.fixture
def inside_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
