"""What is shown of language models: perplexities as a table and a picture, generated texts side by side."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from hamming.distill.hardware.perplexity import KINDS, Point
from hamming.distill.method.schedule import STAGES
from hamming.distill.report.studies import image_rows, kept_studies, language_rows
from hamming.pages import with_table

__all__ = [
    "PAGE",
    "PICTURE",
    "RESULTS",
    "draw",
    "markdown",
    "perplexity_table",
    "pretrained_rows",
    "ratio_rows",
    "read_points",
    "run_rows",
    "updated",
]

#: What `hamming evaluate --json` and `hamming generate-text --json` left of the package's language model, and its runs'
#: metrics.
RESULTS = Path(__file__).with_name("results") / "language"

#: Files of perplexities, which the page shows as one table.
POINTS = ("perplexity.json", "perplexity_2048.json")

#: Runs whose metrics are kept.
RUNS = ("language_teacher", "language_256", "language")

#: Those of the pretrained model, in their order, and its perplexities.
PRETRAINED = ("smollm2_transfer", "smollm2", "smollm2_1024", "smollm2_longer", "smollm2_kept")
PRETRAINED_POINTS = ("smollm2_perplexity.json", "smollm2_perplexity_keys.json")

_DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE, PICTURE = _DOCS / "language.md", _DOCS / "perplexity.svg"

_NAMES = {
    "teacher": "teacher",
    "teacher_top_n": "its best keys",
    "untrained": "signs, untrained",
    "student": "student",
    "integer": "student, integers",
}


def _cell(point: Point | None) -> str:
    return "" if point is None else f"{point.perplexity:.3f} ± {point.error:.3f}"


def _rows(points: Sequence[Point]) -> Iterator[tuple[str, str, list[str]]]:
    """Give context, kept keys, and a cell for each kind but the teacher's, whose only row comes first."""
    by_place = {(point.context, point.top_n, point.kind): point for point in points}
    for context in sorted({point.context for point in points}):
        teacher = by_place.get((context, None, "teacher"))
        kept = {point.top_n for point in points if point.context == context}
        for top_n in sorted(kept, key=lambda n: (n is None, n)):
            first = teacher if top_n is None else by_place.get((context, top_n, "teacher_top_n"))
            cells = [_cell(first), *(_cell(by_place.get((context, top_n, kind))) for kind in KINDS[2:])]
            yield f"{context:,}", "all" if top_n is None else f"{top_n}", cells


def perplexity_table(points: Sequence[Point]) -> Table:
    """Context and kept keys a row; the teacher's with all keys is that of the row `all`."""
    table = Table("context", "kept keys", box=SIMPLE_HEAD)
    for name in ("teacher, as many", *(_NAMES[kind] for kind in KINDS[2:])):
        table.add_column(name, justify="right")
    for context, kept, cells in _rows(points):
        table.add_row(context, kept, *cells)
    return table


def markdown(points: Sequence[Point]) -> Iterator[str]:
    """Give the same as lines of a Markdown table."""
    yield "| context | kept keys | teacher, as many | signs, untrained | student | student, integers |"
    yield "|---:|---:|---:|---:|---:|---:|"
    for context, kept, cells in _rows(points):
        yield f"| {' | '.join((context, kept, *cells))} |"


def ratio_rows(points: Sequence[Point]) -> Iterator[str]:
    """Give, of each context and number of kept keys, what student and integers have more than the teacher with all."""
    yield "| context | kept keys | teacher, as many | student | student, integers |"
    yield "|---:|---:|---:|---:|---:|"
    by_place = {(point.context, point.top_n, point.kind): point for point in points}
    for context, top_n in sorted({(p.context, p.top_n) for p in points if p.top_n is not None}):
        cells = (_more(by_place[context, top_n, kind]) for kind in ("teacher_top_n", "student", "integer"))
        yield f"| {context:,} | {top_n} | {' | '.join(cells)} |"


def _more(point: Point) -> str:
    if point.ratio is None or point.ratio_error is None:
        return ""
    return f"{100 * (point.ratio - 1):+.2f} ± {100 * point.ratio_error:.2f} %"


def read_points(path: Path) -> list[Point]:
    """Return the points that `hamming evaluate --json` left of a language model."""
    return [Point(**fields) for fields in json.loads(path.read_text(encoding="utf-8"))["points"]]


def kept_points(names: Sequence[str]) -> list[Point]:
    """Return the points of kept files."""
    return [point for name in names for point in read_points(RESULTS / name)]


def draw(path: Path, points: Sequence[Point]) -> None:
    """Draw what is lost against kept keys, in the teacher's perplexity with all of them, a panel for each context.

    Signs without training, which lose several times all of it, are left to the tables. `path` is written as SVG.
    """
    from hamming.synth import plots

    contexts = sorted({point.context for point in points})
    styles = {
        "teacher_top_n": (plots.INK, ":"),
        "student": (plots.SERIES[0], "-"),
        "integer": (plots.SERIES[2], "--"),
    }
    names = _NAMES | {"teacher_top_n": "teacher, its best keys"}
    ticks = sorted({point.top_n for point in points if point.top_n is not None})
    title = "More perplexity than the teacher's with all keys, against the keys that a query keeps, by context"
    with plots.drawn(path, title, width=8, height=1 + 2.0 * len(contexts), rows=[1.0] * len(contexts)) as places:
        for place, context in zip(places, contexts, strict=True):
            for kind, (colour, mark) in styles.items():
                line = sorted(
                    (point.top_n, 100 * (point.ratio - 1), 100 * point.ratio_error)
                    for point in points
                    if (point.context, point.kind) == (context, kind)
                    if point.top_n is not None and point.ratio is not None and point.ratio_error is not None
                )
                if line:
                    xs, ys, errors = zip(*line, strict=True)
                    place.errorbar(xs, ys, yerr=errors, fmt=f"o{mark}", color=colour, capsize=3, label=names[kind])
            place.axhline(0, color=plots.INK, linewidth=1.2)
            place.set_xscale("log")
            place.set_xticks(ticks, [f"{tick}" for tick in ticks])
            place.minorticks_off()
            place.set_ylabel(f"% more, context {context:,}")
        places[0].legend(frameon=False)
        places[-1].set_xlabel("kept keys")


def run_rows(runs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Give a table of runs' metrics: windows, steps, seconds, and the share of next tokens that are predicted."""
    yield "| run | windows | steps | seconds | next byte right, test | before training |"
    yield "|---|---:|---:|---:|---:|---:|"
    for run in runs:
        found, task = run["accuracy"], run["config"]["task"]
        after, before = (f"{100 * found[key]:.2f} %" if key in found else "" for key in _measured(run["kind"]))
        windows, spent = f"{run['n_train']:,} of {task['n_tokens']:,}", f"{run['steps']:,} | {run['seconds']:,.0f}"
        yield f"| `{run['name']}` | {windows} | {spent} | {after} | {before} |"


def _measured(kind: str) -> tuple[str, str]:
    return ("teacher", "") if kind == "teacher" else ("student", "untrained")


def pretrained_rows(runs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Give a table of the metrics of runs that follow each other: what they saw, and what it took."""
    yield "| run | stages | windows | kept keys | steps | tokens | largest learning rate | seconds | peak, MiB |"
    yield "|---|---|---:|---:|---:|---:|---:|---:|---:|"
    for run in runs:
        train, task = run["config"]["train"], run["config"]["task"]
        stages = ", ".join(f"`{stage.name}`" for stage in STAGES if train[stage.name])
        n_tokens = run["steps"] * train["batch_size"] * task["n_tokens"]
        kept = run["config"]["student"]["train_top_n"]
        cells = (
            *(f"`{run['name']}`", stages, f"{task['n_tokens']:,}", f"{kept}" if kept < task["n_tokens"] else "all"),
            *(f"{run['steps']:,}", f"{n_tokens:,}", f"{train['learning_rate']:g}", f"{run['seconds']:,.0f}"),
            f"{run['peak_mib']:,}" if "peak_mib" in run else "",
        )
        yield f"| {' | '.join(cells)} |"


def _metrics(names: Sequence[str]) -> list[dict[str, Any]]:
    return [json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8")) for name in names]


def updated(page: str) -> str:
    """Return the page with its tables made anew, each from `<!-- NAME -->` to `<!-- end -->`, of the kept results.

    Raises
    ------
    ValueError
        The page has no place for one of them.
    """
    points, pretrained = kept_points(POINTS), kept_points(PRETRAINED_POINTS)
    tables = {
        "runs": run_rows(_metrics(RUNS)),
        "perplexity": markdown(points),
        "ratios": ratio_rows(points),
        "studies": language_rows(kept_studies("language")),
        "images": image_rows(kept_studies("fashion_mnist_sample")),
        "smollm2-runs": pretrained_rows(_metrics(PRETRAINED)),
        "smollm2": markdown(pretrained),
        "smollm2-ratios": ratio_rows(pretrained),
    }
    for name, rows in tables.items():
        table = "\n".join(rows)
        page = with_table(page, (f"<!-- {name} -->\n", "<!-- end -->"), f"\n{table}\n\n")
    return page


def main() -> None:
    """Draw the picture of the kept perplexities, and write their table into the page."""
    argparse.ArgumentParser(prog="python -m hamming.distill.report.language", description=main.__doc__).parse_args()
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    draw(PICTURE, kept_points(POINTS))


if __name__ == "__main__":
    main()
