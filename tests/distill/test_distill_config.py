"""Run files: what is read, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from hamming.distill.training.config import RunConfig
from hamming.distill.training.folder import RunFolder
from hamming.distill.training.run_file import load_run_file, preset_names
from hamming.distill.training.runs import DATA

TEACHER = """
kind = "teacher"
[task]
name = "fashion_mnist_sample"
[train]
epochs = 1
"""
STUDENT = """
kind = "student"
[task]
name = "fashion_mnist_sample"
[student]
teacher = "t"
[train]
sign = 1.5
final = 1
"""


@pytest.fixture
def read(tmp_path):
    def read(text: str, *overrides: str) -> RunConfig:
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return load_run_file(path, overrides)

    return read


@pytest.mark.parametrize("name", preset_names())
def test_every_run_file_of_the_package_is_read_and_says_what_it_is(name):
    config = load_run_file(name)
    assert config.name == name
    assert RunConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    text = (Path(__file__).parents[2] / "distill" / "presets" / f"{name}.toml").read_text()
    assert text.startswith("# ")
    if config.student is not None:
        teacher = config.student.teacher
        known = load_run_file(teacher) if teacher in preset_names() else RunFolder(DATA / teacher).config()
        assert (known.kind, known.task.name) == ("teacher", config.task.name)


def test_a_file_is_named_after_itself_and_can_be_changed(read):
    assert read(TEACHER).name == "mine"
    changed = read(STUDENT, "name=other", "seed = 3", "student.top_n=5", "loss.attention=0.5", "sweep_top_n=[1, 2]")
    assert (changed.name, changed.seed, changed.student.top_n) == ("other", 3, 5)
    assert (changed.loss.attention, changed.sweep_top_n) == (0.5, (1, 2))


def test_a_file_has_its_bases_values_where_it_says_nothing(read, tmp_path):
    (tmp_path / "first.toml").write_text(STUDENT)
    (tmp_path / "second.toml").write_text('base = "first.toml"\nseed = 3\n[train]\nfinal = 2\n[loss]\noutput = 2\n')
    found = read('base = "second.toml"\n[student]\ntop_n = 5\n', "train.soft=1")
    assert (found.name, found.seed) == ("mine", 3)
    assert (found.student.teacher, found.student.top_n, found.loss.output) == ("t", 5, 2)
    assert (found.train.soft, found.train.sign, found.train.final) == (1, 1.5, 2)
    assert read('base = "reviews"').task.name == "reviews"


@pytest.mark.parametrize(
    ("base", "message"),
    [
        ('"mine.toml"', "mine.toml: base must not be a run file that is based on this one"),
        ('"../mine.toml"', "no run file '../mine.toml'"),
        ('"./././mine.toml"', "./././mine.toml: base must not be a run file that is based on this one"),
        ('"revews"', "no run file 'revews', .*; did you mean 'reviews'?"),
        ("3", "mine.toml: base must be a run file's name or path, not 3"),
    ],
)
def test_refuses_a_base_that_is_none(read, base, message):
    with pytest.raises(ValueError, match=".*".join(map(re.escape, message.split(".*")))):
        read(f"base = {base}")


def test_steps_of_the_stages(read):
    assert read(TEACHER).steps(10) == {"float": 10}
    first = dict.fromkeys(("transfer_soft", "transfer_sharp", "transfer_sign"), 0)
    assert read(STUDENT).steps(10) == {**first, "soft": 0, "sharp": 0, "sign": 15, "final": 10}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["sed=1"], "unknown key 'sed' in the run; known: name, kind, .*; did you mean 'seed'?"),
        (["student.topn=1"], "unknown key 'topn' in [student]; known: teacher, .*; did you mean 'top_n'?"),
        (["task.name=mnist"], "[task] name must be one of fashion_mnist, .*, not 'mnist'"),
        (["task.n_train=0"], "[task] n_train must be 1 or more, not 0"),
        (["task.drop_words=1"], "[task] drop_words must be 0 to 0.9, not 1"),
        (["task.drop_words=few"], "[task] drop_words must be a number, not 'few'"),
        (["kind=pupil"], "kind must be one of teacher, student, not 'pupil'"),
        (["name=../x"], "name must be 1 to 64 letters, .*, not '../x'"),
        (["student.top_n=0"], "[student] top_n must be 1 or more, not 0"),
        (["student.weight_form=linear"], "weight_form must be one of exponential, power_of_two, not 'linear'"),
        (["student.centre_keys=1"], "centre_keys must be true or false, not 1"),
        (["train.warmup=2"], "[train] warmup must be 0 to 1, not 2"),
        (["train.learning_rate=fast"], "learning_rate must be a number, not 'fast'"),
        (["train.learning_rate=nan"], "learning_rate must be 1e-12 or more, not nan"),
        (["train.precision=half"], "[train] precision must be one of float32, bfloat16, not 'half'"),
        (["train.epochs=1"], "a student must have epochs in train.transfer_soft, .*, not in train.epochs"),
        (["loss.temperature=0"], "[loss] temperature must be 0.001 or more, not 0"),
        (["model.n_layers=2"], "no section [model]"),
        (["kind=teacher"], "a teacher has no section [student]"),
        (["sweep_top_n=5"], "sweep_top_n must be a list of integers, not 5"),
        (["train=1"], "train must be a section, [train], not 1"),
        (["top_n"], "'top_n' must be KEY=VALUE or SECTION.KEY=VALUE"),
        (["student.top_n=[1"], "student.top_n must be a TOML value (5, 0.1, true) or a word, not '[1'"),
    ],
)
def test_refuses_with_the_value_and_what_is_allowed(read, overrides, message):
    pattern = ".*".join(map(re.escape, message.split(".*")))
    with pytest.raises(ValueError, match=pattern) as caught:
        read(STUDENT, *overrides)
    assert "\n" not in str(caught.value)
    assert "mine.toml" in str(caught.value)


def test_refuses_what_is_missing_or_no_toml(read, tmp_path):
    with pytest.raises(ValueError, match=r"a student needs a section \[student\] with its teacher"):
        read(TEACHER, "kind=student")
    with pytest.raises(ValueError, match=r"\[student\] has no teacher"):
        read(STUDENT.replace('teacher = "t"', ""))
    with pytest.raises(ValueError, match="the run has no kind"):
        read("[task]\nname = 'reviews'\n[train]\nepochs = 1\n")
    with pytest.raises(ValueError, match=r"mine.toml: .*line 1"):
        read("kind = \nseed = 1")
    with pytest.raises(ValueError, match=r"no run file 'fashion_mnis', .*did you mean 'fashion_mnist'\?"):
        load_run_file("fashion_mnis")
    with pytest.raises(ValueError, match=r"cannot read .*: Is a directory"):
        load_run_file(tmp_path)
