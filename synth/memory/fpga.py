"""What the presets' memories become on FPGAs, kept in `synth/memory/fpga.csv` so that a change shows them moving.

`python -m hamming.synth.memory.fpga` maps them again and rewrites it, `--check` only compares, `--whole` compares with
whole designs in place of the memories by themselves.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

import click

from hamming.rtl.design import Design, load_design, preset_names
from hamming.rtl.engine import Engine
from hamming.rtl.manifest import manifest
from hamming.rtl.verilog import emit
from hamming.synth.yosys import process as yosys
from hamming.synth.yosys.memories import without_contents

__all__ = ["FAMILIES", "TABLE", "Family", "MemoryRow", "markdown", "measure", "measure_presets", "read", "write"]

#: The file in the repository.
TABLE = Path(__file__).with_name("fpga.csv")

#: What is left of a memory for which there is no RAM: flip-flops, or gates if nothing writes to it.
_UNMAPPED = "$mem_v2"


@dataclass(frozen=True, kw_only=True)
class Family:
    """FPGAs of one kind, as Yosys knows them.

    Attributes
    ----------
    title
        Its name for a reader.
    command
        Yosys' synthesis command, without a top module.
    label
        The part of that command that maps memories.
    block_ram, lut_ram
        Cells of the two kinds of RAM, as regular expressions of a whole name.
    """

    title: str
    command: str
    label: str
    block_ram: str
    lut_ram: str


FAMILIES = {
    "ecp5": Family(
        title="ECP5",
        command="synth_ecp5",
        label="map_ram",
        block_ram="DP16KD",
        lut_ram="TRELLIS_DPR16X4",
    ),
    "ice40": Family(
        title="iCE40",
        command="synth_ice40",
        label="map_ram",
        block_ram="SB_RAM40_4K.*",
        lut_ram="-",
    ),
    "gowin": Family(
        title="Gowin",
        command="synth_gowin",
        label="map_ram",
        block_ram="SDP[BX]9?B?",
        lut_ram="RAM16S.*",
    ),
    "xc7": Family(
        title="7-series",
        command="synth_xilinx -flatten",
        label="map_memory",
        block_ram="RAMB.*",
        lut_ram="RAM[0-9].*",
    ),
    "xc7-block": Family(
        title="7-series without LUT RAM",
        command="synth_xilinx -flatten -nolutram",
        label="map_memory",
        block_ram="RAMB.*",
        lut_ram="-",
    ),
}


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


def measure(design: Design, families: Iterable[str] = FAMILIES, *, whole: bool = False) -> list[MemoryRow]:
    """Map a design's memories, and return a row a memory and family.

    Yosys is told that nothing depends on a word that is read and written in one cycle (`no_rw_check`), as is the
    contract of `rtl.memory.DualPortMemory`: else it puts registers and a comparison beside each block RAM.

    Parameters
    ----------
    design
        The engine.
    families
        Of `FAMILIES`.
    whole
        Map the whole flattened design, by the family's own script up to its memories, which takes minutes for a large
        one; not the memories by themselves. `extra_bits` are 0 then: they cannot be told from the design's own.
    """
    name = design.config.name
    engine = Engine(design.spec, design.config)
    text = emit(engine, name)
    memories = {
        memory["name"]: (memory["depth"], memory["bits_a_word"])
        for memory in manifest(engine, text)["memories"]
        if memory["location"] == "internal"
    }
    if design.dimensions.fold > 1:
        kept_key = design.spec.index_bits + design.spec.matches_bits
        memories["replay.list"] = (max(2, design.spec.top_k), kept_key)
    text = without_contents(text)
    # A memory is a module of its own, but for the list, whose module has other things too.
    modules = {f"{name}.{memory.removesuffix('.list')}": memory for memory in memories}
    found: dict[str, Mapping[str, Counter[str]]] = {}
    with tempfile.TemporaryDirectory(prefix="hamming-") as folder_name:
        folder = Path(folder_name)
        source = text if whole else _only(modules, text)
        (folder / "design.v").write_text(source, encoding="utf-8")
        commands = ["read_verilog design.v", "setattr -set no_rw_check 1 */m:*"]
        commands += [] if whole else ["proc", "opt", "memory -nomap", "opt"]
        for key in families:
            family = FAMILIES[key]
            first = f"-top {name} -run begin" if whole else f"-run {family.label}"
            commands += [
                "design -push-copy",
                f"{family.command} {first}:map_ffram",
                f"select {' '.join([name] if whole else modules)}",
                f"write_json -selected {key}.json",
                "design -pop",
            ]
        yosys.run(commands, folder)
        for key in families:
            netlist = json.loads((folder / f"{key}.json").read_text(encoding="utf-8"))["modules"]
            found[key] = _in_whole(netlist[name], memories) if whole else _by_module(netlist, modules)
    return [
        MemoryRow(name, key, memory, depth, bits, *_kind(FAMILIES[key], cells[memory], depth * bits))
        for key, cells in found.items()
        for memory, (depth, bits) in memories.items()
    ]


def _only(modules: Iterable[str], text: str) -> str:
    """Return the named modules of a Verilog text alone."""
    found = dict(re.findall(r"^(?=module \\?(\S+?) ?\()(.*?^endmodule$)", text, re.MULTILINE | re.DOTALL))
    return "\n".join(found[module] for module in modules)


def _by_module(netlist: Mapping[str, Any], modules: Mapping[str, str]) -> dict[str, Counter[str]]:
    """Count each memory's cells, and bits of flip-flops, where it is a module; the list's module has others too."""
    found: dict[str, Counter[str]] = {}
    for module, memory in modules.items():
        found[memory] = cells = Counter()
        for cell in netlist[module]["cells"].values():
            if cell["type"].startswith(("$dff", "$sdff")):
                cells["extra"] += 0 if memory == "replay.list" else len(cell["connections"]["Q"])
            elif cell["type"] == _UNMAPPED or not cell["type"].startswith("$"):
                cells[cell["type"]] += 1
    return found


def _in_whole(module: Mapping[str, Any], memories: Iterable[str]) -> dict[str, Counter[str]]:
    """Count each memory's cells in a flattened design, where their names begin with the memory's."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for name, cell in module["cells"].items():
        is_ram = cell["type"] == _UNMAPPED or not cell["type"].startswith("$")
        for memory in memories:
            if is_ram and (name == memory or name.startswith(f"{memory}.")):
                found[memory][cell["type"]] += 1
    return found


def _kind(family: Family, cells: Counter[str], bits: int) -> tuple[str, str, int]:
    """Return a memory's kind, its cells in words, and the flip-flops beside them."""
    ram = {cell: count for cell, count in sorted(cells.items()) if cell != "extra"}
    words = ", ".join(f"{count} {cell}" for cell, count in ram.items())
    if any(re.fullmatch(family.block_ram, cell) for cell in ram):
        return "block RAM", words, cells["extra"]
    if any(re.fullmatch(family.lut_ram, cell) for cell in ram):
        return "LUT RAM", words, cells["extra"]
    if set(ram) != {_UNMAPPED}:
        raise yosys.SynthesisError(f"a memory became {words or 'nothing'} in {family.title}: no RAM that is known")
    return "registers", f"{bits} bits", cells["extra"]


def measure_presets(presets: Iterable[str], *, whole: bool = False) -> list[MemoryRow]:
    """Return the rows of presets, in their order."""
    return [row for preset in presets for row in measure(load_design(preset), whole=whole)]


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
    except yosys.SynthesisError as error:
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
