"""What distillation is for: a student that does with signs what its teacher does with numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hamming.distill.training.figures import accuracy
from hamming.distill.training.run import binarized, train
from hamming.distill.training.run_file import load_run_file
from hamming.distill.training.runs import DATA, load_run


@pytest.fixture(scope="module")
def teacher():
    return load_run(DATA / "sample_teacher")


def test_the_teacher_in_the_package_classifies_what_it_never_saw(teacher):
    """1,000 test images; its aim on all 10,000 is 88 %, and three standard errors are 3 points."""
    assert accuracy(teacher.model, teacher.task) > 0.85


def test_the_student_in_the_package_is_nearly_its_teacher(teacher):
    student = load_run(DATA / "sample_student")
    assert student.config.student is not None
    settings = replace(student.config.student, calibration_batches=10)
    naive = binarized(teacher.model, settings, teacher.task, batch_size=64, seed=0)
    by_teacher = accuracy(teacher.model, teacher.task)
    by_student = accuracy(student.model, student.task)
    assert by_student > by_teacher - 0.03
    assert by_student > accuracy(naive, teacher.task) + 0.05


def test_a_short_distillation_recovers_most_of_what_signs_lose(tmp_path):
    """Two epochs of 3,000 images, evaluated on 1,000 others; the run file has two and a half."""
    shorter = "train.sign=0.5", "sweep_top_n=[]", "student.calibration_batches=10"
    found = train(load_run_file("sample", shorter), tmp_path)["accuracy"]
    lost = found["teacher"] - found["untrained"]
    assert lost > 0.05
    assert found["student"] - found["untrained"] > 0.6 * lost
