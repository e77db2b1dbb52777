"""Make `distill/data/fashion_mnist_sample.npz`, the images that come with the package: `python -m distill.sample`.

The first 3,000 training and the first 1,000 test images of Fashion-MNIST (Xiao et al., arXiv 1708.07747; MIT licence).
"""

from __future__ import annotations

import numpy as np

from distill.tasks.fashion_mnist import SAMPLE, read_fashion_mnist

N_TRAIN, N_TEST = 3000, 1000


def main() -> None:
    """Write the file."""
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


if __name__ == "__main__":
    main()
