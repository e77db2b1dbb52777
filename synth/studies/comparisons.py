"""The comparisons that docs/comparison.md shows: each as JSON and as a page, in one folder.

`python -m hamming.synth.studies.comparisons -o build/compare` measures them all.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console

from hamming.files import check_writable, staged
from hamming.pool import Pool, takes_pool
from hamming.rtl.design import load_design
from hamming.synth.compare import Comparison, compare
from hamming.synth.compare.page import comparison_page
from hamming.synth.compare.results import read
from hamming.synth.compare.table import comparison_tables
from hamming.synth.library.libraries import load_library

__all__ = ["COMPARISONS", "measure"]


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What `hamming compare` would be given, and whether variants of the engine are measured."""

    preset: str
    overrides: tuple[str, ...] = ()
    baseline: str = "int8"
    clock: float = 1.0
    with_variants: bool = True


_SHAPES = {
    "bert": _Asked(preset="bert"),
    "bert256": _Asked(preset="bert", overrides=("spec.n_keys=256", "engine.n_lanes=4", "engine.name=bert256")),
    "flagship": _Asked(preset="flagship"),
}

#: By the name of their files: a shape's engine and its variants beside int8, then the engine beside each other one.
COMPARISONS = _SHAPES | {
    f"{name}_{element}": dataclasses.replace(asked, baseline=element, with_variants=False)
    for element in ("int4", "bf16", "sparse_int8", "sparse_int4")
    for name, asked in _SHAPES.items()
}


def measure(name: str, only_new: bool = False) -> Comparison:
    """Measure one of `COMPARISONS`, or of its designs those that `synth/compare/results` does not have."""
    asked = COMPARISONS[name]
    design = load_design(asked.preset, asked.overrides)
    kept = [one for one in read().values() if one.title == design.config.name] if only_new else []
    return compare(
        design,
        known=kept,
        library=load_library("nangate45"),
        clock=asked.clock,
        baseline=asked.baseline,
        with_variants=asked.with_variants,
    )


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(tuple(COMPARISONS)))
@click.option(
    "-o",
    "--output",
    "folder",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Folder of the files.",
)
@click.option("--only-new", is_flag=True, help="Take the figures of designs that synth/compare/results has.")
@takes_pool
def main(pool: Pool, names: tuple[str, ...], folder: Path, only_new: bool) -> None:
    """Set presets beside standard attention; all by default, one beside the other."""
    jobs = {name: (name, only_new) for name in names or COMPARISONS}
    files = {name: (folder / f"{name}.json", folder / f"{name}.html") for name in jobs}
    console = Console()
    console.width = max(console.width, 120)  # its tables are wide
    try:
        for target in [target for targets in files.values() for target in targets]:
            check_writable(target)
        with pool.results(measure, jobs, "designs") as results:
            for name, found in results:
                with staged(*files[name]) as (facts, page):
                    facts.write_text(json.dumps(found.to_dict(), indent=2) + "\n", encoding="utf-8")
                    page.write_text(comparison_page(found), encoding="utf-8")
                console.print(comparison_tables(found))
    except ValueError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    from hamming.synth.studies import comparisons  # by its name, by which workers find it

    comparisons.main()
