"""Folders that `save_pretrained` of `transformers` wrote, with a model that can be the teacher of a task."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from hamming.distill.tasks.task import MissingData

__all__ = ["build_classifier", "read_classifier", "require_transformers"]


def require_transformers() -> None:
    """Raise `MissingData`, with the command that mends it, where `transformers` is not installed."""
    if importlib.util.find_spec("transformers") is None:
        raise MissingData("the package transformers is not installed: pip install 'hamming-attention[huggingface]'")


def read_classifier(kind: str, folder: Path, n_classes: int) -> tuple[nn.Module, dict[str, Any]]:
    """Return the classifier of a folder, and its shape for `build_classifier`.

    Parameters
    ----------
    kind
        The end of its class's name, as `ForImageClassification`.
    folder
        Where it is.
    n_classes
        Classes that it must know.

    Raises
    ------
    ValueError
        It holds no such model, one of other classes, or one whose attention is not reached.
    """
    require_transformers()
    from hamming.distill.models.pretrained import Classifier, read_network

    model, shape = read_network(kind, "classifier of the task's items", folder, Classifier)
    n_labels = model.network.config.num_labels
    if n_labels != n_classes:
        raise ValueError(f"{str(folder)!r} knows {n_labels} classes, and the task has {n_classes}")
    return model, shape


def build_classifier(kind: str, config: Mapping[str, Any]) -> nn.Module:
    """Return a random classifier of a stored configuration."""
    require_transformers()
    from hamming.distill.models.pretrained import Classifier, network_of

    return Classifier(network_of(kind, config))
