"""Images of clothes, of ten kinds: Fashion-MNIST (Xiao et al., arXiv 1708.07747; MIT licence)."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from hamming.distill.models.encoder import ImageEncoder
from hamming.distill.tasks.pretrained import build_classifier, read_classifier
from hamming.distill.tasks.task import Batch, Task, TaskConfig, debian_file, taken

__all__ = ["SAMPLE", "FashionMnist", "read_fashion_mnist", "read_idx"]

PACKAGE, FOLDER = "dataset-fashion-mnist", "usr/share/datasets/fashion-mnist"

#: A part of the data that comes with this package, made by `distill.training.sample`.
SAMPLE = Path(__file__).parents[1] / "data" / "fashion_mnist_sample.npz"

#: The end of the name of a pretrained model's class.
KIND = "ForImageClassification"

#: Keys of section `[model]`: parameters of `ImageEncoder`.
SHAPE = ("patch_size", "n_layers", "d_model", "n_heads", "d_inner")

#: Mean and standard deviation of the training images' pixels, of 0 to 1.
MEAN, SPREAD = 0.2860, 0.3530


class FashionMnist(Task):
    """60,000 training and 10,000 test images of 28 by 28 pixels, or the sample of them that is in this package.

    Training images are flipped at random, and shifted by up to a pixel each way. The validation's are the last sixth of
    the training images, whose order is random.
    """

    n_classes = 10

    def __init__(self, config: TaskConfig) -> None:
        images, labels, test_images, test_labels = _sample() if config.name.endswith("sample") else read_fashion_mnist()
        if config.split == "validation":
            rest = len(images) - len(images) // 6
            (images, test_images), (labels, test_labels) = (x.split((rest, len(x) - rest)) for x in (images, labels))
        self.augment = config.augment
        self.n_train = taken("n_train", config.n_train, len(images))
        self.n_test = taken("n_test", config.n_test, len(test_images))
        self._images, self._labels = images, labels.long()
        self._test_images, self._test_labels = test_images, test_labels.long()

    def build(self, **shape: Any) -> nn.Module:
        if "config" in shape:
            return build_classifier(KIND, shape["config"])
        for key in shape:
            if key not in SHAPE:
                raise ValueError(f"unknown key {key!r} in [model]; known: {', '.join(SHAPE)}")
        return ImageEncoder(n_classes=self.n_classes, **shape)

    def pretrained(self, folder: Path) -> tuple[nn.Module, dict[str, Any]]:
        model, shape = read_classifier(KIND, folder, self.n_classes)
        config, size = shape["config"], self._images.shape[-1]
        if config.get("image_size") not in (size, [size, size], (size, size)) or "num_channels" not in config:
            raise ValueError(
                f"{str(folder)!r} must be of images of {size} by {size} pixels, not {config.get('image_size')}"
            )
        return model, shape

    def train_batch(self, items: Tensor, generator: torch.Generator) -> Batch:
        images = self._images[items]
        if self.augment:
            images = _shifted(_flipped(images, generator), generator)
        return {"images": _normal(images)}, self._labels[items]

    def test_batch(self, items: slice) -> Batch:
        return {"images": _normal(self._test_images[items])}, self._test_labels[items]


def _normal(images: Tensor) -> Tensor:
    return (images.float() / 255 - MEAN) / SPREAD


def _flipped(images: Tensor, generator: torch.Generator) -> Tensor:
    is_flipped = torch.rand(len(images), generator=generator) < 0.5
    return torch.where(is_flipped[:, None, None], images.flip(2), images)


def _shifted(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each image moved by -1, 0 or 1 pixels along both axes; what is moved in is black."""
    count, height, width = images.shape
    padded = functional.pad(images, (1, 1, 1, 1))
    down, right = torch.randint(3, (2, count, 1), generator=generator)
    rows, columns = down + torch.arange(height), right + torch.arange(width)
    return padded[torch.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]


def read_fashion_mnist() -> list[Tensor]:
    """Return images and labels for training, and for the test, as bytes.

    Raises
    ------
    distill.tasks.task.MissingData
        The files are not installed.
    """
    names = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    paths = [debian_file(PACKAGE, f"{FOLDER}/{name}-ubyte.gz") for name in names]
    return [torch.from_numpy(read_idx(path)) for path in paths]


def _sample() -> list[Tensor]:
    with np.load(SAMPLE) as arrays:
        return [torch.from_numpy(arrays[name]) for name in ("images", "labels", "test_images", "test_labels")]


def read_idx(path: Path) -> np.ndarray:
    """Return the bytes of a compressed IDX file in the shape that its head states.

    Raises
    ------
    ValueError
        It is no IDX file of bytes, or not a whole one.
    """
    with gzip.open(path) as file:
        content = file.read()
    if content[:3] != b"\0\0\x08":
        raise ValueError(f"{path} must be an IDX file of bytes, and start with 00 00 08, not {content[:3].hex(' ')}")
    n_axes = content[3]
    shape = np.frombuffer(content, ">u4", n_axes, 4)
    elements = np.frombuffer(content, np.uint8, offset=4 + 4 * n_axes)
    if elements.size != shape.prod():
        raise ValueError(f"{path} must have {shape.prod()} elements, as its head says, not {elements.size}")
    return elements.reshape(shape).copy()
