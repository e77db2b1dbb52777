"""What is measured of a model, on the student that comes with the package."""

from __future__ import annotations

import copy

import pytest
import torch

from hamming.distill.method.convert import configure, hamming_layers
from hamming.distill.training.figures import accuracy, attention_likeness, settings
from hamming.distill.training.runs import DATA, Run, load_run


@pytest.fixture(scope="module")
def student() -> Run:
    return load_run(DATA / "sample_student")


def test_accuracy_counts_right_answers(student):
    inputs, labels = next(student.task.test_batches(40))
    with torch.no_grad():
        right = sum(
            int(student.task.forward(student.model, {"images": image[None]}).argmax()) == int(label)
            for image, label in zip(inputs["images"], labels, strict=True)
        )
    assert accuracy(student.model, student.task, limit=40) == right / 40


def test_settings_last_as_long_as_they_are_asked_for(student):
    layers = hamming_layers(student.model).values()
    with settings(student.model, mode="float_top", top_n=3):
        assert {(module.mode, module.top_n) for module in layers} == {("float_top", 3)}
    assert {(module.mode, module.top_n) for module in layers} == {("sign", 10)}
    one = accuracy(student.model, student.task, limit=100, top_n=1)
    assert {module.top_n for module in layers} == {10}
    assert one < accuracy(student.model, student.task, limit=100)


def test_a_model_attends_as_itself_and_not_as_another(student):
    same = attention_likeness(student.model, student.model, student.task, 10, limit=30)
    assert (same.recall, same.divergence) == (pytest.approx(1), pytest.approx(0, abs=1e-6))
    other = copy.deepcopy(student.model)
    configure(other, mode="float")
    found = attention_likeness(other, student.model, student.task, 10, limit=30)
    assert 0.2 < found.recall < 0.9  # a fifth by chance
    assert found.divergence > 0.01
