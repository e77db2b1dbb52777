"""Comparisons kept in the repository, and the tables that documents show of them.

`python -m hamming.synth.studies.comparisons` made each file of `synth/compare/results/`, and
`python -m hamming.distill.hardware.opponents` the accuracies; `python -m hamming.synth.compare.results` prints the
tables, and puts them into docs/comparison.md if told `--keep`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from hamming.pages import with_table
from hamming.synth.compare.comparison import Comparison
from hamming.synth.compare.design_figures import DesignFigures
from hamming.synth.compare.figures import ROLES
from hamming.synth.compare.published import published

__all__ = ["ACCURACIES", "MARKS", "PAGE", "RESULTS", "TASKS", "keep", "markdown", "read", "read_accuracies"]

RESULTS = Path(__file__).with_name("results")

#: The document that shows them, and the lines between which its tables stand.
PAGE = Path(__file__).resolve().parents[2] / "docs" / "comparison.md"
MARKS = ("<!-- comparisons -->\n\n", "\n\n<!-- end of comparisons -->")

#: Designs whose savings are shown, by key, and what they are called there.
SAVERS = {
    "hamming": "binary, top-k",
    "hamming-4": "4 bits",
    "hamming-few3": "8 keys, 3 bits",
    "hamming-list": "8 keys by a list, 3 bits",
    "hamming-waiting": "8 keys, rows wait, 3 bits",
}

#: Designs that compute what another one does, to the last bit.
SAME_ARITHMETIC = {"hamming-list": "hamming-few3", "hamming-waiting": "hamming-few3"}

#: Share of a task's test items that each design classifies rightly, through its own arithmetic: a file a task.
ACCURACIES = Path(__file__).with_name("accuracies")

#: Tasks, by the names of these files, and what their items are.
TASKS = {"fashion_mnist": "images", "reviews": "sentences", "novels": "passages"}


def read() -> dict[str, Comparison]:
    """Return the comparisons by name of their files: fastest clock first, then fewest keys, then largest baseline."""
    found = {
        path.stem: Comparison.from_dict(json.loads(path.read_text(encoding="utf-8"))) for path in RESULTS.glob("*.json")
    }
    return dict(
        sorted(found.items(), key=lambda item: (-item[1].clock, item[1].shape["n_keys"], -item[1].standard.area))
    )


def keep(page: Path = PAGE) -> None:
    """Put the tables into the document, in place of those that are there."""
    page.write_text(with_table(page.read_text(encoding="utf-8"), MARKS, markdown(read())), encoding="utf-8")


def read_accuracies(task: str) -> dict[str, str]:
    """Return the accuracies of designs by their keys, in words, on one of `TASKS`.

    Behind it stands in brackets that after a model's fine-tuning, and of how many items it is where not of all.
    """
    found = json.loads((ACCURACIES / f"{task}.json").read_text(encoding="utf-8"))
    designs, accuracies = found["designs"], {}
    for key, one in designs.items():
        trained = designs.get(f"{key}, tuned")
        accuracies[key] = f"{one['accuracy']:.1%}" + (f" ({trained['accuracy']:.1%})" if trained else "")
        if one["items"] != found["items"]:
            accuracies[key] += f" of {one['items']:,}"
    return accuracies | {key: accuracies[other] for key, other in SAME_ARITHMETIC.items()}


def _name(opponent: DesignFigures) -> str:
    """Return what a baseline is called in short."""
    return opponent.key.removeprefix("standard-").replace("_", " ")


def _shape(comparison: Comparison) -> str:
    shape = comparison.shape
    return f"{shape['n_keys']:,} keys, {shape['n_lanes']} a cycle, d = {shape['d_head']}, k = {shape['top_k']}"


def _row(design: DesignFigures, accuracies: Sequence[Mapping[str, str]]) -> str:
    return (
        f"| {design.title} | {design.cycles:.2f} | {design.timings[0].fmax:.2f} "
        f"| {design.area:,.0f} | {design.energy:,.0f} | {design.total_area:,.0f} | {design.total_energy:,.0f} "
        f"| {design.accuracy[0].mean_cosine:.5f} | {' | '.join(found.get(design.key, '') for found in accuracies)} |"
    )


def _saving(comparison: Comparison, design: DesignFigures, opponent: DesignFigures) -> str:
    saving = comparison.saving(design, opponent)
    cells = (f"{share:.1%}" for share in (saving.area, saving.energy, saving.total_area, saving.total_energy))
    return f"| {SAVERS[design.key]} | {opponent.title} | {' | '.join(cells)} |"


def _summary(comparisons: Sequence[Comparison]) -> list[str]:
    """Lay out comparisons of one shape at one clock: engine, variants and opponents, then what is saved of each."""
    first = max(comparisons, key=lambda comparison: len(comparison.designs))
    opponents = [comparison.standard for comparison in comparisons]
    designs = [design for design in first.designs if design is not first.standard]
    savers = [design for design in designs if design.key in SAVERS]
    accuracies = [read_accuracies(task) for task in TASKS]
    columns = ["design", "cycles", "GHz", "logic, µm²", "logic, pJ", "all, µm²", "all, pJ", "cosine", *TASKS.values()]
    return [
        f"*{first.title}*: {_shape(first)}; at {first.clock:g} GHz",
        "",
        f"| {' | '.join(columns)} |",
        f"|---|{'---:|' * (len(columns) - 1)}",
        *(_row(design, accuracies) for design in [*designs, *opponents]),
        "",
        "| what is saved | of | logic, µm² | logic, pJ | all, µm² | all, pJ |",
        f"|---|---|{'---:|' * 4}",
        *(_saving(first, design, opponent) for design in savers for opponent in opponents),
        "",
    ]


def _roles(comparisons: dict[str, Comparison], baseline: str) -> list[str]:
    names = list(comparisons)
    lines = [
        f"| role | {' | '.join(f'{n}: ours, µm² | {baseline} | ours, pJ | {baseline}' for n in names)} |",
        f"|---|{'---:|' * (4 * len(names))}",
    ]
    for role in ROLES:
        cells = []
        for comparison in comparisons.values():
            pair = comparison.hamming, comparison.standard
            cells += [f"{design.role_area(role):,.0f}" for design in pair]
            cells += [f"{design.role_energy(role):,.0f}" for design in pair]
        if any(cell != "0" for cell in cells):
            lines.append(f"| {role} | {' | '.join(cells)} |")
    return [*lines, ""]


def _published(comparisons: Mapping[str, Comparison]) -> list[str]:
    """Set the flagship and its variants beside CAMformer, whose shape it has."""
    theirs = published()["camformer"]
    assert theirs.logic_area is not None
    assert theirs.energy is not None
    own = f"{theirs.logic_area / 1e6:.4f} | {theirs.energy / 1e3:.2f}"
    rows = [
        f"| {design.title} | {design.spec['top_k']} | {design.spec['value_bits']} | {design.cycles:.0f} "
        f"| {design.area / 1e6:.4f} | {design.total_energy / 1e3:.2f} |"
        for design in comparisons["flagship"].of_kind("hamming")
    ]
    return [
        "| beside CAMformer | kept keys | bits of values | cycles | logic, mm² | all, nJ |",
        f"|---|{'---:|' * 5}",
        *rows,
        f"| {theirs.name}, published | 32 | 16 | {theirs.cycles} | {own} |",
        "",
    ]


def _work(comparisons: dict[str, Comparison]) -> list[str]:
    lines = [
        "| design | queries checked at the gates | glitches' share | synthesis, s | peak memory, MiB | periods, ns |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for name, comparison in comparisons.items():
        for design in comparison.designs:
            periods = ", ".join(f"{timing.tool} {timing.period:.3f}" for timing in design.timings)
            checked = design.verification.queries if design.verification else 0
            lines.append(
                f"| {name}, {design.title} | {checked:,} | {design.glitch_share or 0:.0%} "
                f"| {design.synthesis_seconds:.0f} | {design.peak_memory_mib:,.0f} | {periods} |"
            )
    return lines


def markdown(comparisons: dict[str, Comparison]) -> str:
    """Lay comparisons out for a document: a table a shape, then all by role, then what making them took."""
    shapes: dict[tuple, list[Comparison]] = {}
    for comparison in comparisons.values():
        shapes.setdefault((comparison.clock, *comparison.shape.values()), []).append(comparison)
    lines = [line for group in shapes.values() for line in _summary(group)]
    by_baseline: dict[str, dict[str, Comparison]] = {}
    for name, comparison in comparisons.items():
        by_baseline.setdefault(_name(comparison.standard), {})[name] = comparison
    roles = [line for element, found in by_baseline.items() for line in _roles(found, element)]
    beside = _published(comparisons) if "flagship" in comparisons else []
    return "\n".join([*lines, *beside, *roles, *_work(comparisons)])


@click.command()
@click.option("--keep", "keeps", is_flag=True, help="Put them into docs/comparison.md as well.")
def main(keeps: bool) -> None:
    """Print the tables that docs/comparison.md shows of the comparisons that are kept."""
    if keeps:
        keep()
    print(markdown(read()))


if __name__ == "__main__":
    main()
