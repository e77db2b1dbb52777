"""A distilled model's accuracy, with its attention in floating point and through the hardware's integers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from hamming.distill.hardware.integer import collect_values, integer_attention, value_scales
from hamming.distill.hardware.likeness import Cosine, attention_cosine, cosine, flipped_bits
from hamming.distill.method.convert import hamming_layers
from hamming.distill.method.quantize import Widths
from hamming.distill.tasks.task import Task
from hamming.distill.training.costs import Cost, measured
from hamming.distill.training.runs import Run, find_teacher

__all__ = [
    "Drop",
    "Evaluation",
    "accuracy_of",
    "calibrated_values",
    "calibration_batches",
    "drop",
    "evaluate",
    "evaluate_run",
    "logits",
]

#: Tokens of training items that the scales of values are measured on, or a few more.
CALIBRATION_TOKENS = 2**14

#: Test items on which attention is compared layer by layer.
COMPARED_ITEMS = 500

#: Gets a step's name, items done and items in all.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class Drop:
    """A difference of two accuracies, as shares of the same items.

    Attributes
    ----------
    mean
        The first accuracy less the second.
    error
        Standard error of that, over items: items that both have right, or both wrong, add nothing to it.
    """

    mean: float
    error: float


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What `evaluate` found; `teacher` is missing from a mapping if there is none.

    Attributes
    ----------
    items
        Test items.
    top_n
        Keys kept for each query; None: all.
    widths
        Of the integers.
    accuracy
        Share of items classified rightly: `teacher` of full precision, the student with `float` HAD and through the
        `integer` arithmetic.
    drop
        What the student loses through the integers, of its teacher's accuracy; None without a teacher.
    agreement
        Share of items to which float and integer HAD give the same class.
    attention
        Of each token's outputs of attention, all heads together as the output projection takes them, integer to
        float, from the same queries, keys and values; over all layers and `COMPARED_ITEMS` items.
    logits
        Of each item's logits, integer to float, errors of all layers included.
    flipped
        Share of the bits of queries and keys that differ from floating point, by layer, on `COMPARED_ITEMS` items: a
        rounding, however small, that takes an element of a later layer across zero.
    seconds, cpu_seconds
        For a thousand items, `teacher`, `float` and `integer`, the whole model each time: wall time, and that of
        processors.
    peak_mib
        Most memory that the process held meanwhile.
    threads
        PyTorch's; the golden model takes as many as there are processors.
    """

    items: int
    top_n: int | None
    widths: Widths
    accuracy: dict[str, float]
    drop: Drop | None
    agreement: float
    attention: Cosine
    logits: Cosine
    flipped: dict[str, float]
    seconds: dict[str, float]
    cpu_seconds: dict[str, float]
    peak_mib: dict[str, float]
    threads: int

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON's types."""
        return asdict(self)


def evaluate(
    model: nn.Module,
    task: Task,
    *,
    teacher: nn.Module | None = None,
    widths: Widths | None = None,
    limit: int | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Count right answers three times: by the teacher, by the student in floating point and through the integers.

    Parameters
    ----------
    model
        The student, its attention in mode `sign`.
    task
        Whose test items are classified, and on whose training items the scales of values are measured.
    teacher
        In mode `float`, or none.
    widths
        Of the integers; None: the defaults.
    limit
        Test items, from the first on; None: all.
    progress
        Called after each batch.

    Raises
    ------
    ValueError
        As of `integer.integer_attention`.
    """
    widths = Widths() if widths is None else widths
    scales = value_scales(calibrated_values(model, task), widths.value_bits)
    found: dict[str, Tensor] = {}
    costs: dict[str, Cost] = {}
    labels = torch.empty(0)
    for name, network in {"teacher": teacher, "float": model}.items():
        if network is not None:
            found[name], labels, costs[name] = logits(network, task, limit=limit, progress=_named(progress, name))
    with integer_attention(model, scales, widths):
        found["integer"], labels, costs["integer"] = logits(
            model, task, limit=limit, progress=_named(progress, "integer")
        )
    compared = min(limit or COMPARED_ITEMS, COMPARED_ITEMS)
    return Evaluation(
        items=len(labels),
        top_n=next(iter(hamming_layers(model).values())).top_n,
        widths=widths,
        accuracy={name: accuracy_of(scores, labels) for name, scores in found.items()},
        drop=drop(found["teacher"], found["integer"], labels) if "teacher" in found else None,
        agreement=accuracy_of(found["integer"], found["float"].argmax(1)),
        attention=attention_cosine(model, task, scales, widths, limit=compared),
        logits=cosine(found["float"], found["integer"]),
        flipped=flipped_bits(model, task, scales, widths, limit=compared),
        seconds={name: 1000 * cost.seconds / len(labels) for name, cost in costs.items()},
        cpu_seconds={name: 1000 * cost.cpu_seconds / len(labels) for name, cost in costs.items()},
        peak_mib={name: cost.peak_mib for name, cost in costs.items()},
        threads=torch.get_num_threads(),
    )


def evaluate_run(
    run: Run, *, widths: Widths | None = None, limit: int | None = None, progress: Progress | None = None
) -> Evaluation:
    """`evaluate` of a finished student, with its teacher if that one's run lies beside it."""
    try:
        teacher = find_teacher(run.config, run.folder.path.parent).model
    except ValueError:
        teacher = None
    return evaluate(run.model, run.task, teacher=teacher, widths=widths, limit=limit, progress=progress)


def calibration_batches(task: Task) -> Iterator[dict[str, Tensor]]:
    """Give the inputs of all training items, in an order drawn with seed 0, in batches like those of the test."""
    generator = torch.Generator().manual_seed(0)
    for items in torch.randperm(task.n_train, generator=generator).split(task.test_batch_size):
        yield task.train_batch(items, generator)[0]


def calibrated_values(model: nn.Module, task: Task) -> dict[str, Tensor]:
    """Return the value vectors of some `calibration_batches` (`integer.collect_values`)."""
    model.eval()
    return collect_values(
        model,
        lambda inputs: task.forward(model, inputs),  # type: ignore[arg-type]
        calibration_batches(task),
        enough=CALIBRATION_TOKENS,
    )


def accuracy_of(scores: Tensor, labels: Tensor) -> float:
    """Return the share of items, `(n_items, n_classes)`, whose greatest logit is that of their label."""
    return float((scores.argmax(1) == labels).double().mean())


def drop(before: Tensor, after: Tensor, labels: Tensor) -> Drop:
    """Return what is lost of accuracy between two sets of logits, each `(n_items, n_classes)`, of the same items."""
    lost = ((before.argmax(1) == labels).double() - (after.argmax(1) == labels).double()).numpy()
    return Drop(mean=float(lost.mean()), error=float(lost.std(ddof=1) / len(lost) ** 0.5) if len(lost) > 1 else 0.0)


def logits(
    model: nn.Module,
    task: Task,
    *,
    limit: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Tensor, Tensor, Cost]:
    """Classify the test items, or the first `limit`: logits `(n_items, n_classes)`, labels, and what it took.

    `progress` is called after each batch with the items done and all items.
    """
    model.eval()
    parts, labels, done = [], [], 0
    total = task.n_test if limit is None else min(limit, task.n_test)
    with torch.no_grad(), measured() as cost:
        for inputs, expected in task.test_batches(limit):
            parts.append(task.forward(model, inputs))  # type: ignore[arg-type]
            labels.append(expected)
            done += len(expected)
            if progress is not None:
                progress(done, total)
    return torch.cat(parts), torch.cat(labels), cost


def _named(progress: Progress | None, name: str) -> Callable[[int, int], None] | None:
    return None if progress is None else lambda done, total: progress(name, done, total)
