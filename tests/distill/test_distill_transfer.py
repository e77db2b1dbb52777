"""Attention trained layer by layer, and runs that train the projections of queries and keys alone."""

from __future__ import annotations

import copy
import csv
import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

pytest.importorskip("transformers", reason="pip install 'hamming-attention[huggingface]'")

from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, Qwen3Config, Qwen3ForCausalLM

import hamming.huggingface as hh
from hamming.distill.method.convert import configure, hamming_layers
from hamming.distill.method.losses import output_error
from hamming.distill.method.schedule import STAGES
from hamming.distill.method.transfer import attention_modules, attention_weights, transfer
from hamming.distill.report.language import PRETRAINED, RESULTS, pretrained_rows
from hamming.distill.training import trainer
from hamming.distill.training.config import RunConfig
from hamming.distill.training.run import train
from hamming.distill.training.run_file import load_run_file
from hamming.distill.training.runs import load_run
from tests.distill.families import inputs_of as items_of
from tests.distill.families import model_of
from tests.distill.words import run_of

TRAINED = ("q_proj.weight", "k_proj.weight")


@pytest.fixture(autouse=True)
def _short_log(monkeypatch):
    monkeypatch.setattr(trainer, "LOG_STEPS", 4)
    monkeypatch.setattr(trainer, "SAVING", 0)


def inputs_of(family: str, **settings: Any) -> dict[str, Any]:
    """Return three items; the models that would remember their keys are told not to."""
    return items_of(family, **settings) | ({"use_cache": False} if family in ("llama", "qwen2") else {})


def pair(family: str) -> tuple[Any, Any]:
    """Return a random teacher, and its student with signs and 3 kept keys."""
    teacher = hh.prepare(model_of(family))
    hh.calibrate(teacher, [inputs_of(family, seed=seed) for seed in (1, 2)])
    student = copy.deepcopy(teacher)
    configure(student, mode="sign", top_n=3)
    return teacher.requires_grad_(False), student


def output_of(model: nn.Module, name: str, inputs: dict[str, Any]) -> torch.Tensor:
    """Return what a module in `model` gives."""
    found = []
    hook = model.get_submodule(name).register_forward_hook(lambda *given: found.append(given[-1][0]))
    model(**inputs)
    hook.remove()
    return found[0]


@pytest.mark.parametrize("family", ["bert", "vit", "llama", "qwen2"])
def test_a_layers_loss_is_of_its_own_inputs_in_the_teacher(family):
    """Each layer against a model whose other layers attend with full precision: inputs are then the teacher's."""
    teacher, student = pair(family)
    inputs = inputs_of(family, padded=family in ("bert", "llama"))
    visible = inputs["attention_mask"].bool() if "attention_mask" in inputs else None
    expected = []
    for name, module in attention_modules(student).items():
        alone = copy.deepcopy(teacher)
        configure(alone.get_submodule(name), mode="sign", top_n=3)
        wanted, found = (output_of(model, name, inputs) for model in (teacher, alone))
        error = (found - wanted).square().sum(-1), wanted.square().sum(-1)
        counted = torch.ones_like(error[0]) if visible is None else visible
        expected.append(float((error[0] * counted).sum() / (error[1] * counted).sum()))
        assert module is student.get_submodule(name)
    assert len(expected) == 2

    class Shown(nn.Module):
        """A model that is called as tasks call theirs: `visible` beside what it takes."""

        def __init__(self, model):
            super().__init__()
            self.model = model

        def forward(self, visible=None, **given):
            return self.model(**given)

    loss = transfer(Shown(teacher), Shown(student), inputs | {"visible": visible})
    assert float(loss) == pytest.approx(sum(expected) / 2, rel=1e-5)


@pytest.mark.parametrize("family", ["bert", "vit", "llama", "qwen2"])
def test_gradients_are_those_of_the_loss_and_of_queries_and_keys_alone(family):
    """A layer's loss falls along its gradient by what the gradient says, soft signs having one everywhere."""
    teacher, student = pair(family)
    configure(student, mode="tanh", top_n=None)
    trained = {id(weight) for weight in attention_weights(student)}
    for weight in student.parameters():
        weight.requires_grad_(id(weight) in trained)
    inputs = inputs_of(family)
    before = transfer(teacher, student, inputs)
    weights = list(student.parameters())
    assert all((weight.grad is not None) == (id(weight) in trained) for weight in weights)
    gradients = [weight.grad.clone() for weight in weights if weight.grad is not None]
    square = sum(float(gradient.square().sum()) for gradient in gradients)
    step = 1e-3 * float(before) / square
    with torch.no_grad():
        for weight, gradient in zip([w for w in weights if w.grad is not None], gradients, strict=True):
            weight -= step * gradient
    after = transfer(teacher, student, inputs)
    gradients = [weight.grad.clone() for weight in weights if weight.grad is not None]
    teacher(**inputs)
    now = [weight.grad for weight in weights if weight.grad is not None]
    assert all(torch.equal(a, b) for a, b in zip(gradients, now, strict=True)), "a hook is left"
    assert float(before - after) == pytest.approx(step * square, rel=0.05)


def test_weights_of_attention_are_projections_of_queries_and_keys_with_their_norms():
    student = hh.prepare(model_of("qwen2"))
    names = {id(weight): name for name, weight in student.named_parameters()}
    ends = {names[id(weight)].partition("self_attn.")[2] for weight in attention_weights(student)}
    assert ends == {f"{part}_proj.{kind}" for part in "qk" for kind in ("weight", "bias")}
    shape: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "head_dim": 8}
    config = Qwen3Config(vocab_size=40, num_attention_heads=4, num_key_value_heads=2, **shape)
    model = hh.prepare(Qwen3ForCausalLM(config))
    names = {id(weight): name for name, weight in model.named_parameters()}
    ends = {names[id(weight)].partition("self_attn.")[2] for weight in attention_weights(model)}
    assert ends == {f"{part}_{kind}.weight" for part in "qk" for kind in ("proj", "norm")}


def test_the_error_is_in_units_of_the_teachers_output_and_of_tokens_that_count():
    teacher, student = torch.tensor([[[3.0, 4.0], [1.0, 0.0]]]), torch.tensor([[[3.0, 2.0], [9.0, 9.0]]])
    assert float(output_error(teacher, student)) == pytest.approx((4 + 64 + 81) / 26)
    assert float(output_error(teacher, student, torch.tensor([[True, False]]))) == pytest.approx(4 / 25)
    causal = torch.tensor([[[True, False], [False, False]]])
    assert float(output_error(10 * teacher, 10 * student, causal)) == pytest.approx(4 / 25)


def transferred(text, **changed: Any):
    train_ = {"transfer_sign": 4, "batch_size": 8, "learning_rate": 3e-3} | changed.pop("train", {})
    return run_of(text, "student", name="by_layer", train=train_, **changed)


def log_of(folder) -> list[dict[str, str]]:
    with (folder / "log.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.fixture
def own(runs, tmp_path):
    """A folder with the teacher of `runs` in it."""
    (tmp_path / "words_teacher-0").symlink_to(runs / "words_teacher-0")
    return tmp_path


def test_the_stage_lowers_its_loss_and_what_the_student_says_gets_nearer(text, own):
    train(transferred(text), own)
    log = log_of(own / "by_layer-0")
    assert {row["stage"] for row in log} == {"transfer_sign"}
    assert not any(row[column] for row in log for column in ("attention", "output", "label", "accuracy"))
    losses = [float(row["loss"]) for row in log]
    assert losses[0] > 0.2  # what signs lose at first
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("weights", ["all", "attention"])
def test_the_stage_trains_queries_and_keys_and_leaves_all_else_as_it_was(text, own, weights):
    train(transferred(text, train={"weights": weights}), own)
    before, after = (load_run(own / name).model.state_dict() for name in ("words_teacher-0", "by_layer-0"))
    for name, weight in before.items():
        if "hamming." not in name:
            assert torch.equal(weight, after[name]) == (not name.endswith(TRAINED)), name


def test_stages_through_the_whole_model_train_what_weights_say(text, own):
    settings = {"transfer_sign": 0, "sign": 1}
    train(transferred(text, train=settings | {"weights": "attention"}), own)
    before, after = (load_run(own / name).model.state_dict() for name in ("words_teacher-0", "by_layer-0"))
    for name, weight in before.items():
        if "hamming." not in name:
            assert torch.equal(weight, after[name]) == (not name.endswith(TRAINED)), name
    config = transferred(text, train={"transfer_sign": 1, "sign": 1})
    assert config.train.weights == "all"
    train(dataclasses.replace(config, name="both"), own)
    after = load_run(own / "both-0").model.state_dict()
    assert not any(torch.equal(weight, after[name]) for name, weight in before.items() if "hamming." not in name)
    assert [row["stage"] for row in log_of(own / "both-0")] == ["transfer_sign"] * 2 + ["sign"] * 2


def test_frozen_weights_have_no_state_of_the_optimizer(text, own, monkeypatch):
    states = []
    save = trainer.RunFolder.save_checkpoint
    monkeypatch.setattr(
        trainer.RunFolder, "save_checkpoint", lambda self, state: (states.append(state), save(self, state))
    )
    train(transferred(text, train={"weights": "attention"}), own, checkpoint_seconds=0)
    assert {len(state["optimizer"]["state"]) for state in states} == {4}  # two layers' projections
    run = load_run(own / "by_layer-0")
    assert sum(weight.numel() for weight in attention_weights(run.model)) == 2 * (16 * 16 + 16 * 8)


@pytest.mark.parametrize("interrupted_at", [8, 20, 36])
def test_it_goes_on_from_a_checkpoint_to_the_same_weights(text, own, runs, tmp_path_factory, interrupted_at):
    class Interrupted(Exception):
        pass

    def interrupt(now):
        if now.done >= interrupted_at:
            raise Interrupted

    config = transferred(text, train={"transfer_sign": 3, "sign": 2})
    whole = train(config, own)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "words_teacher-0").symlink_to(runs / "words_teacher-0")
    with pytest.raises(Interrupted):
        train(config, elsewhere, progress=interrupt, checkpoint_seconds=0)
    told = []
    again = train(config, elsewhere, progress=told.append)
    assert told[0].done == interrupted_at + 1
    assert again["accuracy"] == whole["accuracy"]
    states = [torch.load(folder / "by_layer-0" / "weights.pt", weights_only=True) for folder in (own, elsewhere)]
    for name, weight in states[0].items():
        assert torch.equal(weight, states[1][name]), name


def test_it_stops_where_a_loss_is_not_finite(text, own, monkeypatch):
    monkeypatch.setattr(trainer, "transfer", lambda *given: torch.tensor(torch.nan))
    with pytest.raises(trainer.Diverged, match=r"the loss is nan at step 0 of 32, stage transfer_sign .*learning_rate"):
        train(transferred(text), own)
    assert not (own / "by_layer-0" / "weights.pt").exists()


def test_thresholds_learn_too(text, own):
    student = {"teacher": "words_teacher", "top_n": 6, "learn_thresholds": True, "calibration_batches": 4}
    train(transferred(text, student=student), own)
    for heads in hamming_layers(load_run(own / "by_layer-0").model).values():
        assert bool((heads.key_mean != 0).all())


def test_a_model_of_fused_projections_is_refused_before_anything_is_written(text, own):
    shape: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2}
    GPTNeoXForCausalLM(GPTNeoXConfig(vocab_size=256, num_attention_heads=2, **shape)).save_pretrained(own / "fused")
    student = {"teacher": str(own / "fused"), "top_n": 6, "calibration_batches": 4}
    for settings in ({}, {"transfer_sign": 0, "sign": 1, "weights": "attention"}):
        with pytest.raises(ValueError, match=r"\(GPTNeoXAttention\) must have projections of its queries"):
            train(transferred(text, student=student, train=settings), own)
    assert not (own / "by_layer-0").exists()


@pytest.mark.parametrize("settings", [{"transfer_sign": 1}, {"weights": "attention"}])
def test_a_teachers_run_has_neither(text, settings):
    with pytest.raises(ValueError, match="a teacher must have"):
        run_of(text, "teacher", train={"epochs": 1} | settings)


def test_other_weights_than_there_are_are_refused(text):
    with pytest.raises(ValueError, match=r"weights must be .*all.*attention"):
        run_of(text, "student", train={"transfer_sign": 1, "weights": "values"})


def test_the_guides_run_files_are_those_of_the_kept_runs(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "guide" / "transformers.md").read_text(encoding="utf-8")
    files = dict(re.findall(r"^```toml\n# (smollm2\w*)\.toml: .*\n((?:.*\n)*?)```$", page, re.MULTILINE))
    assert tuple(files) == PRETRAINED
    for name, text in files.items():
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    for name in files:
        metrics = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
        assert load_run_file(tmp_path / f"{name}.toml") == RunConfig.from_dict(metrics["config"])
        [said] = re.findall(r"^\[train\] +# (.*) steps$", files[name], re.MULTILINE)
        assert metrics["steps"] == sum(map(int, re.findall(r"\d+", said)))


def test_runs_that_follow_each_other_are_a_table():
    train_ = {stage.name: 0 for stage in STAGES} | {"batch_size": 2, "learning_rate": 0.02}
    task, kept = {"n_tokens": 256}, {"a": {"train_top_n": 256}, "b": {"train_top_n": 64}}
    ran = {"steps": 1000, "seconds": 1234.4}
    runs = [
        {"name": name, **ran, "config": {"train": train_ | stages, "task": task, "student": kept[name]}}
        for name, stages in (("a", {"transfer_soft": 0.1, "transfer_sign": 1}), ("b", {"sign": 0.5}))
    ]
    runs[1]["peak_mib"] = 12345
    assert list(pretrained_rows(runs))[2:] == [
        "| `a` | `transfer_soft`, `transfer_sign` | 256 | all | 1,000 | 512,000 | 0.02 | 1,234 |  |",
        "| `b` | `sign` | 256 | 64 | 1,000 | 512,000 | 0.02 | 1,234 | 12,345 |",
    ]
