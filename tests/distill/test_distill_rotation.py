"""Queries and keys turned before their sign, and thresholds of signs that are trained."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hamming.distill.method.attention import HammingAttention
from hamming.distill.method.convert import configure
from hamming.distill.method.heads import HammingHeads
from hamming.distill.method.rotation import hadamard, learnt, rotate
from hamming.distill.training.config import RunConfig
from hamming.distill.training.folder import RunFolder
from hamming.distill.training.run import train


class Two(nn.Module):
    """Two layers of attention, of which the second has no biases."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(HammingAttention(16, 2, bias=bias) for bias in (True, False))

    def forward(self, x):
        for layer in self.layers:
            x = x + layer(x)[0]
        return x


def uneven(n: int = 3) -> list[torch.Tensor]:
    """Batches of tokens some of whose elements are much larger than the others."""
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(4, 9, 16, generator=generator) * torch.tensor([8.0, *[1.0] * 15]) for _ in range(n)]


@pytest.mark.parametrize("kind", ["hadamard", "learnt"])
def test_full_precision_does_not_see_a_rotation_and_signs_do(kind):
    torch.manual_seed(0)
    model, batches = Two().double(), [batch.double() for batch in uneven()]
    with torch.no_grad():
        exact = model(batches[0])
        configure(model, mode="sign")
        signs = model(batches[0])
        rotate(model, kind, model, batches)
        assert not torch.allclose(model(batches[0]), signs, atol=1e-3)
        configure(model, mode="float")
        torch.testing.assert_close(model(batches[0]), exact)


@pytest.mark.parametrize("n", [1, 2, 32])
def test_a_hadamard_matrix_is_orthogonal_and_even(n):
    matrix = hadamard(n)
    torch.testing.assert_close(matrix @ matrix.mT, torch.eye(n))
    torch.testing.assert_close(matrix.abs(), torch.full((n, n), n**-0.5))


def test_what_is_learnt_is_orthogonal_and_nearer_to_its_signs():
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(500, 8, generator=generator) * torch.tensor([6.0, 3.0, *[0.3] * 6])

    def distance(turn):
        turned = x @ turn.mT
        return float((turned.sign() - turned).square().sum())

    distances = [distance(learnt(x, n_steps)) for n_steps in (0, 1, 5, 50)]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 0.99 * distances[0]
    torch.testing.assert_close(learnt(x) @ learnt(x).mT, torch.eye(8), atol=1e-5, rtol=0)


def test_what_cannot_be_turned_is_refused():
    with pytest.raises(ValueError, match="power of two rows, not 12"):
        hadamard(12)
    with pytest.raises(ValueError, match="rotation must be one of none, hadamard, learnt, not 'random'"):
        rotate(Two(), "random", print, [])
    model = nn.ModuleDict({"heads": HammingHeads(2, 4, 4)})
    with pytest.raises(ValueError, match="heads has no projections of its own that a rotation could go into"):
        rotate(model, "hadamard", print, [])
    rotate(model, "none", print, [])


def run_of(kind: str, **student) -> RunConfig:
    fields = {
        "name": kind,
        "kind": kind,
        "task": {"name": "fashion_mnist_sample", "n_train": 64, "n_test": 50},
        "model": {"n_layers": 2, "d_model": 16, "n_heads": 2, "d_inner": 16},
        "train": {"epochs": 1, "batch_size": 16},
    }
    if kind == "student":
        fields |= {"model": {}, "train": {"sharp": 1, "sign": 1, "batch_size": 16}}
        fields["student"] = {"teacher": "teacher", "top_n": 6, "calibration_batches": 2} | student
    return RunConfig.from_dict(fields)


@pytest.mark.parametrize("rotation", ["hadamard", "learnt"])
def test_a_student_begins_with_its_rotation(rotation, tmp_path):
    train(run_of("teacher"), tmp_path)
    metrics = train(run_of("student", rotation=rotation), tmp_path)
    assert metrics["attention"]["untrained"]["recall"] > 0.15
    assert metrics["config"]["student"]["rotation"] == rotation


@pytest.mark.parametrize("learn_thresholds", [False, True])
def test_thresholds_are_trained_if_they_are_asked_for(learn_thresholds, tmp_path):
    train(run_of("teacher"), tmp_path)
    train(run_of("student", learn_thresholds=learn_thresholds), tmp_path)
    weights = RunFolder(tmp_path / "student-0").weights()
    for number in (0, 1):
        thresholds = weights[f"blocks.{number}.attention.key_mean"]
        assert bool((thresholds != 0).all()) == learn_thresholds
        assert not thresholds.requires_grad
