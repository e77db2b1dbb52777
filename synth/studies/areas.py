"""The presets' areas and clock periods, kept in `synth/studies/areas.csv` so that a change shows them moving.

`python -m hamming.synth.studies.areas` measures and rewrites the file, `--check` only compares.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from hamming.pool import Failed, Pool, takes_pool
from hamming.rtl.design import load_design, preset_names
from hamming.rtl.top import top
from hamming.rtl.verilog import emit
from hamming.synth.library.liberty import load_cells
from hamming.synth.library.libraries import LibraryError, load_library
from hamming.synth.mapping.area import map_design
from hamming.synth.memory.sram import memory_delays
from hamming.synth.netlist.flattening import flatten
from hamming.synth.timing.analysis import time_design
from hamming.synth.timing.report import Environment

__all__ = ["AREAS", "AreaRow", "difference", "markdown", "measure", "read", "write"]

#: Clock period that gates are sized for.
CLOCK_NS = 1.0

#: The file in the repository.
AREAS = Path(__file__).with_name("areas.csv")


@dataclass(frozen=True)
class AreaRow:
    """One block of one preset; `total` is a block too, and has the macros' bits.

    Areas are in the library's unit; `period_ns` is the shortest clock period that paths into the block allow.
    """

    preset: str
    library: str
    block: str
    mapping: str
    area: float
    cells: int
    sequential_area: float
    memory_bits: int
    period_ns: float


def measure(preset: str, library: str) -> list[AreaRow]:
    """Synthesize a preset for the clock and return its rows: blocks from the largest down, then `total`."""
    design, cells = load_design(preset), load_library(library)
    name = design.config.name
    verilog = emit(top(design.spec, design.config), name)
    mapped = map_design(verilog, top=name, library=cells, clock_ns=CLOCK_NS)
    models = load_cells(cells)
    netlist = flatten(mapped.netlist, name, models)
    timing = time_design(netlist, models, Environment(memory_delays=memory_delays(netlist)))
    periods = {path.end_block: path.period for path in timing.paths}
    report = mapped.report
    parts = [(block.name, block.mapping, block.figures, 0) for block in report.blocks]
    parts.append(("total", report.mapping, report.total, report.memory_bits))
    return [
        AreaRow(
            preset,
            library,
            block,
            mapping,
            figures.area,
            figures.cells,
            figures.sequential_area,
            bits,
            round(timing.period if block == "total" else periods.get(block, 0.0), 4),
        )
        for block, mapping, figures, bits in parts
    ]


def read(path: Path = AREAS) -> list[AreaRow]:
    """Return the rows of a file that `write` wrote."""
    kinds = {field.name: {"float": float, "int": int}.get(str(field.type), str) for field in fields(AreaRow)}
    with path.open(encoding="utf-8", newline="") as file:
        return [AreaRow(**{key: kinds[key](value) for key, value in row.items()}) for row in csv.DictReader(file)]


def write(rows: Iterable[AreaRow], path: Path = AREAS) -> None:
    """Write rows as CSV, presets and libraries in alphabetical order."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(AreaRow)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in sorted(rows, key=lambda row: (row.preset, row.library)))


def difference(before: Iterable[AreaRow], after: Iterable[AreaRow]) -> list[tuple[AreaRow | None, AreaRow | None]]:
    """Return what moved: rows of the same block that differ, with None for one that is missing."""

    def by_block(rows: Iterable[AreaRow]) -> dict[tuple[str, str, str], AreaRow]:
        return {(row.preset, row.library, row.block): row for row in rows}

    old, new = by_block(before), by_block(after)
    return [(old.get(key), new.get(key)) for key in old | new if old.get(key) != new.get(key)]


def markdown(rows: Iterable[AreaRow]) -> str:
    """Lay out one library's rows for a document: blocks down, presets across, in whole units."""
    areas: dict[str, dict[str, AreaRow]] = {}
    for row in rows:
        areas.setdefault(row.preset, {})[row.block] = row
    presets = sorted(areas, key=lambda preset: areas[preset]["total"].area)
    blocks = sorted(
        {block for found in areas.values() for block in found} - {"total"},
        key=lambda block: -sum(found[block].area for found in areas.values() if block in found),
    )

    def line(heading: str, value: Callable[[dict[str, AreaRow]], str]) -> str:
        return f"| {heading} | {' | '.join(value(areas[preset]) for preset in presets)} |"

    def area_of(block: str) -> Callable[[dict[str, AreaRow]], str]:
        return lambda found: f"{found[block].area:,.0f}" if block in found else "-"

    return "\n".join(
        [
            f"| block | {' | '.join(presets)} |",
            f"|---{'|---:' * len(presets)}|",
            *(line(block, area_of(block)) for block in blocks),
            line("**total**", area_of("total")),
            line("shortest clock period, ns", lambda found: f"{found['total'].period_ns:.3f}"),
            line("cells", lambda found: f"{found['total'].cells:,}"),
            line("sequential", lambda found: f"{found['total'].sequential_area / found['total'].area:.0%}"),
            line("bits of memories, not in the area", lambda found: f"{found['total'].memory_bits:,}"),
        ]
    )


def _difference_table(moved: Sequence[tuple[AreaRow | None, AreaRow | None]]) -> Table:
    table = Table("preset", "block", box=SIMPLE_HEAD)
    for heading in ("area before", "after", "", "cells before", "after", "period before", "after"):
        table.add_column(heading, justify="right")
    for before, after in moved:
        row = after or before
        assert row is not None
        change = f"{after.area / before.area - 1:+.1%}" if before and after and before.area else ""
        areas = [f"{side.area:,.1f}" if side else "-" for side in (before, after)]
        cells = [f"{side.cells:,}" if side else "-" for side in (before, after)]
        periods = [f"{side.period_ns:.3f}" if side else "-" for side in (before, after)]
        table.add_row(row.preset, row.block, *areas, change, *cells, *periods)
    return table


@click.command()
@click.argument("presets", nargs=-1, metavar="[PRESET]...")
@click.option("--library", default="nangate45", show_default=True, help="Name of a known cell library.")
@click.option("--check", is_flag=True, help="Compare with the file and change nothing; status 1 if something moved.")
@click.option("--markdown", "only_print", is_flag=True, help="Print the file for a document, and measure nothing.")
@takes_pool
def main(pool: Pool, presets: tuple[str, ...], library: str, check: bool, only_print: bool) -> None:
    """Measure the areas of PRESETs (all by default), show what moved, and update synth/studies/areas.csv."""
    if only_print:
        click.echo(markdown(row for row in read() if row.library == library))
        return
    if unknown := sorted(set(presets) - set(preset_names())):
        raise click.ClickException(f"no preset {unknown[0]!r}; presets: {', '.join(preset_names())}")
    try:
        load_library(library)
    except LibraryError as error:
        raise click.ClickException(str(error)) from error
    presets = tuple(dict.fromkeys(presets)) or preset_names()
    known = read() if AREAS.exists() else []
    rows: dict[str, list[AreaRow]] = {}
    failed = None
    try:
        with pool.results(measure, {preset: (preset, library) for preset in presets}, "presets") as results:
            rows.update(results)
    except Failed as error:
        failed = error  # what the others gave is kept
    measured = [row for preset in presets for row in rows.get(preset, [])]
    kept = [row for row in known if row.library != library or row.preset not in rows]
    moved = difference(known, [*kept, *measured])
    console = Console()
    if moved:
        console.print(_difference_table(moved))
    elif rows:
        console.print(f"nothing moved: {', '.join(rows)} in {library}")
    if not check:
        write([*kept, *measured])
    if failed is not None:
        raise failed
    if check and moved:
        raise click.exceptions.Exit(1)


if __name__ == "__main__":
    from hamming.synth.studies import areas  # by its name, by which workers find it

    areas.main()
