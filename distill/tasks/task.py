"""What every task is: how it is described, and what it gives to training and evaluation."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hamming.golden.checks import require_bool, require_choice, require_int, require_number

__all__ = ["SPLITS", "Batch", "MissingData", "Task", "TaskConfig", "debian_file", "taken"]

#: What a model is evaluated on.
SPLITS = ("test", "validation")

#: Arguments of the model, and labels.
Batch = tuple[dict[str, Tensor], Tensor]


class MissingData(Exception):
    """Data or weights are not installed; the message has the command that installs them."""


@dataclass(frozen=True, kw_only=True)
class TaskConfig:
    """Section `[task]` of a run file.

    Parameters
    ----------
    name
        One of `TASKS`.
    n_train, n_test
        Items taken, from the first on; None: all there are.
    n_tokens
        Most tokens of a text, its two markers included; longer ones are cut. Images have as many as they have. Of
        `language`, the tokens of a window.
    augment
        Whether training images are flipped and shifted at random.
    drop_words
        Share of the tokens of a training text, but its two markers, that are left out at random, anew each time. A
        student that learns from its teacher's outputs needs no labels for what is left.
    text
        Of `language`: `novels`, or the path of a text, or of a folder with some (`*.txt`).
    tokenizer
        Of `language`: `bytes`, or the folder of a tokenizer (`tokenizer.json`).
    split
        `test`, or `validation`, by which a recipe is chosen: a fixed part of the training items is held back and
        stands in place of the test's, which are not read. The same part for a teacher and its student.
    """

    name: str
    n_train: int | None = None
    n_test: int | None = None
    n_tokens: int = 64
    augment: bool = True
    drop_words: float = 0.0
    text: str = "novels"
    tokenizer: str = "bytes"
    split: str = "test"

    def __post_init__(self) -> None:
        from hamming.distill.tasks import TASKS

        require_choice("name", self.name, TASKS)
        require_choice("split", self.split, SPLITS)
        for name in ("n_train", "n_test"):
            if getattr(self, name) is not None:
                require_int(name, getattr(self, name), 1)
        require_int("n_tokens", self.n_tokens, 4, 2048 if self.name == "language" else 512)
        for name in ("text", "tokenizer"):
            if not isinstance(getattr(self, name), str):
                raise TypeError(f"{name} must be a word or a path, not {getattr(self, name)!r}")
        require_bool("augment", self.augment)
        object.__setattr__(self, "drop_words", require_number("drop_words", self.drop_words, 0, 0.9))

    @property
    def packages(self) -> tuple[str, ...]:
        """Packages, beside PyTorch and NumPy, that results of the task depend on."""
        return ("transformers",) if self.name == "language" else ()


class Task(ABC):
    """Labelled items for training and for the test, and the model that classifies them.

    Attributes
    ----------
    n_classes
        Classes.
    n_train, n_test
        Items of each kind.
    """

    n_classes: int
    n_train: int
    n_test: int

    #: Items that evaluation takes at a time.
    test_batch_size = 250

    @abstractmethod
    def build(self, **shape: Any) -> nn.Module:
        """Return a new model in the mode `float`; its random weights come from torch's global generator.

        `shape` are the keys of section `[model]`, or what `pretrained` gave.
        """

    def pretrained(self, folder: Path) -> tuple[nn.Module, dict[str, Any]]:
        """Return the model of a folder that `save_pretrained` of `transformers` wrote, and its shape for `build`.

        Raises
        ------
        ValueError
            It holds no model that fits the task.
        MissingData
            `transformers` is not installed.
        """
        raise ValueError(f"{str(folder)!r} is a pretrained model, which this task takes no teacher from")

    @abstractmethod
    def train_batch(self, items: Tensor, generator: torch.Generator) -> Batch:
        """Return training items, augmented with the help of `generator`."""

    @abstractmethod
    def test_batch(self, items: slice) -> Batch:
        """Return test items, in their own order."""

    def epoch(self, batch_size: int, generator: torch.Generator) -> list[Tensor]:
        """Return the batches of one epoch, as numbers of training items; what does not fill a batch waits."""
        order = torch.randperm(self.n_train, generator=generator)
        return list(order.split(batch_size))[: self.steps(batch_size)]

    def steps(self, batch_size: int) -> int:
        """Return the batches of one epoch."""
        return max(1, self.n_train // batch_size)

    def test_batches(self, limit: int | None = None) -> Iterator[Batch]:
        """Give the test items, or the first `limit` of them, always in the same order and batches."""
        count = self.n_test if limit is None else min(limit, self.n_test)
        for start in range(0, count, self.test_batch_size):
            yield self.test_batch(slice(start, min(start + self.test_batch_size, count)))

    def forward(self, model: nn.Module, inputs: dict[str, Tensor]) -> Tensor:
        """Return a model's logits, `(batch, n_classes)`."""
        return model(**inputs)[0]


def debian_file(package: str, file: str) -> Path:
    """Return where a file of a Debian package is: below `/`, or the folder of the environment's `HAMMING_DATA`.

    Raises
    ------
    MissingData
        It is not there; the message has the commands that bring it there.
    """
    path = Path(os.environ.get("HAMMING_DATA") or "/") / file
    if not path.exists():
        raise MissingData(
            f"{path} does not exist; on Debian and Ubuntu: apt install {package}; or anywhere, without installing: "
            f"apt download {package}, dpkg-deb -x {package}_*.deb DIR, and HAMMING_DATA=DIR in the environment"
        )
    return path


def taken(name: str, wanted: int | None, there: int) -> int:
    """Return how many items are taken of `there`."""
    if wanted is not None and wanted > there:
        raise ValueError(f"{name} must be at most {there}, which is what there is, not {wanted}")
    return there if wanted is None else wanted
