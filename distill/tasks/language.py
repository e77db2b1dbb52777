"""What comes next in a text: bytes of Jane Austen's novels, or tokens of a text of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hamming.distill.tasks.novels import FILE, N_PARTS, PACKAGE, SEED, TITLES, parts, read_novels
from hamming.distill.tasks.pretrained import require_transformers
from hamming.distill.tasks.task import Batch, MissingData, Task, TaskConfig, debian_file, taken

__all__ = ["BYTES", "Language", "text_of", "tokens_of"]

#: The tokenizer that needs no file: a text's bytes in UTF-8.
BYTES = "bytes"


class Language(Task):
    """Windows of `n_tokens` tokens that follow each other without overlap, each token with the next one as its label.

    Every text is cut into 20 parts, of which 3, drawn at random, are the test's: its documents; the validation's are
    of one other (`novels.parts`). Training windows are shifted by a random number of tokens if `augment`. Test windows
    come in turn from each document, so that the first few are of all of them.

    Attributes
    ----------
    documents
        The test's, as tokens.
    tokenizer
        A folder, or `BYTES`.
    """

    test_batch_size = 2

    def __init__(self, config: TaskConfig) -> None:
        self.n_tokens, self.augment, self.tokenizer = config.n_tokens, config.augment, config.tokenizer
        rng = np.random.default_rng(SEED)
        train: list[Tensor] = []
        self.documents: list[Tensor] = []
        self.n_classes = _n_words(config.tokenizer)
        for text in _texts(config.text):
            tokens = tokens_of(text, config.tokenizer)
            for part, is_held_back in parts(len(tokens), config.split, rng):
                if part.stop - part.start > config.n_tokens:
                    (self.documents if is_held_back else train).append(tokens[part])
        if not train or not self.documents:
            raise ValueError(
                f"text must have {N_PARTS} parts of more than n_tokens = {config.n_tokens} tokens; {config.text!r} has "
                f"{len(train) + len(self.documents)}"
            )
        self._train = [(part, start) for part in train for start in _starts(part, self.n_tokens)]
        self._test = self.windows(self.n_tokens)
        self.n_train = taken("n_train", config.n_train, len(self._train))
        self.n_test = taken("n_test", config.n_test, len(self._test))
        order = rng.permutation(len(self._train))[: self.n_train]
        self._train = [self._train[place] for place in order]

    def windows(self, n_tokens: int) -> list[tuple[int, Tensor]]:
        """Return the test's windows of `n_tokens + 1` tokens, each with the number of its document."""
        found = [
            (round_, number, document[start : start + n_tokens + 1].long())
            for number, document in enumerate(self.documents)
            for round_, start in enumerate(_starts(document, n_tokens))
        ]
        return [(number, window) for _, number, window in sorted(found, key=lambda one: one[:2])]

    def build(self, **shape: Any) -> nn.Module:
        require_transformers()
        from hamming.distill.models.language import build

        return build(self.n_classes, shape)

    def pretrained(self, folder: Path) -> tuple[nn.Module, dict[str, Any]]:
        if self.tokenizer == BYTES and (folder / "tokenizer.json").exists():
            raise ValueError(f"{str(folder)!r} has a tokenizer of its own: set task.tokenizer to that folder")
        require_transformers()
        from hamming.distill.models.language import pretrained

        model, shape = pretrained(folder)
        n_words = shape["config"]["vocab_size"]
        n_positions = shape["config"].get("max_position_embeddings", self.n_tokens)
        if n_words < self.n_classes:
            raise ValueError(f"{str(folder)!r} knows {n_words} kinds of tokens, and its tokenizer has {self.n_classes}")
        if n_positions < self.n_tokens:
            raise ValueError(f"{str(folder)!r} has {n_positions} positions; task.n_tokens is {self.n_tokens}")
        return model, shape

    def train_batch(self, items: Tensor, generator: torch.Generator) -> Batch:
        windows = []
        for item in items:
            part, start = self._train[item]
            if self.augment:
                room = min(self.n_tokens, len(part) - self.n_tokens - start)
                start += int(torch.randint(room, (1,), generator=generator))
            windows.append(part[start : start + self.n_tokens + 1].long())
        return self.batch(torch.stack(windows))

    def test_batch(self, items: slice) -> Batch:
        return self.batch(torch.stack([window for _, window in self._test[items]]))

    @staticmethod
    def batch(windows: Tensor) -> Batch:
        """Return inputs and labels of windows, `(batch, n_tokens + 1)`."""
        tokens = windows[:, :-1]
        n = tokens.shape[1]
        visible = torch.ones(n, n, dtype=torch.bool).tril().expand(len(tokens), n, n)
        return {"tokens": tokens, "visible": visible}, windows[:, 1:].flatten()


def _starts(part: Tensor, n_tokens: int) -> range:
    return range(0, len(part) - n_tokens, n_tokens)


def _texts(where: str) -> list[str]:
    """Return the novels, or the texts of a file or of a folder's files `*.txt`, their white space made one blank."""
    if where == "novels":
        novels = read_novels(debian_file(PACKAGE, FILE))
        return [" ".join(novels[title].split()) for title in TITLES]
    path = Path(where)
    files = sorted(path.glob("*.txt")) if path.is_dir() else [path]
    if not files or not all(file.is_file() for file in files):
        raise MissingData(f"text must be 'novels', a file, or a folder with files *.txt, not {where!r}")
    return [" ".join(file.read_text(encoding="utf-8").split()) for file in files]


def tokens_of(text: str, tokenizer: str) -> Tensor:
    """Return a text's tokens: its bytes, or what the tokenizer of a folder (`tokenizer.json`) makes of it."""
    if tokenizer == BYTES:
        return torch.from_numpy(np.frombuffer(text.encode("utf-8"), np.uint8).copy())
    return torch.tensor(_tokenizer(tokenizer).encode(text, add_special_tokens=False).ids, dtype=torch.int32)


def text_of(tokens: Tensor, tokenizer: str) -> str:
    """Return the text of tokens; bytes that are no UTF-8 become a replacement character."""
    if tokenizer == BYTES:
        return bytes(tokens.tolist()).decode("utf-8", errors="replace")
    return _tokenizer(tokenizer).decode(tokens.tolist())


def _n_words(tokenizer: str) -> int:
    return 256 if tokenizer == BYTES else _tokenizer(tokenizer).get_vocab_size()


def _tokenizer(folder: str) -> Any:
    path = Path(folder) / "tokenizer.json"
    if not path.is_file():
        raise MissingData(f"tokenizer must be 'bytes', or a folder with a file tokenizer.json, not {folder!r}")
    try:
        from tokenizers import Tokenizer
    except ModuleNotFoundError as error:
        raise MissingData("the package tokenizers is not installed: pip install tokenizers==0.23.3") from error
    return Tokenizer.from_file(str(path))
