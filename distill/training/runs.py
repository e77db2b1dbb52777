"""Finished runs found and read back: a trained model, a student's teacher, what a run starts from."""

from __future__ import annotations

import copy
import os
import platform
import re
import shlex
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from hamming.distill.method.convert import configure, set_tables
from hamming.distill.tasks import Task, load_task
from hamming.distill.training.config import RunConfig, TrainConfig
from hamming.distill.training.folder import RunFolder
from hamming.distill.training.run_file import preset_names

__all__ = ["DATA", "Run", "begun", "find_teacher", "load_run", "versions"]

#: Finished runs that come with the package.
DATA = Path(__file__).parents[1] / "data"


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

    A folder may also be one that `save_pretrained` of `transformers` wrote, with a model that fits the student's task,
    which is its run's.

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
    folder = _found(name, seed, runs) or _found(str(DATA / name), seed)
    if folder is not None:
        return load_run(folder.path)
    if (Path(name) / "config.json").exists():
        return _pretrained(Path(name), config)
    command = f"hamming distill {name} -o {runs}" + (f" --set seed={seed}" if seed else "")
    hint = f"; make it: {command}" if name in preset_names() else ""
    for file in [Path(name), *sorted(Path(name).glob("*.gguf"))]:
        if file.is_file() and file.suffix == ".gguf":
            command = f"python -m hamming.distill.models.from_gguf {shlex.quote(str(file))} FOLDER"
            hint = f"; a teacher is a folder, which {command} makes of such a file"
    raise ValueError(f"no run of the teacher {name!r}, seed {seed}, in {runs}{hint}")


def begun(config: RunConfig, runs: Path, model: nn.Module) -> nn.Module:
    """Return `model`, or a copy of it with the weights and the calibration of the run that `config` starts from.

    Raises
    ------
    ValueError
        There is no such run, it is not finished, or its model is of another kind or shape.
    """
    if config.start is None:
        return model
    folder = _found(config.start, config.seed, runs)
    if folder is None:
        raise ValueError(f"no run {config.start!r}, seed {config.seed}, in {runs} to start from; make it first")
    kind = folder.config().kind
    if kind != config.kind:
        raise ValueError(f"a {config.kind} cannot start from {folder.path}, which is a {kind}'s run")
    model = copy.deepcopy(model)
    try:
        model.load_state_dict(folder.weights())
    except RuntimeError as error:
        raise ValueError(f"{folder.path} is of another model: {' '.join(str(error).split())[:300]}") from error
    return model


def _found(name: str, seed: int, *places: Path) -> RunFolder | None:
    """Return the folder of a run: a path, or `NAME-SEED` in one of `places`."""
    paths = [Path(name), *(place / f"{name}-{seed}" for place in places)]
    return next((RunFolder(path) for path in paths if (path / "run.json").exists()), None)


def _pretrained(folder: Path, config: RunConfig) -> Run:
    """Return a pretrained model as the teacher of a student."""
    task = load_task(config.task)
    model, shape = task.pretrained(folder)
    # The name is of a folder, which may be called anything.
    name = re.sub(r"[^\w.-]", "_", folder.resolve().name)[:64] or "pretrained"
    teacher = RunConfig(name=name, kind="teacher", task=config.task, train=TrainConfig(epochs=1))
    return Run(teacher, RunFolder(folder), model, task, shape)


def versions(*packages: str) -> dict[str, str]:
    """Return the versions that a result depends on, those of further packages too."""
    found = {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__}
    return found | {package: version(package) for package in packages}
