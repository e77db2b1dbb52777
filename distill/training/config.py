"""What a training run depends on: every key of a run file, and every check of it."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hamming.distill.method.schedule import STAGES
from hamming.distill.tasks.task import TaskConfig
from hamming.distill.training.sections import LossConfig, StudentConfig, TrainConfig
from hamming.golden.checks import require_choice, require_int

__all__ = ["LossConfig", "RunConfig", "StudentConfig", "TrainConfig", "nearest"]

KINDS = ("teacher", "student")


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """A run file, checked whole.

    Parameters
    ----------
    name
        Names the run's folder, together with the seed; a file's name without `.toml` by default.
    kind
        `teacher`, which learns the labels with attention of full precision, or `student`.
    seed
        Of initial weights, of the order of the items and of their augmentation.
    task
        Data, and what the model is.
    model
        A teacher's shape: keyword parameters of the task's encoder. A student has its teacher's.
    student
        A student's teacher and attention.
    train
        Length and speed.
    loss
        What is minimized.
    start
        Name of a finished run of the same kind and shape, or the path of its folder, whose weights (and a student's
        calibration) this one begins with, so that windows or losses may change on the way; None: a teacher begins with
        random weights, a student with its teacher's.
    sweep_top_n
        Further numbers of kept keys at which the trained student is evaluated.

    Raises
    ------
    TypeError, ValueError
        A value that is not allowed; it is quoted.
    """

    name: str
    kind: str
    task: TaskConfig
    train: TrainConfig
    seed: int = 0
    model: dict[str, int] = field(default_factory=dict)
    student: StudentConfig | None = None
    loss: LossConfig = field(default_factory=LossConfig)
    start: str | None = None
    sweep_top_n: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not re.fullmatch(r"[\w.-]{1,64}", self.name):
            raise ValueError(f"name must be 1 to 64 letters, digits, '_', '-' or '.', not {self.name!r}")
        require_choice("kind", self.kind, KINDS)
        require_int("seed", self.seed, 0, 2**31 - 1)
        if self.start is not None and not isinstance(self.start, str):
            raise TypeError(f"start must be a run's name or a folder, not {self.start!r}")
        if not isinstance(self.sweep_top_n, (list, tuple)):
            raise TypeError(f"sweep_top_n must be a list of integers, not {self.sweep_top_n!r}")
        object.__setattr__(self, "sweep_top_n", tuple(require_int("sweep_top_n", n, 1) for n in self.sweep_top_n))
        for key, value in self.model.items():
            require_int(f"model.{key}", value, 1)
        stages = [stage.name for stage in STAGES]
        if self.kind == "teacher":
            if self.student is not None:
                raise ValueError("a teacher has no section [student]")
            if not self.train.epochs or any(getattr(self.train, name) for name in stages):
                raise ValueError(f"a teacher must have train.epochs above 0, and no {', '.join(stages)}")
            if self.train.weights != "all":
                raise ValueError(f"a teacher must have train.weights = 'all', not {self.train.weights!r}")
        else:
            if self.student is None:
                raise ValueError("a student needs a section [student] with its teacher")
            if self.model:
                raise ValueError("a student has the shape of its teacher, and no section [model]")
            if self.train.epochs or not any(getattr(self.train, name) for name in stages):
                raise ValueError(f"a student must have epochs in train.{', train.'.join(stages)}, not in train.epochs")

    def steps(self, steps_an_epoch: int) -> dict[str, int]:
        """Return how many steps each stage has."""
        if self.kind == "teacher":
            return {"float": max(1, round(self.train.epochs * steps_an_epoch))}
        return {stage.name: round(getattr(self.train, stage.name) * steps_an_epoch) for stage in STAGES}

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON types; `from_dict` is the inverse."""
        fields = dataclasses.asdict(self)
        fields["sweep_top_n"] = list(self.sweep_top_n)
        return fields

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> RunConfig:
        """Rebuild a configuration from `to_dict`'s result or a run file's tables, with every check."""
        _require_known("the run", fields, cls)
        read = dict(fields)
        for key, section in _SECTIONS.items():
            if read.get(key) is not None:
                read[key] = _section(key, read[key], section)
        if "model" in read and not isinstance(read["model"], dict):
            raise TypeError(f"model must be a section, [model], not {read['model']!r}")
        _require_all("the run", read, cls)
        return cls(**read)


_SECTIONS = {"task": TaskConfig, "student": StudentConfig, "train": TrainConfig, "loss": LossConfig}


def _section(name: str, values: Any, section: type) -> Any:
    if not isinstance(values, dict):
        raise TypeError(f"{name} must be a section, [{name}], not {values!r}")
    _require_known(f"[{name}]", values, section)
    _require_all(f"[{name}]", values, section)
    try:
        return section(**values)
    except (TypeError, ValueError) as error:
        raise type(error)(f"[{name}] {error}") from error


def _require_known(where: str, values: Mapping[str, Any], section: type) -> None:
    known = [field.name for field in dataclasses.fields(section)]
    for key in values:
        if key not in known:
            raise ValueError(f"unknown key {key!r} in {where}; known: {', '.join(known)}{nearest(key, known)}")


def _require_all(where: str, values: Mapping[str, Any], section: type) -> None:
    none = dataclasses.MISSING
    for part in dataclasses.fields(section):
        if part.default is none and part.default_factory is none and part.name not in values:
            raise ValueError(f"{where} has no {part.name}")


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a hint at a known word that is like `word`, or nothing."""
    found = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {found[0]!r}?" if found else ""
