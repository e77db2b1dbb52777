"""Language models: a small teacher and its student on a text of words, from training to the engine."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

pytest.importorskip("transformers", reason="pip install 'hamming-attention[huggingface]'")


from hamming.distill.hardware.perplexity import document_losses, perplexities, perplexity, ratio
from hamming.distill.hardware.untrained import untrained
from hamming.distill.method.convert import hamming_layers
from hamming.distill.models.language import build
from hamming.distill.tasks import TaskConfig, load_task
from hamming.distill.tasks.language import text_of, tokens_of
from hamming.distill.tasks.task import MissingData
from hamming.distill.training.config import RunConfig
from hamming.distill.training.run import train
from hamming.distill.training.runs import load_run
from tests.distill.families import model_of
from tests.distill.words import SHAPE, run_of


def test_windows_follow_each_other_and_documents_are_whole_parts(text):
    task = load_task(TaskConfig(name="language", text=str(text), n_tokens=24))
    tokens = tokens_of(text.read_text(), "bytes")
    parts = np.array_split(tokens.numpy(), 20)
    assert len(task.documents) == 3  # type: ignore[attr-defined]
    starts = [next(i for i, part in enumerate(parts) if np.array_equal(part, one)) for one in task.documents]  # type: ignore[attr-defined]
    assert len(set(starts)) == 3
    inputs, labels = task.test_batch(slice(0, 3))
    for document, row, wanted in zip(task.documents, inputs["tokens"], labels.view(3, 24), strict=True):  # type: ignore[attr-defined]
        assert torch.equal(row, document[:24].long())
        assert torch.equal(wanted, document[1:25].long())
    assert torch.equal(inputs["visible"], torch.ones(3, 24, 24, dtype=torch.bool).tril())
    assert task.n_train == sum((len(part) - 1) // 24 for i, part in enumerate(parts) if i not in starts)
    chosen_by = load_task(TaskConfig(name="language", text=str(text), n_tokens=24, split="validation"))
    assert len(chosen_by.documents) == 1  # type: ignore[attr-defined]
    start = next(i for i, part in enumerate(parts) if np.array_equal(part, chosen_by.documents[0]))  # type: ignore[attr-defined]
    assert start not in starts
    assert chosen_by.n_train == task.n_train - (len(parts[start]) - 1) // 24
    inputs, labels = task.train_batch(torch.arange(task.n_train), torch.Generator().manual_seed(0))
    assert torch.equal(inputs["tokens"][:, 1:].flatten(), labels.view(-1, 24)[:, :-1].flatten())


def test_scores_are_those_of_the_attention(text):
    torch.manual_seed(0)
    model = build(256, SHAPE)
    task = load_task(TaskConfig(name="language", text=str(text), n_tokens=24))
    inputs, _ = task.test_batch(slice(0, 2))
    logits, scores = model(**inputs, need_scores=True)
    torch.testing.assert_close(logits, model(**inputs)[0])
    assert [one.shape for one in scores] == [(2, 2, 24, 24)] * 2
    hidden = ~torch.ones(24, 24, dtype=torch.bool).tril()
    assert (scores[0].softmax(-1)[..., hidden] == 0).all()
    network = model.network
    network.set_attn_implementation("eager")
    given = network(input_ids=inputs["tokens"], output_attentions=True).attentions
    torch.testing.assert_close(scores[1].softmax(-1), given[1])


def test_perplexity_and_its_error_by_hand():
    losses = torch.tensor([[20.0, 10], [12, 10], [10, 5], [0, 0]])
    mean = 42 / 25
    residual = (20 - 10 * mean) ** 2 + (12 - 10 * mean) ** 2 + (10 - 5 * mean) ** 2
    expected = math.exp(mean), math.exp(mean) * math.sqrt(3 / 2 * residual) / 25
    assert perplexity(losses) == pytest.approx(expected)
    assert math.isnan(perplexity(losses[:1])[1])


def test_a_ratio_and_its_error_by_hand():
    teacher = torch.tensor([[18.0, 10], [12, 10], [8, 5], [0, 0]])
    losses = torch.tensor([[20.0, 10], [12, 10], [10, 5], [0, 0]])
    mean = 4 / 25
    residual = (2 - 10 * mean) ** 2 + (0 - 10 * mean) ** 2 + (2 - 5 * mean) ** 2
    expected = math.exp(mean), math.exp(mean) * math.sqrt(3 / 2 * residual) / 25
    assert ratio(losses, teacher) == pytest.approx(expected)
    assert ratio(losses, losses) == (1, 0)


def test_losses_are_summed_by_document(student):
    windows = student.task.windows(10)[:7]
    assert [number for number, _ in windows] == [0, 1, 2, 0, 1, 2, 0]
    found = document_losses(student.model, student.task, 10, limit=7)
    expected = torch.zeros(3, 2, dtype=torch.float64)
    with torch.no_grad():
        for number, window in windows:
            logits = student.model.network(input_ids=window[None, :-1]).logits[0]
            expected[number, 0] += functional.cross_entropy(logits, window[1:], reduction="sum").double()
            expected[number, 1] += 10
    torch.testing.assert_close(found, expected)
    with pytest.raises(ValueError, match="no document of the test has more than 5000 tokens"):
        document_losses(student.model, student.task, 5000)


def test_student_learns_what_its_teacher_does(student):
    points = {(p.kind, p.top_n): p for p in perplexities(student, contexts=[24], top_ns=[6, None], limit=12)}
    assert len(points) == 8
    teacher = points["teacher", None].perplexity
    for point in points.values():
        assert point.ratio == pytest.approx(point.perplexity / teacher)
    assert (points["teacher", None].ratio_error, points["student", 6].ratio_error) == (0, pytest.approx(0.2, abs=0.2))
    assert not any(p.ratio for p in perplexities(student, contexts=[24], top_ns=[6], kinds=["student"], limit=3))
    assert teacher < 8  # letters of some words; a uniform guess has 256
    assert teacher < points["student", 6].perplexity < points["untrained", 6].perplexity
    assert points["integer", 6].perplexity == pytest.approx(points["student", 6].perplexity, rel=0.02)
    assert points["integer", 6].perplexity != points["student", 6].perplexity
    assert {point.tokens for point in points.values()} == {288}
    assert {point.documents for point in points.values()} == {3}
    with pytest.raises(ValueError, match="context must be"):
        perplexities(student, contexts=[1], top_ns=[None])
    with pytest.raises(ValueError, match="kind must be"):
        perplexities(student, contexts=[24], top_ns=[None], kinds=["other"])


def test_signs_without_training_are_measured_of_a_pretrained_folder(text, tmp_path):
    torch.manual_seed(0)
    build(256, SHAPE).network.save_pretrained(tmp_path)
    task = TaskConfig(name="language", text=str(text), n_tokens=24)
    points = untrained(tmp_path, task, contexts=[24], top_ns=[4, None], n_tables=2, limit=3)
    assert [(p.kind, p.top_n) for p in points] == [
        ("teacher", None), ("teacher_top_n", 4), ("untrained", 4), ("untrained", None),
    ]  # fmt: skip
    assert len({point.perplexity for point in points}) == 4


def test_a_pretrained_folder_is_a_teacher(text, tmp_path):
    torch.manual_seed(0)
    model = build(256, SHAPE).network
    model.bfloat16().save_pretrained(tmp_path / "pre trained, 2nd")
    config = run_of(text, "student", student={"teacher": str(tmp_path / "pre trained, 2nd"), "top_n": 6})
    metrics = train(config, tmp_path)
    assert metrics["model"]["config"]["model_type"] == "llama"
    run = load_run(tmp_path / "words_student-0")
    assert {tensor.dtype for tensor in run.model.parameters()} == {torch.float32}
    kinds = {point.kind for point in perplexities(run, contexts=[24], top_ns=[6], limit=3)}
    assert kinds == {"teacher", "teacher_top_n", "untrained", "student", "integer"}
    layer = next(iter(hamming_layers(run.model).values()))
    assert (layer.mode, layer.top_n) == ("sign", 6)


def test_a_pretrained_folder_that_does_not_fit_is_refused(text, tmp_path):
    folder = tmp_path / "small"
    build(200, SHAPE).network.save_pretrained(folder)
    config = run_of(text, "student", student={"teacher": str(folder)})
    with pytest.raises(ValueError, match="knows 200 kinds of tokens, and its tokenizer has 256"):
        train(config, tmp_path)
    model_of("bert").save_pretrained(folder)
    with pytest.raises(ValueError, match="it holds BertModel, no causal language model"):
        train(config, tmp_path)
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(ValueError, match="has a tokenizer of its own"):
        train(config, tmp_path)
    config = RunConfig.from_dict(config.to_dict() | {"task": {"name": "fashion_mnist_sample"}})
    with pytest.raises(ValueError, match=r"it holds BertModel, no classifier .*ForImageClassification"):
        train(config, tmp_path)


def test_texts_that_are_not_there_are_named(tmp_path):
    with pytest.raises(MissingData, match="text must be 'novels', a file, or a folder"):
        load_task(TaskConfig(name="language", text=str(tmp_path)))
    (tmp_path / "short.txt").write_text("too short")
    with pytest.raises(ValueError, match="20 parts of more than n_tokens = 64 tokens"):
        load_task(TaskConfig(name="language", text=str(tmp_path)))
    with pytest.raises(MissingData, match="tokenizer must be 'bytes', or a folder"):
        load_task(TaskConfig(name="language", text=str(tmp_path), tokenizer=str(tmp_path)))
    with pytest.raises(ValueError, match=r"unknown key 'depth' in \[model\]"):
        build(256, {"depth": 3})
    with pytest.raises(ValueError, match="n_key_heads must divide n_heads = 3, not be 2"):
        build(256, {"n_heads": 3, "n_key_heads": 2})


def test_bytes_are_a_tokenizer():
    assert text_of(tokens_of("Zoë said", "bytes"), "bytes") == "Zoë said"
    assert tokens_of("Zoë", "bytes").tolist() == [90, 111, 195, 171]
