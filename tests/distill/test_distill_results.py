"""Tables of training runs, from metrics written by hand; and that the document shows those of the kept ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hamming.distill.report import tables
from hamming.distill.report.results import (
    VALIDATION,
    attention_rows,
    choice_rows,
    context_rows,
    cost_rows,
    counted_rows,
    kept_keys_rows,
    markdown,
    read,
    student_rows,
    teacher_rows,
)
from hamming.distill.training.config import RunConfig

ROOT = Path(__file__).parents[2]


def student(seed: int, accuracy: float) -> dict:
    likeness = {"top_n": 6, "recall": 0.5, "divergence": 0.25}
    return {
        "name": "s",
        "kind": "student",
        "seed": seed,
        "seconds": 90.0,
        "n_train": 2000,
        "n_test": 500,
        "config": {"student": {"top_n": 6, "teacher_seed": 0}, "task": {"name": "x", "n_tokens": 16}},
        "accuracy": {
            "teacher": 0.9,
            "teacher_top_n": 0.85,
            "untrained": 0.5,
            "untrained_all_keys": 0.4,
            "student": accuracy,
            "student_all_keys": 0.7,
            "student_by_top_n": {"2": 0.6, "20": 0.75},
        },
        "attention": {"untrained": likeness, "student": likeness | {"recall": 0.75}},
    }


TEACHER = {
    "name": "t",
    "kind": "teacher",
    "seed": 0,
    "seconds": 60.0,
    "n_train": 60000,
    "n_test": 1000,
    "parameters": 1234,
    "accuracy": {"teacher": 0.9},
}


@pytest.fixture
def runs(tmp_path):
    for metrics in (student(0, 0.8), student(1, 0.9), TEACHER):
        (tmp_path / f"{metrics['name']}-{metrics['seed']}.json").write_text(json.dumps(metrics))
    return read(tmp_path)


def test_seeds_share_a_row_with_mean_and_deviation(runs):
    assert list(teacher_rows(runs))[2:] == ["| `t` | 0 | 60,000 | 1,000 | 1,234 | 90.00 | 1.0 |"]
    row = "| `s` | 0, 1 | 6 | 90.00 | 85.00 | 40.00 | 50.00 | 85.00 ± 7.07 | 5.00 ± 7.07 | 1.5 |"
    assert list(student_rows(runs))[2:] == [row]
    assert list(kept_keys_rows(runs)) == [
        "| student | 2 | 6 | 20 | all |",
        "|---|---:|---:|---:|---:|",
        "| `s` | 60.00 | 85.00 ± 7.07 | 75.00 | 70.00 |",
    ]
    assert list(attention_rows(runs))[2:] == ["| `s` | 6 | 0.500 | 0.750 | 0.2500 | 0.2500 |"]


def test_memory_stands_where_it_was_measured(runs):
    assert len(list(cost_rows(runs))) == 2
    runs["s"][1] |= {"peak_mib": 1499.6, "steps": 3000}
    runs["s"][1]["config"]["train"] = {"batch_size": 32}
    assert list(cost_rows(runs))[2:] == ["| `s` | 1 | 3,000 | 32 | 1.5 | 1,500 |"]


def test_recipes_stand_by_task_the_best_first(runs):
    chosen = {"validation_worse": [student(0, 0.7)], "validation_better": [student(0, 0.8), student(1, 0.85)]}
    assert list(choice_rows({"t": [TEACHER], **chosen})) == [
        "| task | recipe | items: training | validation | teacher | student | drop, points | minutes |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
        "| `x` | `better` | 2,000 | 500 | 90.00 | 82.50 ± 3.54 | 7.50 ± 3.54 | 1.5 |",
        "| `x` | `worse` | 2,000 | 500 | 90.00 | 70.00 | 20.00 | 1.5 |",
    ]


def test_students_of_two_teachers_stand_beside_each_other(runs):
    assert len(list(counted_rows(runs, {}))) == 2  # one teacher alone is another table's
    runs["s_other_teacher"] = [student(0, 0.8)]
    runs["s_other_teacher"][0]["config"]["student"]["teacher_seed"] = 1
    integers = {"s": [{"accuracy": {"teacher": 0.9, "integer": 0.75}, "drop": {"mean": 0.15, "error": 0.01}}]}
    assert list(counted_rows(runs, integers))[2:] == [
        "| `s` | 0 | 0, 1 | 2,000 | 500 | 90.00 | 85.00 ± 7.07 | 5.00 ± 7.07 | 75.00 | 15.00 | 1.00 |",
        "| `s` | 1 | 0 | 2,000 | 500 | 90.00 | 80.00 | 10.00 |  |  |  |",
    ]
    integers["s"].append({"accuracy": {"teacher": 0.9, "integer": 0.75}})  # of before errors were counted
    assert list(counted_rows(runs, integers))[2].endswith("| 75.00 | 15.00 | 1.00 |")


def test_a_seed_without_a_number_of_kept_keys_is_left_out_of_its_mean(runs):
    runs["s"][1]["accuracy"]["student_by_top_n"] = {"2": 0.5}
    assert list(kept_keys_rows(runs))[2:] == ["| `s` | 55.00 ± 7.07 | 85.00 ± 7.07 | 75.00 | 70.00 |"]


def test_contexts_of_a_task_stand_beside_each_other(runs):
    assert len(list(context_rows(runs))) == 2  # one length alone is no comparison
    runs["s"], runs["long"] = [student(0, 0.8)], [student(0, 0.8)]
    runs["long"][0]["config"]["task"]["n_tokens"] = 64
    assert list(context_rows(runs)) == [
        "| task | tokens | seeds | teacher | untrained | N = 2 | N = 6 | N = 20 | all |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
        "| `x` | 16 | 0 | 90.00 | 50.00 | 60.00 | 80.00 |  | 70.00 |",
        "| `x` | 64 | 0 | 90.00 | 50.00 | 60.00 | 80.00 | 75.00 | 70.00 |",
    ]


def test_every_row_of_a_table_has_the_cells_of_its_head(runs):
    for table in markdown(runs, {}, {}).split("\n\n"):
        assert len({line.count("|") for line in table.strip().splitlines()}) == 1


def test_the_document_shows_the_kept_results():
    text = (ROOT / "docs" / "distillation.md").read_text(encoding="utf-8")
    for table in markdown(read(), read(VALIDATION), tables.read("evaluate")).split("\n\n"):
        assert table.strip() in text


def test_kept_results_are_of_run_files_that_can_still_be_read():
    for split, runs in (("test", read()), ("validation", read(VALIDATION))):
        for name, found in runs.items():
            for metrics in found:
                config = RunConfig.from_dict(metrics["config"])
                assert (config.name, config.seed, config.task.split) == (name, metrics["seed"], split)
