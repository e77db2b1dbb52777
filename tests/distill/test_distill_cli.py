"""`hamming distill` on the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from hamming.cli import main

TEACHER = """
kind = "teacher"
[task]
name = "fashion_mnist_sample"
n_train = 64
n_test = 50
[model]
n_layers = 1
d_model = 16
n_heads = 1
[train]
epochs = 1
batch_size = 16
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.toml").write_text(TEACHER)
    return lambda *words: CliRunner().invoke(main, ["distill", *words])


def test_a_run_is_done_once_and_shown_again(run, tmp_path):
    for _ in range(2):
        done = run("t.toml", "--set", "seed=3", "-o", "kept")
        assert done.exit_code == 0, done.output
        assert "kept/t-3: 4 steps in " in done.output
        assert "teacher" in done.output
    metrics = json.loads((tmp_path / "kept" / "t-3" / "metrics.json").read_text())
    assert f"{metrics['accuracy']['teacher']:.2%}" in done.output
    assert metrics["steps"] == 4


STUDENT = """
kind = "student"
[task]
name = "fashion_mnist_sample"
n_train = 64
n_test = 50
[student]
teacher = "t"
top_n = 6
calibration_batches = 2
[train]
soft = 1
sharp = 1
sign = 1
final = 1
batch_size = 16
"""


def test_students_wait_for_their_teachers_and_a_run_that_fails_loses_no_other(run, tmp_path):
    """Of four: the first has to wait for the third, and the second has no teacher."""
    (tmp_path / "s.toml").write_text(STUDENT)
    (tmp_path / "orphan.toml").write_text(STUDENT.replace('"t"', '"gone"'))
    (tmp_path / "u.toml").write_text(TEACHER)
    done = run("s.toml", "orphan.toml", "t.toml", "u.toml", "--workers", "2")
    assert done.exit_code == 1
    assert sorted(path.parent.name for path in tmp_path.glob("runs/*/metrics.json")) == ["s-0", "t-0", "u-0"]
    last = done.output.splitlines()[-2:]
    assert last[0] == "Error: 1 of 4 jobs failed"
    assert last[1].startswith("orphan-0: no run of the teacher 'gone', seed 0, in ")
    assert "runs/s-0: " in done.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["t.toml", "t.toml"], "Error: two runs are t-0; a run is asked for once"),
        (["nothing.toml"], "Error: no run file 'nothing.toml'"),
        (["t.toml", "--set", "train.epoch=2"], "unknown key 'epoch' in [train]; known: epochs"),
        (["fashion_mnist"], "Error: no run of the teacher 'fashion_mnist_teacher', seed 0, in runs; make it: hamming"),
        (["t.toml", "--set", "name.d=8"], "'name.d=8': name is a value, and no section with keys"),
        (["t.toml", "--set", "seed=" + 5000 * "[" + 5000 * "]"], "arrays or tables are nested too deeply"),
        (["t.toml", "--set", "seed=" + 5000 * "9"], "a number has too many digits"),
        (["t.toml", "--set", "train.soft=1" + 400 * "0"], "soft must be 0 or more, not (an integer of 1329 bits)"),
        (["/dev/zero"], "cannot read '/dev/zero': longer than 1048576 bytes"),
        (["t.toml", "--set", "model.d_modl=8"], "unknown key 'd_modl' in [model]; known: "),
    ],
)
def test_a_mistake_is_one_line(run, words, message):
    done = run(*words)
    assert done.exit_code == 1
    assert message in done.output
    assert len(done.output.splitlines()) == 1


def test_missing_data_are_a_mistake_that_names_the_command(run, tmp_path, monkeypatch):
    monkeypatch.setenv("HAMMING_DATA", str(tmp_path))
    done = run("fashion_mnist_teacher")
    assert done.exit_code == 1
    assert "on Debian and Ubuntu: apt install dataset-fashion-mnist" in done.output
    assert len(done.output.splitlines()) == 1


def test_without_pytorch_its_installation_is_named(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    done = run("t.toml")
    assert (done.exit_code, done.output) == (
        1,
        "Error: PyTorch is not installed: pip install 'hamming-attention[distill]'\n",
    )


@pytest.mark.parametrize("command", ["distill sample", "evaluate sample_student", "export sample_student -o heads"])
def test_every_command_that_needs_pytorch_says_when_it_is_missing(command: str, tmp_path):
    """In a process of its own, in which nothing of `distill` is loaded yet."""
    program = "import sys; sys.modules['torch'] = None; from hamming.cli import main; main(sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", program, *command.split()],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: PyTorch is not installed: pip install 'hamming-attention[distill]'\n"
    assert list(tmp_path.iterdir()) == []
