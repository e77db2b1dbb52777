"""What the tests of distillation share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """One thread of PyTorch: models here are small, and threads that wait for each other cost more than they bring."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def text(tmp_path_factory) -> Path:
    """Write a text whose next letter follows from the ones before, mostly."""
    words = np.array("the cat sat on a mat and saw the rat that ate all of it".split())
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("text") / "words.txt"
    path.write_text(" ".join(rng.choice(words, 1500)), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def runs(text, tmp_path_factory) -> Path:
    """Train a language model on the text, and its student."""
    from hamming.distill.training.run import train
    from tests.distill.words import run_of

    folder = tmp_path_factory.mktemp("runs")
    train(run_of(text, "teacher"), folder)
    train(run_of(text, "student"), folder)
    return folder


@pytest.fixture
def student(runs) -> Any:
    from hamming.distill.training.runs import load_run

    return load_run(runs / "words_student-0")
