"""What the presets' memories become on FPGAs, kept in `synth/memory/fpga.csv` so that a change shows them moving.

`python -m hamming.synth.memory.fpga` maps them again and rewrites it, `--check` only compares, `--whole` compares with
whole designs in place of the memories by themselves.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import click

from hamming.rtl.design import load_design, preset_names
from hamming.synth.memory.fpga_mapping import measure
from hamming.synth.memory.fpga_table import TABLE, MemoryRow, markdown, read, write
from hamming.synth.yosys.process import SynthesisError

__all__ = ["measure_presets"]


def measure_presets(presets: Iterable[str], *, whole: bool = False) -> list[MemoryRow]:
    """Return the rows of presets, in their order."""
    return [row for preset in presets for row in measure(load_design(preset), whole=whole)]


@click.command()
@click.argument("presets", nargs=-1, metavar="[PRESET]...")
@click.option("--check", is_flag=True, help="Compare with the file and change nothing; status 1 if something moved.")
@click.option("--whole", is_flag=True, help="Compare with whole designs, not memories by themselves; minutes.")
@click.option("--markdown", "only_print", is_flag=True, help="Print the file for a document, and map nothing.")
def main(presets: tuple[str, ...], check: bool, whole: bool, only_print: bool) -> None:
    """Map the memories of PRESETs (all by default), say what moved, and update synth/memory/fpga.csv."""
    if only_print:
        click.echo(markdown(read()))
        return
    if unknown := sorted(set(presets) - set(preset_names())):
        raise click.ClickException(f"no preset {unknown[0]!r}; presets: {', '.join(preset_names())}")
    presets = presets or preset_names()
    known = read() if TABLE.exists() else []
    try:
        rows = measure_presets(presets, whole=whole)
    except SynthesisError as error:
        raise click.ClickException(str(error)) from error

    def by_memory(rows: Iterable[MemoryRow]) -> dict[tuple[str, str, str], MemoryRow]:
        changes = {"extra_bits": 0} if whole else {}
        return {(row.preset, row.family, row.memory): dataclasses.replace(row, **changes) for row in rows}

    before, after = by_memory(row for row in known if row.preset in presets), by_memory(rows)
    moved = [key for key in before | after if before.get(key) != after.get(key)]
    for key in moved:
        rows_of = (before.get(key), after.get(key))
        sides = [f"{row.kind}, {row.cells}, {row.extra_bits} more" if row else "-" for row in rows_of]
        click.echo(f"{' '.join(key)}: {' -> '.join(sides)}")
    if not moved:
        click.echo(f"nothing moved: {', '.join(presets)}")
    if not (check or whole):
        write(sorted([*(row for row in known if row.preset not in presets), *rows], key=lambda row: row.preset))
    elif moved:
        raise click.exceptions.Exit(1)


if __name__ == "__main__":
    main()
