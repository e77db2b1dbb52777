"""Runs: their folders, going on after an interruption, full disks, NaN, and what they leave."""

from __future__ import annotations

import csv
import json
import os
import re
from pathlib import Path

import pytest
import torch

from hamming.distill.method.attention import HammingAttention
from hamming.distill.method.convert import hamming_layers
from hamming.distill.training import run, trainer
from hamming.distill.training.config import RunConfig
from hamming.distill.training.figures import accuracy
from hamming.distill.training.folder import RunFolder
from hamming.distill.training.run import train
from hamming.distill.training.runs import load_run
from hamming.distill.training.trainer import Diverged

SAMPLE = {"name": "fashion_mnist_sample", "n_train": 64, "n_test": 50}


def teacher(**changed) -> RunConfig:
    fields = {
        "name": "t",
        "kind": "teacher",
        "task": SAMPLE,
        "model": {"n_layers": 2, "d_model": 16, "n_heads": 2, "d_inner": 16},
        "train": {"epochs": 3, "batch_size": 16},
    }
    return RunConfig.from_dict(fields | changed)


def student(**changed) -> RunConfig:
    fields = {
        "name": "s",
        "kind": "student",
        "task": SAMPLE,
        "student": {"teacher": "t", "top_n": 6, "calibration_batches": 2},
        "train": {"soft": 1, "sharp": 1, "sign": 1, "final": 1, "batch_size": 16},
        "loss": {"label": 0.1},
        "sweep_top_n": [2, 100],
    }
    return RunConfig.from_dict(fields | changed)


@pytest.fixture(autouse=True)
def _short_log(monkeypatch):
    monkeypatch.setattr(trainer, "LOG_STEPS", 3)
    monkeypatch.setattr(trainer, "SAVING", 0)


@pytest.fixture
def runs(tmp_path):
    train(teacher(), tmp_path)
    return tmp_path


def read_log(folder: Path) -> list[dict[str, str]]:
    with (folder / "log.csv").open() as file:
        return list(csv.DictReader(file))


def facts(metrics: dict) -> dict:
    """Metrics, or a row of the log, without what differs from run to run."""
    return {key: value for key, value in metrics.items() if key not in ("seconds", "peak_mib")}


def test_a_student_leaves_its_configuration_log_weights_and_metrics(runs):
    told = []
    metrics = train(student(), runs, progress=told.append)
    assert [now.done for now in told] == [*range(1, 17)]
    assert told[-1].text.startswith("final, step 16 of 16: loss ")
    assert sorted(path.name for path in (runs / "s-0").iterdir()) == [
        "log.csv",
        "metrics.json",
        "run.json",
        "weights.pt",
    ]
    assert json.loads((runs / "s-0" / "metrics.json").read_text()) == metrics
    assert metrics["config"] == student().to_dict()
    assert metrics["versions"].keys() == {"python", "torch", "numpy"}
    assert metrics["accuracy"].keys() == {
        *("teacher", "teacher_top_n", "untrained", "untrained_all_keys"),
        *("student", "student_all_keys", "student_by_top_n"),
    }
    assert metrics["accuracy"]["student_by_top_n"]["100"] == metrics["accuracy"]["student_all_keys"]
    assert metrics["peak_mib"] > 100
    log = read_log(runs / "s-0")
    assert [row["stage"] for row in log] == ["soft", "sharp", "sign", "sign", "final", "final"]
    assert [bool(row["attention"]) for row in log] == [True] * 4 + [False] * 2 or log[4]["attention"] == ""
    for row in log[:4]:
        total = float(row["attention"]) + float(row["output"]) + 0.1 * float(row["label"])
        assert float(row["loss"]) == pytest.approx(total, abs=1e-4)


def test_a_finished_run_is_read_back_as_it_was(runs):
    metrics = train(student(), runs)
    run = load_run(runs / "s-0")
    layers = hamming_layers(run.model)
    assert list(layers) == ["blocks.0.attention", "blocks.1.attention"]
    for module in layers.values():
        assert isinstance(module, HammingAttention)
        assert (module.mode, module.top_n) == ("sign", 6)
        assert (module.sigma_q != 1).all()
    assert accuracy(run.model, run.task) == metrics["accuracy"]["student"]
    assert train(student(), runs) == metrics
    by_teacher = accuracy(load_run(runs / "t-0").model, run.task, mode="float_top", top_n=6)
    assert metrics["accuracy"]["teacher_top_n"] == by_teacher != metrics["accuracy"]["teacher"]
    batches = list(run.task.test_batches(limit=7))
    assert sum(len(labels) for _, labels in batches) == 7
    assert run.task.forward(run.model, batches[0][0]).shape == (7, 10)


@pytest.mark.parametrize("config", [teacher(name="again"), student()], ids=["teacher", "student"])
@pytest.mark.parametrize("interrupted_at", [1, 4, 9])
def test_an_interrupted_run_ends_as_one_that_was_not(runs, tmp_path_factory, config, interrupted_at):
    class Interrupted(Exception):
        pass

    def interrupt(now):
        if now.done >= interrupted_at:
            raise Interrupted

    whole = train(config, runs)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "t-0").symlink_to(runs / "t-0")
    for _ in range(2):
        with pytest.raises(Interrupted):
            train(config, elsewhere, progress=interrupt, checkpoint_seconds=0)
        interrupted_at += 3
    folder = elsewhere / f"{config.name}-0"
    resumed = train(config, elsewhere, checkpoint_seconds=0)
    assert facts(resumed) == facts(whole)
    assert not (folder / "checkpoint.pt").exists()
    logs = [[facts(row) for row in read_log(path)] for path in (folder, runs / folder.name)]
    assert logs[0] == logs[1]
    states = [torch.load(path / "weights.pt", weights_only=True) for path in (folder, runs / folder.name)]
    for name, weight in states[0].items():
        assert torch.equal(weight, states[1][name]), name


def test_a_checkpoint_is_gone_on_from(runs, monkeypatch):
    """Else an interrupted run would end right too, by starting again."""

    class Interrupted(Exception):
        pass

    def interrupt(now):
        if now.done >= 9:
            raise Interrupted

    with pytest.raises(Interrupted):
        train(student(), runs, progress=interrupt, checkpoint_seconds=0)
    told = []
    train(student(), runs, progress=told.append)
    assert told[0].done == 10
    assert "step 10 of" in told[0].text


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path / "run")
    folder.save_checkpoint({"step": 3})

    def full(state, path):
        path.write_bytes(b"the beginning")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(
        ValueError, match=r"cannot write '.*checkpoint.pt': No space left on device; the one before is kept"
    ):
        folder.save_checkpoint({"step": 6})
    assert folder.load_checkpoint() == {"step": 3}
    assert [path.name for path in folder.path.iterdir()] == ["checkpoint.pt"]


def test_a_real_full_disk_is_said_in_one_line(tmp_path):
    """`/dev/full` refuses every byte; a file that goes there is what torch and Python meet on a full disk."""
    temporary = tmp_path / f".checkpoint.pt.{os.getpid()}.tmp"
    temporary.symlink_to("/dev/full")
    with pytest.raises(ValueError, match=r"cannot write '\S+/checkpoint.pt': \S") as caught:
        RunFolder(tmp_path).save_checkpoint({"weights": torch.zeros(100_000)})
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_nan_stops_and_says_where(runs, monkeypatch):
    build = run.binarized

    def broken(*args, **settings):
        model = build(*args, **settings)
        model.get_parameter("blocks.1.perceptron.0.weight").data[3, 2] = torch.nan
        return model

    monkeypatch.setattr(run, "binarized", broken)
    with pytest.raises(
        Diverged, match=re.escape("the loss is nan at step 0 of 16, stage soft (sharpness 5)")
    ) as caught:
        train(student(), runs)
    assert "first not finite: weight blocks.1.perceptron.0.weight" in str(caught.value)
    assert not (runs / "s-0" / "weights.pt").exists()


def test_a_learning_rate_that_is_too_high_is_not_reported_as_success(runs):
    fast = {"soft": 8, "batch_size": 16, "learning_rate": 1e30, "warmup": 0}
    with pytest.raises(Diverged, match=r"at step \d+ of 32, stage soft .*; a lower train.learning_rate may help"):
        train(student(train=fast), runs)


def test_a_folder_of_another_run_is_refused(runs):
    with pytest.raises(
        ValueError, match=r"t-0 holds a run with train.epochs = 3.0, not 4.0; give this one another name"
    ):
        train(teacher(train={"epochs": 4, "batch_size": 16}), runs)


def test_a_teacher_that_is_not_there_is_named_with_what_makes_it(tmp_path):
    with pytest.raises(ValueError, match=rf"no run of the teacher 't', seed 0, in {tmp_path}$"):
        train(student(), tmp_path)
    settings = {"teacher": "fashion_mnist_teacher", "teacher_seed": 2}
    with pytest.raises(ValueError, match=r"make it: hamming distill fashion_mnist_teacher -o \S+ --set seed=2"):
        train(student(name="other", student=settings), tmp_path)


def test_a_run_that_cannot_begin_claims_no_folder(tmp_path):
    with pytest.raises(ValueError, match=r"unknown key 'd_modl' in \[model\]"):
        train(teacher(model={"d_modl": 16}), tmp_path)
    with pytest.raises(ValueError, match="no run of the teacher"):
        train(student(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_unfinished_teacher_is_named(tmp_path):
    RunFolder(tmp_path / "t-0").claim(teacher())
    with pytest.raises(ValueError, match=r"t-0 has no weights.pt: its run is not finished"):
        train(student(), tmp_path)
    with pytest.raises(ValueError, match=r"is not a run's folder: it has no run\.json"):
        load_run(tmp_path)


@pytest.mark.parametrize("kind", [teacher, student], ids=["teacher", "student"])
def test_a_run_starts_from_another_ones_weights(runs, kind):
    begun_from = train(kind(name="first"), runs)
    length = {"epochs": 1} if kind is teacher else {"sign": 1}
    still = {**length, "batch_size": 16, "learning_rate": 1e-12, "weight_decay": 0}
    metrics = train(kind(name="second", start="first", train=still), runs)
    first, second = (RunFolder(runs / f"{name}-0").weights() for name in ("first", "second"))
    assert first.keys() == second.keys()
    for name, weight in first.items():
        torch.testing.assert_close(second[name], weight, rtol=0, atol=1e-9)
    assert metrics["accuracy"] == begun_from["accuracy"]  # that of signs without training, too
    assert metrics["config"]["start"] == "first"
    moved = train(kind(name="third", start=str(runs / "first-0")), runs)
    assert moved["accuracy"].keys() == begun_from["accuracy"].keys()
    third = RunFolder(runs / "third-0").weights()
    assert any(not torch.allclose(third[name], weight) for name, weight in first.items())


@pytest.mark.parametrize(
    ("start", "changed", "error"),
    [
        ("no_such", {}, "no run 'no_such', seed 0, in .* to start from; make it first"),
        ("t", {}, "a student cannot start from .*t-0, which is a teacher's run"),
        ("s", {"student": {"teacher": "t", "top_n": 6, "n_tables": 2}}, "s-0 is of another model: .*norm_bounds"),
    ],
)
def test_a_start_that_does_not_fit_is_refused_before_anything_is_written(runs, start, changed, error):
    train(student(), runs)
    with pytest.raises(ValueError, match=error):
        train(student(name="later", start=start, **changed), runs)
    assert not (runs / "later-0").exists()


@pytest.mark.parametrize("top_n", [50, 1000])
def test_more_kept_keys_than_there_are_keep_all(runs, top_n):
    """50 tokens: 49 patches and the first."""
    metrics = train(student(student={"teacher": "t", "top_n": top_n, "calibration_batches": 2}), runs)
    assert metrics["accuracy"]["student"] == metrics["accuracy"]["student_all_keys"]


@pytest.mark.parametrize(
    ("changed", "columns"),
    [
        ({"loss": {"attention": 0}}, {"output"}),
        ({"loss": {"attention": 0, "output": 0, "label": 1}}, {"label"}),
        ({"loss": {"output": 0}, "train": {"sign": 2, "batch_size": 16}}, {"attention"}),
    ],
)
def test_ablations_leave_losses_out(runs, changed, columns):
    train(student(**changed), runs)
    first = read_log(runs / "s-0")[0]
    assert {name for name in ("attention", "output", "label") if first[name]} == columns


def test_bfloat16_is_used_in_training_alone(runs, monkeypatch):
    seen = set()
    weights = HammingAttention.weights

    def spy(self, q, k, visible):
        seen.add((self.training, q.dtype))
        return weights(self, q, k, visible)

    monkeypatch.setattr(HammingAttention, "weights", spy)
    train(student(train={"soft": 1, "sign": 1, "batch_size": 16, "precision": "bfloat16"}), runs)
    assert seen == {
        (True, torch.bfloat16),
        (False, torch.bfloat16),
        (False, torch.float32),
    }  # the teacher is not trained
    assert load_run(runs / "s-0").model.get_parameter("head.weight").dtype == torch.float32


def test_keys_kept_in_training_may_be_others(runs, monkeypatch):
    seen = set()
    forward = HammingAttention.forward

    def spy(self, *args, **settings):
        if self.training:
            seen.add(self.top_n)
        return forward(self, *args, **settings)

    monkeypatch.setattr(HammingAttention, "forward", spy)
    config = student(student={"teacher": "t", "top_n": 6, "train_top_n": 20, "calibration_batches": 2}, sweep_top_n=[6])
    metrics = train(config, runs)
    assert seen == {20}
    assert hamming_layers(load_run(runs / "s-0").model)["blocks.0.attention"].top_n == 6
    assert metrics["accuracy"]["student"] == metrics["accuracy"]["student_by_top_n"]["6"]
    assert metrics["accuracy"]["student"] != metrics["accuracy"]["student_all_keys"]
