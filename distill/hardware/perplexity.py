"""A language model's perplexity by context and kept keys: its teacher, signs without training, student, integers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from hamming.distill.hardware.evaluate import calibrated_values
from hamming.distill.hardware.integer import integer_attention, value_scales
from hamming.distill.method.quantize import Widths
from hamming.distill.tasks.language import Language
from hamming.distill.training.costs import measured
from hamming.distill.training.figures import settings
from hamming.distill.training.run import binarized
from hamming.distill.training.runs import Run, find_teacher
from hamming.golden.checks import require_choice, require_int

__all__ = ["KINDS", "Point", "document_losses", "perplexities", "perplexity", "ratio"]

#: Whose perplexities there are: the teacher with all keys and with its best `top_n`, the same with signs and no
#: training, the student, and the student with every attention through the golden model.
KINDS = ("teacher", "teacher_top_n", "untrained", "student", "integer")

#: Gets a step in words, steps done and steps in all.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class Point:
    """One perplexity.

    Attributes
    ----------
    kind
        One of `KINDS`.
    context
        Tokens of a window. They follow each other without overlap; the token at place `i` is predicted from `i`
        tokens, all places count.
    top_n
        Keys kept; None: all.
    perplexity, error
        `exp` of the mean loss in nats, and its standard error by document (`perplexity`).
    tokens, documents
        Predicted ones, and whence.
    seconds, peak_mib
        Wall time, and the most memory that the process held meanwhile; None of points from before it was measured.
    ratio, ratio_error
        The perplexity in that of the teacher with all keys, and its standard error by document (`ratio`); None if that
        one was not measured. On the same windows most of the error of either is the other's, too.
    """

    kind: str
    context: int
    top_n: int | None
    perplexity: float
    error: float
    tokens: int
    documents: int
    seconds: float
    peak_mib: int | None = None
    ratio: float | None = None
    ratio_error: float | None = None


def perplexity(losses: Tensor) -> tuple[float, float]:
    """Return a perplexity, and its standard error by document.

    With `l_d` and `n_d` a document's sum of losses and tokens, `m = sum l / sum n` and `D` documents::

        perplexity = exp(m)       error = exp(m) * sqrt(D / (D - 1) * sum((l_d - m * n_d)**2)) / sum n

    the linearized error of a ratio (Cochran, Sampling Techniques, 6.4). One document has no error: NaN.

    Parameters
    ----------
    losses
        `(n_documents, 2)`: sums of losses in nats, and tokens; documents without tokens are left out.
    """
    losses = losses[losses[:, 1] > 0].double()
    total, count = losses.sum(0)
    mean, n = total / count, len(losses)
    residual = (losses[:, 0] - mean * losses[:, 1]).square().sum()
    error = math.sqrt(n / (n - 1) * residual) / count if n > 1 else math.nan
    return float(mean.exp()), float(mean.exp() * error)


def ratio(losses: Tensor, teacher: Tensor) -> tuple[float, float]:
    """Return a perplexity in that of a teacher, and its standard error by document.

    It is that of `perplexity`, of the differences of losses on the same tokens; both parameters are as of there.
    """
    differences = torch.stack([losses[:, 0] - teacher[:, 0], losses[:, 1]], 1)
    return perplexity(differences)


@torch.no_grad()
def document_losses(model: nn.Module, task: Language, context: int, limit: int | None = None) -> Tensor:
    """Return the sums of losses in nats and the tokens of each test document, `(n_documents, 2)`, in windows.

    Parameters
    ----------
    model
        It attends as its modules are set.
    task
        Whose documents they are.
    context
        Tokens of a window.
    limit
        Windows, taken in turn from each document; None: all.

    Raises
    ------
    ValueError
        No document has a window.
    """
    windows = task.windows(context)[:limit]
    if not windows:
        raise ValueError(f"no document of the test has more than {context} tokens")
    sums = torch.zeros(len(task.documents), 2, dtype=torch.float64)
    for start in range(0, len(windows), task.test_batch_size):
        numbers, batch = zip(*windows[start : start + task.test_batch_size], strict=True)
        inputs, labels = task.batch(torch.stack(batch))
        losses = functional.cross_entropy(task.forward(model, inputs), labels, reduction="none")
        for number, rows in zip(numbers, losses.double().view(len(numbers), -1), strict=True):
            sums[number] += torch.tensor([float(rows.sum()), len(rows)], dtype=torch.float64)
    return sums


def perplexities(
    run: Run,
    *,
    contexts: Sequence[int],
    top_ns: Sequence[int | None],
    kinds: Sequence[str] = KINDS,
    widths: Widths | None = None,
    limit: int | None = None,
    progress: Progress | None = None,
) -> list[Point]:
    """Return the perplexities of a finished student and of its teacher, if that one's run lies beside it.

    Parameters
    ----------
    run
        A student's, of the task `language`.
    contexts
        Tokens of a window, each.
    top_ns
        Numbers of kept keys, each below the context; None: all.
    kinds
        Some of `KINDS`.
    widths
        Of the integers; None: the defaults.
    limit
        Windows for each; None: all.
    progress
        Called before each point and at the end.

    Raises
    ------
    ValueError
        The run is of another task, or no document has a window of a context.
    """
    task = run.task
    if not isinstance(task, Language):
        raise ValueError(f"{run.folder.path} is of the task {run.config.task.name}; language models have a perplexity")
    for context in contexts:
        require_int("context", context, 2)
    for kind in kinds:
        require_choice("kind", kind, KINDS)
    widths = Widths() if widths is None else widths
    scales = value_scales(calibrated_values(run.model, task), widths.value_bits) if "integer" in kinds else {}
    networks = {kind: network for kind, network in _networks(run).items() if kind in kinds}
    wanted = [one for one in _wanted(contexts, top_ns) if one[0] in networks]
    found = []
    teachers: dict[int, Tensor] = {}
    for done, (kind, context, top_n) in enumerate(wanted):
        if progress is not None:
            progress(f"{kind}, context {context}, {'all' if top_n is None else top_n} keys", done, len(wanted))
        model, mode = networks[kind]
        with measured() as cost, settings(model, mode=mode, top_n=top_n):
            if kind == "integer":
                with integer_attention(model, scales, widths):
                    losses = document_losses(model, task, context, limit)
            else:
                losses = document_losses(model, task, context, limit)
        value, error = perplexity(losses)
        if kind == "teacher":
            teachers[context] = losses
        of_teacher = ratio(losses, teachers[context]) if context in teachers else (None, None)
        found.append(
            Point(
                kind=kind,
                context=context,
                top_n=top_n,
                perplexity=value,
                error=error,
                tokens=int(losses[:, 1].sum()),
                documents=int((losses[:, 1] > 0).sum()),
                seconds=round(cost.seconds, 1),
                peak_mib=round(cost.peak_mib),
                ratio=of_teacher[0],
                ratio_error=of_teacher[1],
            )
        )
    if progress is not None:
        progress("done", len(wanted), len(wanted))
    return found


def _wanted(contexts: Sequence[int], top_ns: Sequence[int | None]) -> Iterator[tuple[str, int, int | None]]:
    for context in contexts:
        yield "teacher", context, None
        for top_n in top_ns:
            if top_n is None or top_n < context:
                for kind in KINDS[1:] if top_n is not None else KINDS[2:]:
                    yield kind, context, top_n


def _networks(run: Run) -> dict[str, tuple[nn.Module, str]]:
    """Return the model of each kind, and the mode of its attention."""
    student, config = run.model, run.config
    found = {"student": (student, "sign"), "integer": (student, "sign")}
    assert config.student is not None
    try:
        teacher = find_teacher(config, run.folder.path.parent).model
    except ValueError:
        return found
    signs = binarized(teacher, config.student, run.task, batch_size=config.train.batch_size, seed=config.seed)
    found |= {"teacher": (teacher, "float"), "teacher_top_n": (teacher, "float_top")}
    return found | {"untrained": (signs, "sign")}


def to_json(points: Sequence[Point]) -> list[dict[str, Any]]:
    """Return points as JSON's types."""
    return [asdict(point) for point in points]
