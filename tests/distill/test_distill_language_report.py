"""What is said of language models: commands, studies, the page."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
from click.testing import CliRunner

pytest.importorskip("transformers", reason="pip install 'hamming-attention[huggingface]'")


from hamming.cli import main
from hamming.cli.language import shortened
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
from hamming.distill.training.config import RunConfig
from hamming.distill.training.run_file import load_run_file
from hamming.distill.training.sections import StudentConfig


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


def test_a_text_of_line_ends_is_shown_short():
    assert shortened("a\n\nb\n\n\n\n\nc") == "a\n\nb\n(5 line ends)\nc"


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


def test_students_of_images_are_means_over_seeds():
    def metrics(right: float, **changes: Any) -> dict[str, Any]:
        likeness = {"untrained": {"recall": 0.5}, "student": {"recall": right}}
        accuracy = {"untrained": 0.25, "student": right}
        config = {"student": asdict(StudentConfig(teacher="t", top_n=10, **changes))}
        return {"metrics": {"config": config, "accuracy": accuracy, "attention": likeness}}

    kept = [
        metrics(0.75, rotation="learnt", n_tables=4),
        *(metrics(right) for right in (0.5, 0.75)),
        *(metrics(right, learn_thresholds=True) for right in (0.75, 0.75)),
    ]
    assert list(studies.image_rows(kept))[2:] == [
        "| signs alone | 2 | 50.0 % | 62.5 % | 25.0 ± 0.0 % | 62.5 ± 17.7 % |",
        "| `learn_thresholds = true` | 2 | 50.0 % | 75.0 % | 25.0 ± 0.0 % | 75.0 ± 0.0 % |",
        '| `rotation = "learnt"`, `n_tables = 4` | 1 | 50.0 % | 75.0 % | 25.0 % | 75.0 % |',
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
    for name in ("generated", "smollm2_generated"):
        facts = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
        assert facts["verilog"]["same_tokens"] == facts["verilog"]["tokens"] == len(facts["tokens"]["integer"]) == 200
        assert (facts["verilog"]["mismatches"], facts["verilog"]["violations"]) == (0, 0)


def test_kept_runs_are_those_of_the_package():
    for name in RUNS:
        metrics = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
        assert RunConfig.from_dict(metrics["config"]) == load_run_file(name)
