"""What a student is compared by: attention maps and outputs, each as a Kullback-Leibler divergence."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from hamming.distill.method.masks import keep_best, spread

__all__ = ["attention_divergence", "attention_recall", "mean", "output_divergence", "output_error"]


def attention_divergence(teacher: Tensor, student: Tensor, visible: Tensor | None = None) -> Tensor:
    """`mean over queries of sum_j p_j * log(p_j / s_j)`, `p` and `s` softmax of the teacher's and student's scores.

    All keys that take part are compared, those that the student will not keep too: otherwise a key that it should
    have kept would have no gradient. (HAD, arXiv 2502.01770: the first loss.)

    Parameters
    ----------
    teacher, student
        Scores of all keys, `(batch, n_heads, n_queries, n_keys)`.
    visible
        True where a key takes part, as `HammingHeads.attend` takes it. In a mask of keys alone, `(batch,
        n_keys)`, a token that is no key is no query either: padding.
    """
    mask = spread(visible)
    if mask is not None:
        low = torch.finfo(teacher.dtype).min
        teacher, student = teacher.masked_fill(~mask, low), student.masked_fill(~mask, low)
    log_p, log_s = teacher.log_softmax(-1), student.log_softmax(-1)
    rows = (log_p.exp() * (log_p - log_s)).sum(-1)  # a key that takes no part has p = 0
    return _mean_of_queries(rows, visible)


def output_divergence(teacher: Tensor, student: Tensor, temperature: float = 1.0) -> Tensor:
    """`T**2 * mean of sum_c p_c * log(p_c / s_c)`, `p` and `s` softmax of logits divided by `T` (HAD's second loss).

    `T**2` keeps the size of the gradient (Hinton et al., arXiv 1503.02531).
    """
    log_p, log_s = (functional.log_softmax(x / temperature, -1) for x in (teacher, student))
    return temperature**2 * functional.kl_div(log_s, log_p, reduction="batchmean", log_target=True)


def output_error(teacher: Tensor, student: Tensor, visible: Tensor | None = None) -> Tensor:
    """`sum of |s - t|**2 / sum of |t|**2`, `t` and `s` what teacher's and student's attention give for each token.

    Parameters
    ----------
    teacher, student
        `(batch, n_tokens, d_model)`.
    visible
        As of `attention_divergence`: tokens of padding do not count.
    """
    teacher, student = teacher.float(), student.float()
    error, size = (student - teacher).square().sum(-1), teacher.square().sum(-1)
    if visible is not None:
        counted = visible if visible.ndim == 2 else visible.any(-1)
        error, size = error * counted, size * counted
    return error.sum() / size.sum()


def attention_recall(teacher: Tensor, student: Tensor, top_n: int, visible: Tensor | None = None) -> Tensor:
    """Share of the teacher's `top_n` best keys that are among the student's, mean over queries.

    Parameters are those of `attention_divergence`; with fewer keys than `top_n`, all are kept by both.
    """
    mask = spread(visible)
    best, kept = (keep_best(scores, top_n, mask) for scores in (teacher, student))
    rows = (best & kept).sum(-1) / best.sum(-1).clamp(min=1)
    return _mean_of_queries(rows, visible)


def _mean_of_queries(rows: Tensor, visible: Tensor | None) -> Tensor:
    """Mean of `rows`, `(batch, n_heads, n_queries)`, over heads and the queries that count."""
    if visible is None:
        return rows.mean()
    counted = visible if visible.ndim == 2 else visible.any(-1)
    return (rows.mean(1) * counted).sum() / counted.sum()


def mean(values: Sequence[Tensor]) -> Tensor:
    """Mean over layers."""
    return torch.stack(list(values)).mean()
