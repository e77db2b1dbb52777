"""Pretrained classifiers of `transformers` as teachers: images, and texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import BertConfig, BertForSequenceClassification, ViTConfig, ViTForImageClassification

from hamming.cli import main
from hamming.distill.hardware.export import export_run
from hamming.distill.method.convert import hamming_layers
from hamming.distill.tasks import text
from hamming.distill.tasks.text import TextTask
from hamming.distill.training.config import RunConfig
from hamming.distill.training.run import train
from hamming.distill.training.runs import load_run

SHAPE: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_labels": 10,
}


def vit(folder: Path, **changed: Any) -> Path:
    torch.manual_seed(0)
    config = SHAPE | {"image_size": 28, "patch_size": 7, "num_channels": 1} | changed
    ViTForImageClassification(ViTConfig(**config)).save_pretrained(folder)
    return folder


def student(folder: Path) -> RunConfig:
    return RunConfig.from_dict(
        {
            "name": "images",
            "kind": "student",
            "task": {"name": "fashion_mnist_sample", "n_train": 64, "n_test": 20},
            "student": {"teacher": str(folder), "top_n": 5, "calibration_batches": 2},
            "train": {"sharp": 1, "sign": 1, "batch_size": 16},
        }
    )


@pytest.mark.parametrize("n_channels", [1, 3])
def test_a_pretrained_classifier_of_images_is_distilled_evaluated_and_exported(n_channels, tmp_path):
    folder = vit(tmp_path / "vit", num_channels=n_channels)
    metrics = train(student(folder), tmp_path)
    assert metrics["model"]["config"]["model_type"] == "vit"
    assert "transformers" in metrics["versions"]
    run = load_run(tmp_path / "images-0")
    assert [(heads.mode, heads.top_n) for heads in hamming_layers(run.model).values()] == [("sign", 5)] * 2
    found = export_run(run, tmp_path / "heads", items=2)
    assert len(found.heads) == 2
    done = CliRunner().invoke(main, ["evaluate", str(tmp_path / "images-0"), "--limit", "10"])
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"image_size": 14}, "must be of images of 28 by 28 pixels, not 14"),
        ({"num_labels": 3}, "knows 3 classes, and the task has 10"),
    ],
)
def test_a_classifier_of_other_images_is_refused(changed, error, tmp_path):
    with pytest.raises(ValueError, match=error):
        train(student(vit(tmp_path / "vit", **changed)), tmp_path)
    assert not (tmp_path / "images-0").exists()


WORDS = {word: number for number, word in enumerate(["[UNK]", "a", "b", "c", "d", "e"])}


class Texts(TextTask):
    """Texts of numbers, two classes."""

    n_classes = 2

    def __init__(self, n_tokens: int) -> None:
        self.n_tokens = n_tokens


def bert(folder: Path, words: dict[str, int], **changed: Any) -> Path:
    torch.manual_seed(0)
    config = SHAPE | {"vocab_size": 6, "max_position_embeddings": 12, "num_labels": 2} | changed
    BertForSequenceClassification(BertConfig(**config)).save_pretrained(folder)
    Tokenizer(WordLevel(words, unk_token="[UNK]")).save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture(autouse=True)
def _own_words(monkeypatch):
    monkeypatch.setattr(text, "minilm_tokenizer", lambda: Tokenizer(WordLevel(WORDS, unk_token="[UNK]")))


def test_a_pretrained_classifier_of_texts_is_called_as_ours(tmp_path):
    task = Texts(12)
    model, shape = task.pretrained(bert(tmp_path / "bert", WORDS))
    tokens, visible = torch.randint(6, (2, 9)), torch.arange(9) < torch.tensor([[5], [9]])
    with torch.no_grad():
        both, scores = model(tokens, visible, need_scores=True)
        alone, none = model(tokens[:1, :5], visible[:1, :5])
    assert both.shape == (2, 2)
    torch.testing.assert_close(both[:1], alone)
    assert [score.shape for score in scores] == [(2, 2, 9, 9)] * 2
    assert not none
    again = task.build(**shape)
    again.load_state_dict(model.state_dict())
    torch.testing.assert_close(again.eval()(tokens, visible)[0], both)


@pytest.mark.parametrize(
    ("words", "changed", "n_tokens", "error"),
    [
        (WORDS, {}, 13, "has 12 positions; task.n_tokens is 13"),
        (WORDS | {"f": 6}, {}, 12, "must have the words of BERT"),
        (WORDS, {"num_labels": 4}, 12, "knows 4 classes, and the task has 2"),
    ],
)
def test_a_classifier_of_other_texts_is_refused(words, changed, n_tokens, error, tmp_path):
    with pytest.raises(ValueError, match=error):
        Texts(n_tokens).pretrained(bert(tmp_path / "bert", words, **changed))
