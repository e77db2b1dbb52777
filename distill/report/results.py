"""Training results kept in the repository, and the tables that documents show of them.

Each file of `distill/report/results/runs/` is the `metrics.json` of a run, under the run's name and seed, and each of
`distill/report/results/validation/` that of one by which a recipe was chosen, counted on the validation split::

    python -m hamming.distill.report.results               # print the tables
    python -m hamming.distill.report.results --keep RUNS   # keep the metrics of finished runs first
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hamming.distill.report import tables

__all__ = [
    "RESULTS",
    "VALIDATION",
    "attention_rows",
    "choice_rows",
    "context_rows",
    "cost_rows",
    "counted_rows",
    "kept_keys_rows",
    "main",
    "markdown",
    "read",
    "student_rows",
    "teacher_rows",
]

RESULTS = Path(__file__).with_name("results") / "runs"

#: Runs that were counted on the validation split; their names begin so.
VALIDATION = RESULTS.with_name("validation")
_CHOICE = "validation_"

#: What the name of a student ends in whose teacher has another seed.
_OTHER = "_other_teacher"

Runs = dict[str, list[dict[str, Any]]]


def read(folder: Path = RESULTS) -> Runs:
    """Return the metrics by the runs' names, one for each seed."""
    found: Runs = {}
    for path in sorted(folder.glob("*.json")):
        metrics = json.loads(path.read_text(encoding="utf-8"))
        found.setdefault(metrics["name"], []).append(metrics)
    return found


def teacher_rows(runs: Runs) -> Iterator[str]:
    """Give the table of the teachers."""
    yield from _head("teacher", "seeds", "items: training", "test", "parameters", "accuracy, %", "minutes")
    for name, found in runs.items():
        if found[0]["kind"] == "teacher":
            yield _row(
                f"`{name}`",
                _seeds(found),
                f"{found[0]['n_train']:,}",
                f"{found[0]['n_test']:,}",
                f"{found[0]['parameters']:,}",
                _percent(found, lambda run: run["accuracy"]["teacher"]),
                _mean(found, lambda run: run["seconds"] / 60, 1),
            )


def student_rows(runs: Runs) -> Iterator[str]:
    """Give the table of the students: how accurate they are, beside the teacher and the student before training."""
    yield from _head(
        *("student", "seeds", "kept keys", "teacher", "teacher, its best keys"),
        *("untrained, all keys", "untrained", "student", "drop, points", "minutes"),
    )
    for name, found in _students(runs):
        yield _row(
            f"`{name}`",
            _seeds(found),
            found[0]["config"]["student"]["top_n"] or "all",
            *(
                _percent(found, lambda run, key=key: run["accuracy"][key])
                for key in ("teacher", "teacher_top_n", "untrained_all_keys", "untrained", "student")
            ),
            _percent(found, _drop),
            _mean(found, lambda run: run["seconds"] / 60, 1),
        )


def choice_rows(runs: Runs) -> Iterator[str]:
    """Give the table of recipes and what they reach on the validation's items: by task, the best first."""
    yield from _head("task", "recipe", "items: training", "validation", "teacher", "student", "drop, points", "minutes")

    def place(named: tuple[str, list[dict[str, Any]]]) -> tuple[str, int, float]:
        _, [run, *_] = named
        return run["config"]["task"]["name"], -run["n_train"], -run["accuracy"]["student"]

    for name, found in sorted(_students(runs), key=place):
        yield _row(
            f"`{found[0]['config']['task']['name']}`",
            f"`{name.removeprefix(_CHOICE)}`",
            f"{found[0]['n_train']:,}",
            f"{found[0]['n_test']:,}",
            _percent(found, lambda run: run["accuracy"]["teacher"]),
            _percent(found, lambda run: run["accuracy"]["student"]),
            _percent(found, _drop),
            _mean(found, lambda run: run["seconds"] / 60, 1),
        )


def counted_rows(runs: Runs, evaluations: Runs) -> Iterator[str]:
    """Give the table of students that have teachers of two seeds, in floating point and through the integers.

    `evaluations` are what `hamming evaluate` found, by the runs' names, one for each seed (`report.tables.read`).
    Behind their drop stands its standard error over the test's items, the mean of the seeds'.
    """
    yield from _head(
        *("student", "its teacher's seed", "seeds", "items: training", "test", "teacher", "student", "drop, points"),
        *("through the integers", "drop, points", "its standard error"),
    )
    for name, found in _students(runs):
        family = name.removesuffix(_OTHER)
        if f"{family}{_OTHER}" not in runs:
            continue
        counted = evaluations.get(name, [])
        errors = [100 * one["drop"]["error"] for one in counted if one.get("drop")]
        yield _row(
            f"`{family}`",
            found[0]["config"]["student"]["teacher_seed"],
            _seeds(found),
            f"{found[0]['n_train']:,}",
            f"{found[0]['n_test']:,}",
            *(_percent(found, lambda run, key=key: run["accuracy"][key]) for key in ("teacher", "student")),
            _percent(found, _drop),
            _percent(counted, lambda one: one["accuracy"]["integer"]) if counted else "",
            _percent(counted, lambda one: one["accuracy"]["teacher"] - one["accuracy"]["integer"]) if counted else "",
            f"{statistics.fmean(errors):.2f}" if errors else "",
        )


def kept_keys_rows(runs: Runs) -> Iterator[str]:
    """Give the table of accuracies by kept keys, of students evaluated with more or fewer than in training.

    A cell is the mean over the seeds that were evaluated with so many.
    """
    students = [(name, found) for name, found in _students(runs) if found[0]["accuracy"]["student_by_top_n"]]
    counts = sorted({n for _, found in students for n in _counts(found)})
    yield from _head("student", *map(str, counts), "all")
    for name, found in students:
        yield _row(f"`{name}`", *(_at(found, n) for n in counts), _at(found, None))


def context_rows(runs: Runs) -> Iterator[str]:
    """Give the table of contexts against kept keys: students of tasks that were done with several lengths of text."""
    lengths: dict[str, dict[int, list[dict[str, Any]]]] = {}
    for _, found in _students(runs):
        task = found[0]["config"]["task"]
        lengths.setdefault(task["name"], {}).setdefault(task["n_tokens"], found)  # the first of a length, by name
    students = [found for by_length in lengths.values() if len(by_length) > 1 for _, found in sorted(by_length.items())]
    counts = sorted({n for found in students for n in _counts(found)})
    yield from _head("task", "tokens", "seeds", "teacher", "untrained", *(f"N = {n}" for n in counts), "all")
    for found in students:
        task = found[0]["config"]["task"]
        before = [_percent(found, lambda run, who=who: run["accuracy"][who]) for who in ("teacher", "untrained")]
        after = [_at(found, n) if n < task["n_tokens"] else "" for n in counts]
        yield _row(f"`{task['name']}`", task["n_tokens"], _seeds(found), *before, *after, _at(found, None))


def attention_rows(runs: Runs) -> Iterator[str]:
    """Give the table of attention maps against the teacher's, before training and after."""
    yield from _head(
        *("student", "best keys", "recall, untrained", "recall, student"),
        *("divergence, untrained", "divergence, student"),
    )
    for name, found in _students(runs):
        measured = [
            _mean(found, lambda run, who=who, what=what: run["attention"][who][what], digits)
            for what, digits in (("recall", 3), ("divergence", 4))
            for who in ("untrained", "student")
        ]
        yield _row(f"`{name}`", found[0]["attention"]["student"]["top_n"], *measured)


def cost_rows(runs: Runs) -> Iterator[str]:
    """Give the table of what training took, of runs whose memory was measured; the mean over these."""
    yield from _head("run", "seeds", "steps", "items a step", "minutes", "peak, MiB")
    for name, found in runs.items():
        measured = [run for run in found if "peak_mib" in run]
        if measured:
            yield _row(
                f"`{name}`",
                _seeds(measured),
                f"{measured[0]['steps']:,}",
                measured[0]["config"]["train"]["batch_size"],
                _mean(measured, lambda run: run["seconds"] / 60, 1),
                f"{statistics.fmean(run['peak_mib'] for run in measured):,.0f}",
            )


def markdown(runs: Runs, chosen: Runs, evaluations: Runs) -> str:
    """Return all tables, as `docs/distillation.md` shows them."""
    found = [choice_rows(chosen), counted_rows(runs, evaluations)]
    of_runs = (teacher_rows, student_rows, cost_rows, kept_keys_rows, attention_rows, context_rows)
    found += [rows(runs) for rows in of_runs]
    return "\n\n".join("\n".join(table) for table in found) + "\n"


def _students(runs: Runs) -> list[tuple[str, list[dict[str, Any]]]]:
    return [(name, found) for name, found in runs.items() if found[0]["kind"] == "student"]


def _drop(run: dict[str, Any]) -> float:
    return run["accuracy"]["teacher"] - run["accuracy"]["student"]


def _counts(found: Sequence[dict[str, Any]]) -> set[int]:
    """Return the numbers of kept keys that any of the seeds was evaluated with."""
    swept = {int(n) for run in found for n in run["accuracy"]["student_by_top_n"]}
    return swept | {run["config"]["student"]["top_n"] for run in found} - {None}


def _at(found: Sequence[dict[str, Any]], n: int | None) -> str:
    """Return the students' accuracy with `n` kept keys (None: all), over the seeds that have it; empty if none has."""

    def accuracies(run: dict[str, Any]) -> dict[str, float]:
        accuracy, top_n = run["accuracy"], run["config"]["student"]["top_n"]
        return {str(top_n): accuracy["student"]} | accuracy["student_by_top_n"] | {"None": accuracy["student_all_keys"]}

    having = [run for run in found if str(n) in accuracies(run)]
    return _percent(having, lambda run: accuracies(run)[str(n)]) if having else ""


def _head(*cells: str) -> Iterator[str]:
    yield _row(*cells)
    yield f"|---|{'---:|' * (len(cells) - 1)}"


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _seeds(found: Sequence[dict[str, Any]]) -> str:
    return ", ".join(str(run["seed"]) for run in found)


def _mean(found: Sequence[dict[str, Any]], value: Callable[[dict[str, Any]], float], digits: int) -> str:
    return f"{statistics.fmean(map(value, found)):.{digits}f}"


def _percent(found: Sequence[dict[str, Any]], value: Callable[[dict[str, Any]], float]) -> str:
    """Return the mean over seeds, with the standard deviation where the seeds differ."""
    values = [100 * value(run) for run in found]
    spread = f" ± {statistics.stdev(values):.2f}" if len(set(values)) > 1 else ""
    return f"{statistics.fmean(values):.2f}{spread}"


def main() -> None:
    """Print the tables, as `docs/distillation.md` shows them."""
    parser = argparse.ArgumentParser(prog="python -m hamming.distill.report.results", description=main.__doc__)
    parser.add_argument("--keep", type=Path, metavar="RUNS", help="first copy the metrics of finished runs from here")
    runs = parser.parse_args().keep
    for path in () if runs is None else sorted(runs.glob("*/metrics.json")):
        split = json.loads(path.read_text(encoding="utf-8"))["config"]["task"].get("split", "test")
        shutil.copyfile(path, (VALIDATION if split == "validation" else RESULTS) / f"{path.parent.name}.json")
    print(markdown(read(), read(VALIDATION), tables.read("evaluate")), end="")


if __name__ == "__main__":
    main()
