"""A task without data, and a finished run of it."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from hamming.distill.method.convert import configure, hamming_layers
from hamming.distill.models.encoder import ImageEncoder
from hamming.distill.tasks.task import Task, TaskConfig
from hamming.distill.training.config import RunConfig, StudentConfig, TrainConfig
from hamming.distill.training.folder import RunFolder


class Noise(Task):
    """Images of noise, labelled by a teacher, but for every fourth."""

    n_classes, n_train, n_test, test_batch_size = 5, 60, 90, 40

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        self.images = torch.randn(150, 8, 8, generator=generator)
        torch.manual_seed(1)
        shape = {"image_size": 8, "patch_size": 2, "d_model": 16, "n_heads": 2, "d_inner": 16, "n_layers": 2}
        self.teacher = self.build(**shape).eval()
        self.student = self.build(**shape).eval()
        self.student.load_state_dict(self.teacher.state_dict())
        for layer in hamming_layers(self.student).values():
            layer.sigma_q.uniform_(0.5, 2)
        configure(self.student, mode="sign", top_n=4)
        with torch.no_grad():
            self.labels = self.teacher(self.images)[0].argmax(1)
        self.labels[::4] = (self.labels[::4] + 1) % 5

    def build(self, **shape: int) -> ImageEncoder:
        return ImageEncoder(n_classes=5, **shape)

    def train_batch(self, items: Tensor, generator: torch.Generator):
        return {"images": self.images[:60][items]}, self.labels[:60][items]

    def test_batch(self, items: slice):
        return {"images": self.images[60:][items]}, self.labels[60:][items]


def finished_runs(folder: Path, task: Noise) -> Path:
    """Write the runs of the teacher and of its student, and return the student's folder."""
    config = TaskConfig(name="fashion_mnist_sample")
    shape = {"image_size": 8, "patch_size": 2, "d_model": 16, "n_heads": 2, "d_inner": 16, "n_layers": 2}
    teacher = RunFolder(folder / "noise_teacher-0")
    teacher.claim(
        RunConfig(name="noise_teacher", kind="teacher", task=config, train=TrainConfig(epochs=1), model=shape)
    )
    teacher.finish(task.teacher.state_dict(), {"model": shape})
    student = RunFolder(folder / "noise-0")
    student.claim(
        RunConfig(
            name="noise",
            kind="student",
            task=config,
            train=TrainConfig(sign=1),
            student=StudentConfig(teacher="noise_teacher", top_n=4),
        )
    )
    student.finish(task.student.state_dict(), {"model": shape})
    return student.path
