"""`python -m hamming.distill.report.studies RUN...`: what the studies of the byte model and of images gave.

Of a language model's run it measures perplexities and keeps them with its metrics; of another, its metrics alone.
`python -m hamming.distill.report.language` then writes the page.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from hamming.distill.hardware.perplexity import Point, perplexities, to_json
from hamming.distill.tasks.task import MissingData
from hamming.distill.training.runs import load_run
from hamming.distill.training.sections import StudentConfig

__all__ = ["FOLDER", "image_rows", "kept_studies", "language_rows"]

#: One file a run, by its name and seed.
FOLDER = Path(__file__).with_name("results") / "studies"

#: Where perplexities of studies are measured: contexts, kept keys, and windows of each context.
CONTEXTS, TOP_N, N_WINDOWS = (256, 1024), 64, 36

_KINDS = ("untrained", "student", "integer")

#: What students of images differ in: keys of `[student]`.
_CHANGES = ("rotation", "centre_keys", "learn_thresholds", "n_tables")


def kept_studies(task: str) -> list[dict[str, Any]]:
    """Return what is kept of the studies of a task, in the order of their names."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))]
    return [study for study in found if study["metrics"]["config"]["task"]["name"] == task]


def language_rows(studies: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Give a row for each study of the language model: perplexities, and recall of the teacher's best keys."""
    columns = [f"{kind}, {context:,}" for context in CONTEXTS for kind in ("untrained", "trained", "integers")]
    yield f"| student | recall, untrained | trained | {' | '.join(columns)} |"
    yield f"|---|{'---:|' * (2 + len(columns))}"
    for study in studies:
        metrics = study["metrics"]
        points = {(point.context, point.kind): point for point in (Point(**fields) for fields in study["points"])}
        found = (points[context, kind] for context in CONTEXTS for kind in _KINDS)
        cells = [*_recalls([metrics]), *(f"{point.perplexity:.3f} ± {point.error:.3f}" for point in found)]
        yield f"| `{metrics['name']}` | {' | '.join(cells)} |"


def image_rows(studies: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Give a row for each kind of student of images: accuracy and recall before and after training, over its seeds.

    A student is named by what its run file's `[student]` says otherwise than the default.
    """
    by_student: dict[tuple[tuple[str, Any], ...], list[Mapping[str, Any]]] = {}
    for study in studies:
        by_student.setdefault(_changes(study["metrics"]["config"]["student"]), []).append(study["metrics"])
    yield "| student | seeds | recall, untrained | trained | right, untrained | trained |"
    yield "|---|---:|---:|---:|---:|---:|"
    for changes, runs in sorted(by_student.items()):
        name = ", ".join(f"`{key} = {json.dumps(value)}`" for key, value in changes) or "signs alone"
        right = (_percent([100 * run["accuracy"][kind] for run in runs]) for kind in ("untrained", "student"))
        yield f"| {name} | {len(runs)} | {' | '.join((*_recalls(runs), *right))} |"


def _changes(student: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    defaults = asdict(StudentConfig(teacher=""))
    return tuple((key, student[key]) for key in _CHANGES if student[key] != defaults[key])


def _percent(values: Sequence[float]) -> str:
    spread = f" ± {stdev(values):.1f}" if len(values) > 1 else ""
    return f"{mean(values):.1f}{spread} %"


def _recalls(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    kinds = ("untrained", "student")
    return [f"{100 * mean(run['attention'][kind]['recall'] for run in runs):.1f} %" for kind in kinds]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure finished runs, and keep what they gave."""
    parser = argparse.ArgumentParser(prog="python -m hamming.distill.report.studies", description=main.__doc__)
    parser.add_argument("runs", nargs="+", type=Path, help="folders that hamming distill left")
    options = parser.parse_args(arguments)
    for folder in options.runs:
        try:
            run = load_run(folder)
            study: dict[str, Any] = {"metrics": run.folder.metrics()}
            if run.config.task.name == "language":
                points = perplexities(run, contexts=CONTEXTS, top_ns=[TOP_N], kinds=_KINDS, limit=N_WINDOWS)
                study["points"] = to_json(points)
        except (MissingData, OSError, ValueError) as error:
            parser.exit(1, f"Error: {error}\n")
        FOLDER.mkdir(parents=True, exist_ok=True)
        path = FOLDER / f"{run.config.name}-{run.config.seed}.json"
        path.write_text(json.dumps(study, indent=2) + "\n", encoding="utf-8")
        print(path.name, flush=True)


if __name__ == "__main__":
    main()
