"""Language models: a small teacher and its student on a text of words, from training to the engine."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch.nn import functional

pytest.importorskip("transformers", reason="pip install 'hamming-attention[huggingface]'")

from transformers import MistralConfig, MistralForCausalLM

from hamming.cli import main
from hamming.distill.hardware.evaluate import calibrated_values
from hamming.distill.hardware.export import export_run
from hamming.distill.hardware.generate import Engines, generate
from hamming.distill.hardware.generated import simulate_generated
from hamming.distill.hardware.integer import integer_attention, limits_of, value_scales
from hamming.distill.hardware.perplexity import document_losses, perplexities, perplexity, ratio
from hamming.distill.hardware.untrained import untrained
from hamming.distill.method.convert import calibrate, configure, hamming_layers
from hamming.distill.method.quantize import Widths
from hamming.distill.models.language import LanguageModel, build
from hamming.distill.report import studies
from hamming.distill.report.language import (
    PAGE,
    RESULTS,
    RUNS,
    draw,
    markdown,
    ratio_rows,
    read_points,
    updated,
)
from hamming.distill.tasks import TaskConfig, load_task
from hamming.distill.tasks.language import text_of, tokens_of
from hamming.distill.tasks.task import MissingData
from hamming.distill.training.config import RunConfig
from hamming.distill.training.run import train
from hamming.distill.training.run_file import load_run_file
from hamming.distill.training.runs import load_run
from hamming.rtl.design import load_design
from tests.distill.families import model_of

SHAPE = {"n_layers": 2, "d_model": 16, "n_heads": 2, "n_key_heads": 1, "d_head": 8, "d_inner": 16}


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> Path:
    """Write a text whose next letter follows from the ones before, mostly."""
    words = np.array("the cat sat on a mat and saw the rat that ate all of it".split())
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("text") / "words.txt"
    path.write_text(" ".join(rng.choice(words, 1500)), encoding="utf-8")
    return path


def run_of(text: Path, kind: str, **changed: Any) -> RunConfig:
    fields: dict[str, Any] = {
        "name": f"words_{kind}",
        "kind": kind,
        "task": {"name": "language", "text": str(text), "n_tokens": 24, "n_train": 64, "n_test": 12},
        "train": {"batch_size": 8, "learning_rate": 1e-2},
    }
    if kind == "teacher":
        fields["model"], fields["train"]["epochs"] = SHAPE, 25
    else:
        fields["student"] = {"teacher": "words_teacher", "top_n": 6, "n_tables": 2, "calibration_batches": 4}
        fields["train"] |= {"soft": 0.5, "sharp": 0.5, "sign": 0.5, "final": 0.5, "learning_rate": 1e-3}
    return RunConfig.from_dict(fields | changed)


@pytest.fixture(scope="module")
def runs(text, tmp_path_factory) -> Path:
    """Train a teacher and its student."""
    folder = tmp_path_factory.mktemp("runs")
    train(run_of(text, "teacher"), folder)
    train(run_of(text, "student"), folder)
    return folder


@pytest.fixture
def student(runs):
    return load_run(runs / "words_student-0")


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


def engines_of(run, n_keys: int = 40) -> Engines:
    return Engines(run.model, value_scales(calibrated_values(run.model, run.task), 8), Widths(), n_keys=n_keys)


def test_rows_are_appended_once_and_give_the_bits_of_a_whole_text(student):
    """Step by step, and all at once: the same rows, and the same outputs wherever a query sees the same rows."""
    engines = engines_of(student)
    prompt = tokens_of("the cat ", "bytes")
    with engines.attached():
        tokens, _ = generate(student.model, prompt, 12)
    steps = dict(engines.rows)
    assert [one.shape[1] for one in steps["network.model.layers.0.self_attn.hamming"].q] == [8] + [1] * 11
    engines.clear()
    with engines.attached():
        student.model.network(input_ids=torch.cat([prompt, tokens[:-1]])[None].long())
    first = "network.model.layers.0.self_attn.hamming"
    whole, parts = engines.rows[first], steps[first]
    for name in ("k", "v"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name))
    for name in ("q", "n_valid", "first", "out"):
        assert np.array_equal(np.concatenate(getattr(parts, name), 1), getattr(whole, name)[0])
    assert np.array_equal(whole.n_valid[0], np.arange(1, 20) * np.ones((2, 1), int))


def test_a_step_is_what_the_integers_give_for_the_whole_text(student):
    """Keys are centred here, too; queries of one text see a growing number of rows."""
    for number, heads in enumerate(hamming_layers(student.model).values()):
        heads.key_mean.copy_(torch.linspace(-0.3, 0.5, 8) + number)
    engines = engines_of(student)
    prompt = tokens_of("the cat ", "bytes")
    with engines.attached():
        tokens, steps = generate(student.model, prompt, 12)
    with integer_attention(student.model, engines.scales, engines.widths):
        whole = student.model.network(input_ids=torch.cat([prompt, tokens[:-1]])[None].long(), use_cache=False).logits
    torch.testing.assert_close(whole[0, 7:], steps, rtol=1e-4, atol=1e-4)


def test_a_text_comes_out_of_the_verilog_token_for_token(student):
    engines = engines_of(student, n_keys=32)
    prompt = tokens_of("the ", "bytes")
    with engines.attached():
        tokens, _ = generate(student.model, prompt, 10)
    layer = next(iter(engines.layers))
    found = simulate_generated(engines, layer, prompt, tokens)
    assert (found["heads"], found["queries"], found["rows"]) == (2, 13, 13)
    assert (found["mismatches"], found["violations"], found["same_tokens"], found["tokens"]) == (0, 0, 10, 10)
    with pytest.raises(ValueError, match="layer must be one of network"):
        simulate_generated(engines, "other", prompt, tokens)


def test_outputs_of_the_verilog_take_the_place_of_the_golden_ones(student):
    """Wrong ones give another text: what is sent back counts."""
    engines = engines_of(student)
    prompt = tokens_of("the cat ", "bytes")
    with engines.attached():
        tokens, right = generate(student.model, prompt, 8)
    layer = next(iter(engines.layers))
    wrong = np.concatenate(engines.rows[layer].out, 1)[..., ::-1].copy()
    engines.clear()
    with engines.attached({layer: wrong}):
        _, other = generate(student.model, prompt, 8)
    assert not torch.allclose(right[0], other[0])
    assert len(tokens) == 8


def test_what_does_not_fit_the_engine_is_refused(student):
    engines = engines_of(student, n_keys=10)
    prompt = tokens_of("the cat ", "bytes")
    with engines.attached(), pytest.raises(ValueError, match=r"the cache has 11 rows, and the engine n_keys = 10"):
        generate(student.model, prompt, 5)
    engines.clear()
    with engines.attached(), pytest.raises(ValueError, match="one text at a time, not 2"):
        student.model.network(input_ids=torch.zeros(2, 3, dtype=torch.long))
    with engines.attached():
        student.model.network(input_ids=torch.zeros(1, 3, dtype=torch.long))
    with engines.attached(), pytest.raises(ValueError, match="must add as many rows to 3, not make them 3"):
        student.model.network(input_ids=torch.zeros(1, 3, dtype=torch.long))
    engines.clear()
    mask = torch.tensor([[[[True, False, True]]]]).expand(1, 1, 3, 3)
    with engines.attached(), pytest.raises(ValueError, match="neither causal nor a window"):
        student.model.network(input_ids=torch.zeros(1, 3, dtype=torch.long), attention_mask=mask)
    with pytest.raises(ValueError, match="of one token or more"):
        generate(student.model, prompt[:0], 5)


def test_windows_of_a_model_become_ranges_of_the_engine():
    torch.manual_seed(0)
    model = LanguageModel(model_of("qwen2"))
    calibrate(model, model, [torch.randint(40, (2, 16))])
    configure(model, mode="sign", top_n=3)
    scales = {name: torch.full((4, 8), 0.05) for name in hamming_layers(model)}
    engines = Engines(model, scales, Widths(), n_keys=32)
    assert engines.settings["range"] is True
    with engines.attached():
        generate(model, torch.arange(5), 6)
    low, high = (np.concatenate(getattr(list(engines.rows.values())[1], name), 1)[0] for name in ("first", "n_valid"))
    assert np.array_equal(high, np.arange(1, 11))
    assert np.array_equal(low, np.maximum(high - 6, 0))


def test_a_window_that_all_layers_have_is_one():
    sizes: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 16}
    sizes |= {"num_hidden_layers": 1, "num_attention_heads": 2}
    torch.manual_seed(0)
    for window in (4, None):
        config = MistralConfig(**sizes, vocab_size=40, num_key_value_heads=1, sliding_window=window)
        model = LanguageModel(MistralForCausalLM(config).eval())
        calibrate(model, model, [torch.randint(40, (2, 16))])
        configure(model, mode="sign", top_n=3)
        [layer] = hamming_layers(model)
        engines = Engines(model, {layer: torch.full((2, 8), 0.05)}, Widths(), n_keys=16)
        assert engines.design(layer, 0).config.range is (window is not None)
        with engines.attached():
            generate(model, torch.arange(5), 6)
        lowest = 0 if window is None else 10 - window
        assert np.concatenate(engines.rows[layer].first, 1)[0, -1] == lowest


def test_masks_become_ranges_where_they_are():
    place = torch.arange(5)
    window = (place <= place[:, None]) & (place > place[:, None] - 2)
    found = limits_of(window[None])
    assert found["first"].tolist() == [[0, 0, 1, 2, 3]]
    assert found["n_valid"].tolist() == [[1, 2, 3, 4, 5]]
    padded = torch.tensor([[False, False, True, True], [True, True, True, True]])
    found = limits_of(padded)
    assert found["first"].tolist() == [[2], [0]]
    assert found["n_valid"].tolist() == [[4], [4]]
    assert limits_of(torch.zeros(1, 4, dtype=torch.bool))["n_valid"].tolist() == [[0]]
    assert limits_of(torch.tensor([[True, False, True]])).keys() == {"mask"}


def test_a_student_is_exported_with_one_engine(student, tmp_path):
    found = export_run(student, tmp_path / "heads", items=2)
    assert list(found.heads) == [f"network.model.layers.{layer}.self_attn.hamming" for layer in (0, 1)]
    design = load_design(tmp_path / "heads" / "engine.toml")
    assert (design.spec.n_keys, design.spec.top_k, design.spec.d_head) == (24, 6, 8)
    with np.load(found.heads["network.model.layers.1.self_attn.hamming"][1].with_suffix(".npz")) as arrays:
        assert arrays["n_valid"][0].tolist() == list(range(1, 25))
    assert not list((tmp_path / "heads").glob("*/projections.npz"))


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


def test_commands_evaluate_and_write(runs, tmp_path):
    folder, points = str(runs / "words_student-0"), tmp_path / "points.json"
    shell = CliRunner()
    options = ["--context", "12", "--context", "24", "--top-n", "3", "--top-n", "0", "--limit", "3"]
    done = shell.invoke(main, ["evaluate", folder, *options, "--json", str(points)])
    assert done.exit_code == 0, done.output
    assert "untrained" in done.output
    found = read_points(points)
    assert len(list(markdown(found))) == 6
    assert list(ratio_rows(found))[2].startswith("| 12 | 3 | +")
    draw(tmp_path / "picture.svg", found)
    assert "student, integers" in (tmp_path / "picture.svg").read_text()
    out = tmp_path / "text.json"
    done = shell.invoke(main, ["generate-text", folder, "--prompt", "the ", "--tokens", "6", "--json", str(out)])
    assert done.exit_code == 0, done.output
    facts = json.loads(out.read_text())
    assert [len(tokens) for tokens in facts["tokens"].values()] == [6, 6, 6]
    assert facts["texts"]["student"] in done.output
    assert set(facts["part"]) == {"teacher and student", "integer and student"}
    assert facts["engine"]["n_keys"] == 1024


def test_studies_are_measured_and_kept(runs, tmp_path, monkeypatch):
    monkeypatch.setattr(studies, "FOLDER", tmp_path / "studies")
    monkeypatch.setattr(studies, "CONTEXTS", (12, 24))
    monkeypatch.setattr(studies, "TOP_N", 3)
    monkeypatch.setattr(studies, "N_WINDOWS", 3)
    studies.main([str(runs / "words_student-0")])
    assert [path.name for path in (tmp_path / "studies").iterdir()] == ["words_student-0.json"]
    [study] = studies.kept_studies("language")
    assert study["metrics"] == json.loads((runs / "words_student-0" / "metrics.json").read_text())
    row = list(studies.language_rows([study]))[-1].split("|")
    recalls = [f"{100 * study['metrics']['attention'][kind]['recall']:.1f} %" for kind in ("untrained", "student")]
    assert [cell.strip() for cell in row[2:4]] == recalls
    first = study["points"][0]
    assert (first["kind"], first["context"]) == ("untrained", 12)
    assert row[4].strip() == f"{first['perplexity']:.3f} ± {first['error']:.3f}"
    with pytest.raises(SystemExit, match="1"):
        studies.main([str(tmp_path)])


def test_rotations_are_means_over_seeds():
    def metrics(rotation: str, right: float) -> dict[str, Any]:
        likeness = {"untrained": {"recall": 0.5}, "student": {"recall": right}}
        accuracy = {"untrained": 0.25, "student": right}
        config = {"student": {"rotation": rotation}}
        return {"metrics": {"config": config, "accuracy": accuracy, "attention": likeness}}

    kept = [metrics("learnt", 0.75), *(metrics(kind, right) for kind in ("none", "hadamard") for right in (0.5, 0.75))]
    assert list(studies.rotation_rows(kept))[2:] == [
        "| none | 2 | 50.0 % | 62.5 % | 25.0 % | 62.5 % |",
        "| hadamard | 2 | 50.0 % | 62.5 % | 25.0 % | 62.5 % |",
        "| learnt | 1 | 50.0 % | 75.0 % | 25.0 % | 75.0 % |",
    ]


def test_commands_name_what_is_wrong(runs):
    shell, folder = CliRunner(), str(runs / "words_student-0")
    done = shell.invoke(main, ["generate-text", folder, "--prompt", "the ", "--tokens", "6", "--keys", "8"])
    assert done.exit_code == 1
    assert "4 + 6 - 1 tokens are more rows than the engine's n_keys = 8" in done.output
    done = shell.invoke(main, ["generate-text", folder, "--prompt", "", "--tokens", "6"])
    assert "prompt must have one token at least" in done.output
    done = shell.invoke(main, ["generate-text", folder, "--prompt", "a", "--tokens", "2", "--verilog", "2"])
    assert "layer must be 0 to 1, not 2" in done.output
    done = shell.invoke(main, ["evaluate", "sample_student", "--context", "12"])
    assert done.exit_code == 1
    assert "for language models; sample_student is of fashion_mnist_sample" in done.output
    done = shell.invoke(main, ["generate-text", "sample_student", "--prompt", "a"])
    assert "is of the task fashion_mnist_sample; language models generate text" in done.output


def test_the_page_shows_what_is_kept():
    assert updated(PAGE.read_text(encoding="utf-8")) == PAGE.read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="must have '<!-- runs -->' once"):
        updated("no place")
    facts = json.loads((RESULTS / "generated.json").read_text(encoding="utf-8"))
    assert facts["verilog"]["same_tokens"] == facts["verilog"]["tokens"] == len(facts["tokens"]["integer"]) == 200
    assert (facts["verilog"]["mismatches"], facts["verilog"]["violations"]) == (0, 0)


def test_kept_runs_are_those_of_the_package():
    for name in RUNS:
        metrics = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
        assert RunConfig.from_dict(metrics["config"]) == load_run_file(name)
