"""Which of Jane Austen's six novels a passage is from: the texts of the R package janeaustenr (public domain)."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import torch

from hamming.distill.tasks.task import TaskConfig, debian_file, taken
from hamming.distill.tasks.text import TextTask, minilm_tokenizer

__all__ = ["TITLES", "Novels", "parts", "read_novels"]

PACKAGE, FILE = "r-cran-janeaustenr", "usr/lib/R/site-library/janeaustenr/data/Rdata.rdb"

#: The classes, in this order.
TITLES = (
    "Emma",
    "Mansfield Park",
    "Northanger Abbey",
    "Persuasion",
    "Pride and Prejudice",
    "Sense and Sensibility",
)

#: Parts of equal length that each novel is cut into, and how many of them are the test's, drawn at random; one more is
#: the validation's, if there is one.
N_PARTS, N_TEST_PARTS, SEED = 20, 3, 0


class Novels(TextTask):
    """Passages that follow each other without overlap, each of `n_tokens` tokens, labelled with their novel.

    The test's passages are whole parts of the novels, a twentieth each, so that few of them touch a training passage;
    so are the validation's.
    """

    n_classes = len(TITLES)
    test_batch_size = 16

    def __init__(self, config: TaskConfig) -> None:
        super().__init__(config)
        novels = read_novels(debian_file(PACKAGE, FILE))
        tokenizer = minilm_tokenizer()
        first, last = (tokenizer.token_to_id(marker) for marker in ("[CLS]", "[SEP]"))
        rng = np.random.default_rng(SEED)
        train, test = [], []
        for label, title in enumerate(TITLES):
            tokens = tokenizer.encode(" ".join(novels[title].split()), add_special_tokens=False).ids
            for part, is_held_back in parts(len(tokens), config.split, rng):
                for start in range(part.start, part.stop, config.n_tokens - 2):
                    inner = tokens[start : min(start + config.n_tokens - 2, part.stop)]
                    if len(inner) == config.n_tokens - 2:
                        (test if is_held_back else train).append((torch.tensor([first, *inner, last]), label))
        train, test = ([items[number] for number in rng.permutation(len(items))] for items in (train, test))
        self.n_train = taken("n_train", config.n_train, len(train))
        self.n_test = taken("n_test", config.n_test, len(test))
        self._train, self._test = [text for text, _ in train[: self.n_train]], [text for text, _ in test[: self.n_test]]
        self._train_labels = torch.tensor([label for _, label in train[: self.n_train]])
        self._test_labels = torch.tensor([label for _, label in test[: self.n_test]])


def parts(n_tokens: int, split: str, rng: np.random.Generator) -> list[tuple[slice, bool]]:
    """Return the parts of a text of `n_tokens` tokens that are used, and whether each is held back from training.

    Of the split `test` all are used, and the test's are held back; of `validation` the test's are left out, and one of
    the others is held back.
    """
    ends = [0, *np.cumsum([len(part) for part in np.array_split(np.arange(n_tokens), N_PARTS)]).tolist()]
    held_back = range(N_TEST_PARTS) if split == "test" else range(N_TEST_PARTS, N_TEST_PARTS + 1)
    return [
        (slice(first, last), number in held_back)
        for first, last, number in zip(ends, ends[1:], rng.permutation(N_PARTS), strict=False)
        if number in held_back or number >= held_back.stop
    ]


def read_novels(path: Path) -> dict[str, str]:
    """Return the novels by their titles, from a data base of R's.

    It is a row of blocks: four bytes of length, then, compressed by zlib, a vector of lines in R's XDR format.

    Raises
    ------
    ValueError
        The file is no such thing, or a novel is missing.
    """
    content, found = path.read_bytes(), {}
    try:
        while content:
            block = zlib.decompressobj()
            lines = _lines(block.decompress(content[4:]))
            found[lines[0].title().replace(" And ", " and ")] = "\n".join(lines)
            content = block.unused_data
    except (struct.error, zlib.error, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no data base of R's texts: {error}") from error
    for title in TITLES:
        if title not in found:
            raise ValueError(f"{path} must have {title!r}; it has {', '.join(found)}")
    return found


def _lines(xdr: bytes) -> list[str]:
    """Return the strings of a serialized vector (R Internals, section 1.8): counts and texts, big-endian."""
    version = struct.unpack_from(">i", xdr, 2)[0]
    place = 14 if version == 2 else 18 + struct.unpack_from(">i", xdr, 14)[0]  # version 3 names its encoding
    count = struct.unpack_from(">i", xdr, place + 4)[0]
    place += 8
    lines = []
    for _ in range(count):
        length = struct.unpack_from(">i", xdr, place + 4)[0]
        lines.append(xdr[place + 8 : place + 8 + length].decode("utf-8"))
        place += 8 + length
    return lines
