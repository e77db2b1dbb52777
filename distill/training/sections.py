"""The sections of a run file, each with the checks of its own values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from hamming.distill.method.rotation import ROTATIONS
from hamming.golden.checks import require_bool, require_choice, require_int, require_number
from hamming.golden.spec import MAX_TABLES, WEIGHT_FORMS

__all__ = ["LossConfig", "StudentConfig", "TrainConfig"]

PRECISIONS = ("float32", "bfloat16")
WEIGHTS = ("all", "attention")


def _settle_numbers(section: Any, names: str, low: float, high: float = math.inf) -> None:
    for name in names.split():
        object.__setattr__(section, name, require_number(name, getattr(section, name), low, high))


@dataclass(frozen=True, kw_only=True)
class StudentConfig:
    """Section `[student]`: which teacher, and what the student's attention is.

    Parameters
    ----------
    teacher
        Name of the teacher's run, or the path of its folder.
    teacher_seed
        Seed of the teacher's run; None: the student's own.
    top_n
        Keys kept for each query (the paper's N), in evaluation; None keeps all.
    train_top_n
        Keys kept in training; 0: as many as in evaluation.
    weight_form
        One of `golden.spec.WEIGHT_FORMS`.
    centre_keys
        Whether each element of the keys is centred before its sign.
    n_tables
        Softmax tables of a head, of which a query takes one by its norm (`HammingHeads.set_tables`).
    rotation
        One of `method.rotation.ROTATIONS`: how queries and keys are turned before their sign, at the beginning.
    learn_thresholds
        Whether the thresholds of the keys' signs, one for each element of a head, are trained; they begin at zero, or
        at the mean. Heads that share keys then have rows of their own.
    calibration_batches
        Batches over which standard deviations are measured.
    """

    teacher: str
    teacher_seed: int | None = None
    top_n: int | None = None
    train_top_n: int = 0
    weight_form: str = "exponential"
    centre_keys: bool = False
    n_tables: int = 1
    rotation: str = "none"
    learn_thresholds: bool = False
    calibration_batches: int = 100

    def __post_init__(self) -> None:
        if not isinstance(self.teacher, str):
            raise TypeError(f"teacher must be a run's name or a folder, not {self.teacher!r}")
        if self.teacher_seed is not None:
            require_int("teacher_seed", self.teacher_seed, 0)
        if self.top_n is not None:
            require_int("top_n", self.top_n, 1)
        require_int("train_top_n", self.train_top_n, 0)
        require_choice("weight_form", self.weight_form, WEIGHT_FORMS)
        require_bool("centre_keys", self.centre_keys)
        require_choice("rotation", self.rotation, ROTATIONS)
        require_bool("learn_thresholds", self.learn_thresholds)
        require_int("n_tables", self.n_tables, 1, MAX_TABLES)
        require_int("calibration_batches", self.calibration_batches, 1)


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Section `[train]`: how long and how fast.

    Parameters
    ----------
    epochs
        A teacher's, through the training items.
    transfer_soft, transfer_sharp, transfer_sign, soft, sharp, sign, final
        A student's, in each of its stages (`distill.method.schedule.STAGES`); 0 leaves a stage out.
    weights
        Which weights are trained: `all`, or those of `attention` alone, the projections of queries and keys with their
        norms (`distill.method.transfer.attention_weights`). All others then have no gradient and no state of the
        optimizer. The first three stages train no others, whatever this says.
    batch_size
        Items a step.
    learning_rate
        The largest. It rises over the first `warmup` (a share of all steps) and then falls, half a cosine, to 0.
    weight_decay
        AdamW's, of matrices alone.
    clip
        Largest norm of the gradient.
    precision
        Of matrix products in training: `float32`, or `bfloat16` (PyTorch's autocast), which processors that have
        instructions for it do 1.7 times as fast. Evaluation is always of float32.
    """

    epochs: float = 0
    transfer_soft: float = 0
    transfer_sharp: float = 0
    transfer_sign: float = 0
    soft: float = 0
    sharp: float = 0
    sign: float = 0
    final: float = 0
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warmup: float = 0.1
    clip: float = 1.0
    precision: str = "float32"
    weights: str = "all"

    def __post_init__(self) -> None:
        _settle_numbers(self, "epochs transfer_soft transfer_sharp transfer_sign soft sharp sign final weight_decay", 0)
        require_choice("weights", self.weights, WEIGHTS)
        _settle_numbers(self, "learning_rate clip", 1e-12)
        _settle_numbers(self, "warmup", 0, 1)
        require_int("batch_size", self.batch_size, 1)
        require_choice("precision", self.precision, PRECISIONS)


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """Section `[loss]`: `attention * L_attention + output * L_output + label * L_label`.

    Parameters
    ----------
    attention
        Weight of `distill.method.losses.attention_divergence`, mean over the layers; not in the last stage.
    output
        Weight of `distill.method.losses.output_divergence`.
    label
        Weight of the cross entropy of the labels; a teacher's only loss.
    temperature
        Of the outputs.
    """

    attention: float = 1.0
    output: float = 1.0
    label: float = 0.0
    temperature: float = 1.0

    def __post_init__(self) -> None:
        _settle_numbers(self, "attention output label", 0)
        _settle_numbers(self, "temperature", 1e-3)
