"""A run's folder: its configuration, checkpoint, log, weights and metrics, and a trained model read back."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import platform
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hamming.distill.method.convert import configure, set_tables
from hamming.distill.tasks import Task, load_task
from hamming.distill.training.config import RunConfig, TrainConfig
from hamming.distill.training.run_file import preset_names

__all__ = ["DATA", "Run", "RunFolder", "find_teacher", "load_run", "versions"]

#: Finished runs that come with the package.
DATA = Path(__file__).parents[1] / "data"

#: Columns of `log.csv`.
LOG = ("step", "stage", "sharpness", "learning_rate", "loss", "attention", "output", "label", "accuracy", "seconds")


class RunFolder:
    """Files of one run: `run.json`, `checkpoint.pt`, `log.csv`, `weights.pt`, `metrics.json`.

    Each is written beside its place and then moved there, so that a full disk or an interruption leaves the one that
    was there before.

    Parameters
    ----------
    path
        The folder; made when something is written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def claim(self, config: RunConfig) -> None:
        """Write the configuration, or see that the folder's is this one.

        Raises
        ------
        ValueError
            The folder belongs to another run, or cannot be written.
        """
        if (self.path / "run.json").exists():
            there, wanted = self.config().to_dict(), config.to_dict()
            for place, old, new in _differences(there, wanted):
                raise ValueError(
                    f"{self.path} holds a run with {place} = {old!r}, not {new!r}; "
                    "give this one another name, or remove that folder"
                )
        else:
            self._write_text("run.json", json.dumps(config.to_dict(), indent=2) + "\n")

    def config(self) -> RunConfig:
        """Return the configuration.

        Raises
        ------
        ValueError
            There is none, or it is not one of a run.
        """
        path = self.path / "run.json"
        try:
            return RunConfig.from_dict(json.loads(path.read_text(encoding="utf-8")))
        except (FileNotFoundError, NotADirectoryError):
            raise ValueError(f"{self.path} is not a run's folder: it has no run.json") from None
        except OSError as error:
            raise ValueError(f"cannot read {str(path)!r}: {error.strerror}") from error
        except RecursionError:
            raise ValueError(f"{path}: nested too deeply") from None
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path}: {error}") from error

    def save_checkpoint(self, state: dict[str, Any]) -> None:
        """Put the state of an unfinished training in place of the last one."""
        self._write("checkpoint.pt", lambda path: torch.save(state, path))

    def load_checkpoint(self) -> dict[str, Any] | None:
        """Return the state that was saved last, or None."""
        path = self.path / "checkpoint.pt"
        return _loaded(path) if path.exists() else None

    def save_log(self, rows: Sequence[Sequence[Any]]) -> None:
        """Write `log.csv`, whole."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(LOG)
        writer.writerows(rows)
        self._write_text("log.csv", text.getvalue())

    def finish(self, weights: dict[str, Tensor], metrics: dict[str, Any]) -> None:
        """Write what a finished run leaves, and remove the checkpoint."""
        self._write("weights.pt", lambda path: torch.save(weights, path))
        self._write_text("metrics.json", json.dumps(metrics, indent=2) + "\n")
        (self.path / "checkpoint.pt").unlink(missing_ok=True)

    def weights(self) -> dict[str, Tensor]:
        """Return a finished run's weights.

        Raises
        ------
        ValueError
            The run is not finished.
        """
        path = self.path / "weights.pt"
        if not path.exists():
            raise ValueError(f"{self.path} has no weights.pt: its run is not finished; hamming distill goes on with it")
        return _loaded(path)

    def metrics(self) -> dict[str, Any] | None:
        """Return a finished run's metrics, or None."""
        path = self.path / "metrics.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    def _write_text(self, name: str, text: str) -> None:
        self._write(name, lambda path: path.write_text(text, encoding="utf-8"))

    def _write(self, name: str, write: Callable[[Path], object]) -> None:
        target = self.path / name
        temporary = target.with_name(f".{name}.{os.getpid()}.tmp")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            write(temporary)
            temporary.replace(target)
        except (OSError, RuntimeError) as error:  # torch says RuntimeError of a full disk
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            kept = "; the one before is kept" if target.exists() else ""
            reason = error.strerror if isinstance(error, OSError) else str(error).splitlines()[0]
            raise ValueError(f"cannot write {str(target)!r}: {reason}{kept}") from error


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes
    ----------
    config
        What it was.
    folder
        Where it is.
    model
        The trained model, ready for evaluation: a student's attention is `sign` with its `top_n`.
    task
        Data, and `task.forward(model, inputs)`.
    shape
        What `task.build` made the model of.
    """

    config: RunConfig
    folder: RunFolder
    model: nn.Module
    task: Task
    shape: dict[str, Any]


def load_run(path: str | os.PathLike[str]) -> Run:
    """Read a finished run back.

    Raises
    ------
    ValueError
        It is no folder of a finished run.
    distill.tasks.task.MissingData
        What the task needs is not installed.
    """
    folder = RunFolder(Path(path))
    config = folder.config()
    task = load_task(config.task)
    shape = _shape(config, folder)
    model = task.build(**shape)
    if config.student is not None:
        set_tables(model, config.student.n_tables)
    model.load_state_dict(folder.weights())
    if config.student is not None:
        configure(model, mode="sign", top_n=config.student.top_n, weight_form=config.student.weight_form)
    return Run(config, folder, model.eval(), task, shape)


def _shape(config: RunConfig, folder: RunFolder) -> dict[str, Any]:
    """A model's shape; a student's run keeps its teacher's."""
    return (folder.metrics() or {}).get("model", config.model)


def find_teacher(config: RunConfig, runs: Path) -> Run:
    """Return the finished run of a student's teacher: a folder, a run among `runs`, or one that is in the package.

    A folder may also be one that `save_pretrained` of `transformers` wrote, with a causal language model; its run has
    the student's task.

    Raises
    ------
    ValueError
        There is none; the message has the command that makes it. Or it does not fit the student's task.
    distill.tasks.task.MissingData
        What the task needs is not installed.
    """
    assert config.student is not None
    name, seed = config.student.teacher, config.student.teacher_seed
    seed = config.seed if seed is None else seed
    for path in (Path(name), runs / f"{name}-{seed}", DATA / name):
        if (path / "run.json").exists():
            return load_run(path)
    if (Path(name) / "config.json").exists():
        return _pretrained(Path(name), config)
    command = f"hamming distill {name} -o {runs}" + (f" --set seed={seed}" if seed else "")
    hint = f"; make it: {command}" if name in preset_names() else ""
    raise ValueError(f"no run of the teacher {name!r}, seed {seed}, in {runs}{hint}")


def _pretrained(folder: Path, config: RunConfig) -> Run:
    """Return a pretrained language model as the teacher of a student."""
    wanted = config.task
    if wanted.name != "language":
        raise ValueError(f"{str(folder)!r} is a pretrained model; the task must be 'language', not {wanted.name!r}")
    if wanted.tokenizer == "bytes" and (folder / "tokenizer.json").exists():
        raise ValueError(f"{str(folder)!r} has a tokenizer of its own: set task.tokenizer to that folder")
    task = load_task(wanted)
    from hamming.distill.models.language import pretrained

    model, shape = pretrained(folder)
    n_words = shape["config"]["vocab_size"]
    n_positions = shape["config"].get("max_position_embeddings", wanted.n_tokens)
    if n_words < task.n_classes:
        raise ValueError(f"{str(folder)!r} knows {n_words} kinds of tokens, and its tokenizer has {task.n_classes}")
    if n_positions < wanted.n_tokens:
        raise ValueError(f"{str(folder)!r} has {n_positions} positions; task.n_tokens is {wanted.n_tokens}")
    name = (
        re.sub(r"[^\w.-]", "_", folder.resolve().name)[:64] or "pretrained"
    )  # of a folder, which may be called anything
    teacher = RunConfig(name=name, kind="teacher", task=wanted, train=TrainConfig(epochs=1))
    return Run(teacher, RunFolder(folder), model, task, shape)


def _loaded(path: Path) -> dict[str, Any]:
    try:
        return torch.load(path, weights_only=True)
    except Exception as error:  # PyTorch and its unpickler raise what they like at damaged bytes
        raise ValueError(f"{path} cannot be read; hamming distill makes it anew once it is removed") from error


def versions(*packages: str) -> dict[str, str]:
    """Return the versions that a result depends on, those of further packages too."""
    found = {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__}
    return found | {package: version(package) for package in packages}


def _differences(old: dict[str, Any], new: dict[str, Any], place: str = "") -> list[tuple[str, Any, Any]]:
    found = []
    for key in old.keys() | new.keys():
        a, b = old.get(key), new.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found += _differences(a, b, f"{place}{key}.")
        elif a != b:
            found.append((f"{place}{key}", a, b))
    return sorted(found, key=lambda item: item[0])
