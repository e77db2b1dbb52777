"""Losses, recall and the schedule, against numbers by hand."""

from __future__ import annotations

import math

import pytest
import torch

from hamming.distill.method.losses import attention_divergence, attention_recall, output_divergence
from hamming.distill.method.schedule import Schedule, learning_rate


def maps(*rows: list[float]) -> torch.Tensor:
    """Scores of one item and one head."""
    return torch.tensor([[list(rows)]]).log()


def test_attention_divergence_by_hand():
    teacher, student = maps([0.5, 0.25, 0.25], [1 / 3] * 3), maps([0.25, 0.625, 0.125], [1 / 3] * 3)
    by_hand = (0.5 * math.log(2) + 0.25 * math.log(0.4) + 0.25 * math.log(2)) / 2  # the second query's is 0
    assert attention_divergence(teacher, student).item() == pytest.approx(by_hand)
    assert attention_divergence(teacher + 7, student - 3).item() == pytest.approx(by_hand)


def test_attention_divergence_leaves_padding_out():
    teacher, student = (maps([0.5, 0.25, 0.25], [0.1, 0.2, 0.7], row) for row in ([0.8, 0.1, 0.1], [0.1, 0.8, 0.1]))
    student[0, 0, 0] = torch.tensor([0.25, 0.5, 9.0]).log()
    visible = torch.tensor([[True, True, False]])  # rows 0 and 1 count, over keys 0 and 1
    by_hand = (2 / 3 * math.log(2) + 1 / 3 * math.log(1 / 2)) / 2
    assert attention_divergence(teacher, student, visible).item() == pytest.approx(by_hand)
    causal = torch.tensor([[[True, False, False], [True, True, False], [True, True, True]]])
    third = 0.8 * math.log(8) + 0.1 * math.log(1 / 8)
    assert attention_divergence(teacher, student, causal).item() == pytest.approx(third / 3, rel=1e-5)


def test_attention_divergence_has_a_finite_gradient_under_a_mask():
    student = torch.randn(2, 1, 3, 3, requires_grad=True)
    visible = torch.tensor([[True, True, False], [True, False, False]])
    attention_divergence(torch.randn(2, 1, 3, 3), student, visible).backward()
    assert student.grad is not None
    assert student.grad.isfinite().all()
    assert (student.grad[0, 0, :, 2] == 0).all()


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_output_divergence_by_hand(temperature):
    teacher, student = [[2.0, 0.0]], [[0.0, 1.0]]

    def softmax(row: list[float]) -> list[float]:
        exps = [math.exp(x / temperature) for x in row]
        return [e / sum(exps) for e in exps]

    pairs = zip(softmax(teacher[0]), softmax(student[0]), strict=True)
    by_hand = temperature**2 * sum(p * math.log(p / s) for p, s in pairs)
    found = output_divergence(torch.tensor(teacher), torch.tensor(student), temperature)
    assert found.item() == pytest.approx(by_hand, rel=1e-5)


def test_recall_by_hand():
    teacher = torch.tensor([[[[4.0, 3, 2, 1], [1, 2, 3, 4]]]])
    student = torch.tensor([[[[4.0, 1, 2, 3], [1, 2, 3, 4]]]])  # keeps 0 and 3 of 0 and 1; both of 2 and 3
    assert attention_recall(teacher, student, 2).item() == 0.75
    assert attention_recall(teacher, student, 9).item() == 1.0
    visible = torch.tensor([[True, True, True, False]])[:, :4]
    square = torch.cat([teacher, teacher], 2), torch.cat([student, student], 2)
    # Keys 0, 1, 2. Row 0: 0, 1 against 0, 2. Rows 1 and 2 count too; row 3, padding, does not.
    assert attention_recall(*square, 2, visible).item() == pytest.approx((0.5 + 1 + 0.5) / 3)


def test_the_stages_follow_each_other_and_the_sharpness_falls_by_a_factor():
    schedule = Schedule({"soft": 3, "sharp": 0, "sign": 1, "final": 2})
    found = [
        (phase.stage.name, phase.stage.mode, round(phase.sharpness, 9)) for phase in map(schedule.__getitem__, range(6))
    ]
    assert found == [
        ("soft", "tanh", 5.0),
        ("soft", "tanh", round(math.sqrt(5), 9)),
        ("soft", "tanh", 1.0),
        ("sign", "sign", 1.0),
        ("final", "sign", 1.0),
        ("final", "sign", 1.0),
    ]
    assert [schedule[step].stage.compares_attention for step in range(6)] == [True] * 4 + [False] * 2
    sharp = Schedule({"sharp": 11})
    assert sharp[10].sharpness == pytest.approx(0.05)
    assert sharp[5].sharpness == pytest.approx(math.sqrt(0.05))
    with pytest.raises(IndexError, match="0 to 10, not 11"):
        sharp[11]


def test_the_learning_rate_rises_and_falls():
    rates = [learning_rate(step, 100, 0.1) for step in range(100)]
    assert rates[:3] == [1 / 11, 2 / 11, 3 / 11]
    assert rates[10] == 1.0
    assert rates[55] == pytest.approx(0.5)
    assert 0 < rates[99] < 0.001
    assert rates[10:] == sorted(rates[10:], reverse=True)
