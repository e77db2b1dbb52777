"""Tasks: labelled data, and the model that learns them."""

from __future__ import annotations

from hamming.distill.tasks.task import Task, TaskConfig

__all__ = ["TASKS", "Task", "TaskConfig", "load_task"]

#: Names of tasks in run files.
TASKS = ("fashion_mnist", "fashion_mnist_sample", "reviews", "novels", "language")


def load_task(config: TaskConfig) -> Task:
    """Return the task that a run file names, its data loaded.

    Raises
    ------
    ValueError
        A key that the task does not have.
    distill.tasks.task.MissingData
        Data or weights that are not installed; the message has the command that installs them.
    """
    if config.name in ("fashion_mnist", "fashion_mnist_sample"):
        from hamming.distill.tasks.fashion_mnist import FashionMnist

        return FashionMnist(config)
    if config.name == "reviews":
        from hamming.distill.tasks.reviews import Reviews

        return Reviews(config)
    if config.name == "language":
        from hamming.distill.tasks.language import Language

        return Language(config)
    from hamming.distill.tasks.novels import Novels

    return Novels(config)
