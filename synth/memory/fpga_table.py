"""What memories became on FPGAs, a row each, as the file in the repository and as a table for a document."""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from hamming.synth.memory.fpga_families import FAMILIES

__all__ = ["TABLE", "MemoryRow", "markdown", "read", "write"]

#: The file in the repository.
TABLE = Path(__file__).with_name("fpga.csv")


@dataclass(frozen=True)
class MemoryRow:
    """One memory of one preset in one family.

    `kind` is `block RAM`, `LUT RAM` or `registers`; `cells` names the cells and their numbers, and for registers is
    their number of bits. `extra_bits` are flip-flops that the mapping put beside the cells.
    """

    preset: str
    family: str
    memory: str
    words: int
    bits_a_word: int
    kind: str
    cells: str
    extra_bits: int


def read(path: Path = TABLE) -> list[MemoryRow]:
    """Return the rows of a file that `write` wrote."""
    names = [field.name for field in fields(MemoryRow)]
    numbers = {field.name for field in fields(MemoryRow) if field.type == "int"}
    with path.open(encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(file)
    named: list[dict[str, Any]] = [dict(zip(names, row, strict=True)) for row in rows]
    for row in named:
        row |= {name: int(row[name]) for name in numbers}
    return [MemoryRow(**row) for row in named]


def write(rows: Iterable[MemoryRow], path: Path = TABLE) -> None:
    """Write rows as CSV."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(field.name for field in fields(MemoryRow))
        writer.writerows(astuple(row) for row in rows)


def markdown(rows: Sequence[MemoryRow]) -> str:
    """Lay rows out for a document: memories down, families across; equal banks in one row."""
    families = list(dict.fromkeys(row.family for row in rows))
    by_memory: dict[tuple[str, str, int, int], dict[str, str]] = defaultdict(dict)
    numbers: Counter[tuple[str, str, int, int]] = Counter()
    for row in rows:
        key = (row.preset, re.sub(r"\d+$", "n", row.memory), row.words, row.bits_a_word)
        by_memory[key][row.family] = row.cells if row.kind != "registers" else f"registers, {row.cells}"
        numbers[key] += 1
    lines = [
        f"| preset | memory | words x bits | {' | '.join(FAMILIES[family].title for family in families)} |",
        f"|{'---|' * (3 + len(families))}",
    ]
    for (preset, memory, words, bits), cells in by_memory.items():
        number = numbers[preset, memory, words, bits] // len(families)
        name = f"`{memory}`" + (f", each of {number}" if number > 1 else "")
        places = " | ".join(cells[family] for family in families)
        lines.append(f"| `{preset}` | {name} | {words:,} x {bits:,} | {places} |")
    return "\n".join(lines)
