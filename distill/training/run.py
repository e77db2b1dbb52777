"""A run from its file to its metrics: a teacher by its labels, a student by distillation (HAD, arXiv 2502.01770)."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hamming.distill.method.convert import calibrate, configure, set_tables
from hamming.distill.method.rotation import rotate
from hamming.distill.tasks import Task, load_task
from hamming.distill.training.config import RunConfig, StudentConfig
from hamming.distill.training.costs import measured
from hamming.distill.training.figures import accuracy, attention_likeness
from hamming.distill.training.folder import RunFolder
from hamming.distill.training.runs import begun, find_teacher, versions
from hamming.distill.training.trainer import Progress, Trainer

__all__ = ["binarized", "train"]


def train(
    config: RunConfig,
    runs: Path,
    *,
    progress: Callable[[Progress], None] = lambda now: None,
    checkpoint_seconds: float = 60,
) -> dict[str, Any]:
    """Do a run, or go on with it where it was interrupted, and return its metrics.

    A run that was interrupted ends with the weights and metrics of one that was not; only seconds and memory differ.

    Parameters
    ----------
    config
        The run.
    runs
        Where runs are kept: this one in `NAME-SEED`, and its teacher's.
    progress
        Is told after each step.
    checkpoint_seconds
        Least time between two checkpoints; of large models it is longer, so that they cost a fiftieth of the time.

    Raises
    ------
    ValueError
        The folder holds another run or cannot be written, or there is no teacher.
    distill.tasks.task.MissingData
        What the task needs is not installed.
    distill.trainer.Diverged
        A loss or a gradient is not finite.
    """
    folder = RunFolder(runs / f"{config.name}-{config.seed}")
    done = folder.metrics()
    if done is not None:
        folder.claim(config)
        return done
    torch.manual_seed(config.seed)
    if config.student is None:
        task, shape = load_task(config.task), config.model
        teacher, model = None, task.build(**shape)
    else:
        found = find_teacher(config, runs)
        if found.config.task.name != config.task.name:
            raise ValueError(f"the teacher's task is {found.config.task.name}, not {config.task.name}")
        task = found.task if found.config.task == config.task else load_task(config.task)
        shape = found.shape
        model = binarized(found.model, config.student, task, batch_size=config.train.batch_size, seed=config.seed)
        teacher = found.model.requires_grad_(False)
    untrained, model = model, begun(config, runs, model)
    trainer = Trainer(config, task, model, teacher, folder)
    folder.claim(config)
    before = {} if teacher is None or config.student is None else _before(config.student, teacher, untrained, task)
    with measured() as cost:
        trainer.run(progress, checkpoint_seconds)
    model.eval()
    if teacher is None or config.student is None:
        after = {"accuracy": {"teacher": accuracy(model, task)}}
    else:
        after = _after(config, config.student, teacher, model, task)
    packages = {*config.task.packages, *(["transformers"] if "config" in shape else [])}
    metrics = {
        "name": config.name,
        "kind": config.kind,
        "seed": config.seed,
        **{key: before.get(key, {}) | found for key, found in after.items()},
        "n_train": task.n_train,
        "n_test": task.n_test,
        "steps": trainer.step,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "seconds": round(trainer.seconds, 1),
        "peak_mib": round(cost.peak_mib),
        "model": shape,
        "config": config.to_dict(),
        "versions": versions(*sorted(packages)),
    }
    folder.finish(model.state_dict(), metrics)
    return metrics


def binarized(teacher: nn.Module, student: StudentConfig, task: Task, *, batch_size: int, seed: int) -> nn.Module:
    """Return a copy of `teacher` with calibrated attention in the mode `sign`: the student before any training.

    Its standard deviations are measured on training items in the order of `seed`.
    """
    model = copy.deepcopy(teacher)
    set_tables(model, student.n_tables)
    generator = torch.Generator().manual_seed(seed)
    batches = [
        task.train_batch(items, generator)[0]
        for items in task.epoch(batch_size, generator)[: student.calibration_batches]
    ]

    def run(inputs: dict[str, Any]) -> object:
        return task.forward(model, inputs)

    rotate(model, student.rotation, run, batches)
    calibrate(model, run, batches, centre_keys=student.centre_keys)
    configure(model, mode="sign", top_n=student.top_n, weight_form=student.weight_form)
    return model


def _before(student: StudentConfig, teacher: nn.Module, model: nn.Module, task: Task) -> dict[str, dict[str, Any]]:
    """Measure the teacher, and the student before any training."""
    return {
        "accuracy": {
            "teacher": accuracy(teacher, task),
            "teacher_top_n": accuracy(teacher, task, mode="float_top", top_n=student.top_n),
            "untrained": accuracy(model, task, mode="sign"),
            "untrained_all_keys": accuracy(model, task, mode="sign", top_n=None),
        },
        "attention": {"untrained": _likeness(student, teacher, model, task)},
    }


def _after(
    config: RunConfig, student: StudentConfig, teacher: nn.Module, model: nn.Module, task: Task
) -> dict[str, dict[str, Any]]:
    """Measure the student after its training, at the number of keys of evaluation and at others."""
    configure(model, mode="sign", top_n=student.top_n)
    return {
        "accuracy": {
            "student": accuracy(model, task),
            "student_all_keys": accuracy(model, task, top_n=None),
            "student_by_top_n": {str(n): accuracy(model, task, top_n=n) for n in config.sweep_top_n},
        },
        "attention": {"student": _likeness(student, teacher, model, task)},
    }


def _likeness(student: StudentConfig, teacher: nn.Module, model: nn.Module, task: Task) -> dict[str, Any]:
    top_n = student.top_n or 10
    return {"top_n": top_n} | dataclasses.asdict(attention_likeness(teacher, model, task, top_n))
