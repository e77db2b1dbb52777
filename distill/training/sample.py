"""Make what comes with the package in `distill/data/`: images, a teacher and its student, for tests without network.

From finished runs of `fashion_mnist_teacher` and `fashion_mnist`, seed 0::

    python -m hamming.distill.training.sample RUNS

The images are the first 3,000 training and the first 1,000 test images of Fashion-MNIST (Xiao et al., arXiv
1708.07747; MIT licence). Weights are rounded to half precision.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from hamming.distill.tasks import TaskConfig, load_task
from hamming.distill.tasks.fashion_mnist import SAMPLE, read_fashion_mnist
from hamming.distill.training.figures import accuracy
from hamming.distill.training.folder import RunFolder
from hamming.distill.training.runs import DATA, load_run, versions

N_TRAIN, N_TEST = 3000, 1000

#: Runs, and the names that they get.
NAMES = {"fashion_mnist_teacher": "sample_teacher", "fashion_mnist": "sample_student"}


def main() -> None:
    """Write the images and both models."""
    parser = argparse.ArgumentParser(prog="python -m hamming.distill.training.sample", description=main.__doc__)
    parser.add_argument("runs", type=Path, help="the folder that holds the runs")
    runs = parser.parse_args().runs
    _save_images()
    for run, name in NAMES.items():
        _save_run(runs / f"{run}-0", name)


def _save_images() -> None:
    images, labels, test_images, test_labels = (part.numpy() for part in read_fashion_mnist())
    with SAMPLE.open("wb") as file:
        np.savez_compressed(
            file,
            images=images[:N_TRAIN],
            labels=labels[:N_TRAIN],
            test_images=test_images[:N_TEST],
            test_labels=test_labels[:N_TEST],
            source=np.array("Fashion-MNIST, Zalando SE, MIT licence; from Debian's package dataset-fashion-mnist"),
        )
    print(f"{SAMPLE}: {SAMPLE.stat().st_size:,} bytes")


def _save_run(source: Path, name: str) -> None:
    run = load_run(source)
    metrics = run.folder.metrics() or {}
    config = replace(run.config, name=name, task=TaskConfig(name="fashion_mnist_sample"))
    if config.student is not None:
        config = replace(config, student=replace(config.student, teacher="sample_teacher"))
    weights = {key: weight.half() for key, weight in run.model.state_dict().items()}
    run.model.load_state_dict(weights)
    kept = {key: metrics[key] for key in ("kind", "seed", "steps", "parameters", "seconds", "model")}
    found = accuracy(run.model, load_task(config.task))
    folder = RunFolder(DATA / name)
    folder.claim(config)
    folder.finish(
        weights, {"name": name, "made_of": run.config.name, "accuracy": found, **kept, "versions": versions()}
    )
    print(f"{folder.path}: {found:.1%} of the sample's {N_TEST} test images")


if __name__ == "__main__":
    main()
