"""A distilled model's accuracy, with its attention in floating point and through the hardware's integers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from distill.attention import HammingAttention
from distill.convert import cores, hamming_layers
from distill.costs import Cost, measured
from distill.integer import attend_heads, collect_values, head_inputs, integer_attention, value_scales
from distill.quantize import Widths
from distill.runs import Run, find_teacher
from distill.tasks.task import Task

__all__ = [
    "Cosine",
    "Evaluation",
    "accuracy_of",
    "attention_cosine",
    "calibrated_values",
    "calibration_batches",
    "evaluate",
    "evaluate_run",
    "logits",
]

#: Tokens of training items that the scales of values are measured on, or a few more.
CALIBRATION_TOKENS = 2**14

#: Test items on which the outputs of attention are compared.
COSINE_ITEMS = 500

#: Gets a step's name, items done and items in all.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class Cosine:
    """Cosine similarities of vectors: of all of them, the mean and the least."""

    mean: float
    worst: float


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
    agreement
        Share of items to which float and integer HAD give the same class.
    attention
        Of each token's outputs of attention, all heads together as the output projection takes them, integer to
        float, from the same queries, keys and values; over all layers and `COSINE_ITEMS` items.
    logits
        Of each item's logits, integer to float, errors of all layers included.
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
    agreement: float
    attention: Cosine
    logits: Cosine
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
        As of `distill.integer.integer_attention`.
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
    return Evaluation(
        items=len(labels),
        top_n=next(iter(hamming_layers(model).values())).top_n,
        widths=widths,
        accuracy={name: accuracy_of(scores, labels) for name, scores in found.items()},
        agreement=accuracy_of(found["integer"], found["float"].argmax(1)),
        attention=attention_cosine(model, task, scales, widths, limit=min(limit or COSINE_ITEMS, COSINE_ITEMS)),
        logits=_cosine(found["float"], found["integer"]),
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
    """Return the value vectors of some `calibration_batches` (`distill.integer.collect_values`)."""
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


def attention_cosine(
    model: nn.Module, task: Task, scales: dict[str, Tensor], widths: Widths, *, limit: int | None = COSINE_ITEMS
) -> Cosine:
    """Compare each token's outputs of attention, integer to float, from the same queries, keys and values.

    The model goes on with those of floating point. Tokens that are padding, or see no key, do not count.
    """
    name_of = {layer: name for name, layer in hamming_layers(model).items()}
    found = []

    def core(layer: HammingAttention, q: Tensor, k: Tensor, v: Tensor, visible: Tensor | None) -> Tensor:
        scale = scales[name_of[layer]]
        exact = layer.weights(q, k, visible)[0] @ v
        given = head_inputs(layer, q, k, v, visible, scale=scale, value_bits=widths.value_bits)
        rounded = torch.from_numpy(attend_heads(layer, given, widths)) * scale[:, None]
        tokens = [x.transpose(1, 2).flatten(2) for x in (exact, rounded.to(exact.dtype))]
        if visible is not None:
            counts = visible if visible.ndim == 2 else visible.any(dim=-1)
            tokens = [x[counts] for x in tokens]
        found.append(torch.cosine_similarity(*tokens, dim=-1).flatten())
        return exact

    with torch.no_grad(), cores(model, core):
        logits(model, task, limit=limit)
    cosines = torch.cat(found)
    return Cosine(mean=float(cosines.double().mean()), worst=float(cosines.min()))


def _named(progress: Progress | None, name: str) -> Callable[[int, int], None] | None:
    return None if progress is None else lambda done, total: progress(name, done, total)


def _cosine(a: Tensor, b: Tensor) -> Cosine:
    cosines = torch.cosine_similarity(a.double(), b.double(), dim=-1)
    return Cosine(mean=float(cosines.mean()), worst=float(cosines.min()))
