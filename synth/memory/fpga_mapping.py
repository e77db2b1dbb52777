"""Maps a design's memories for FPGAs by Yosys: a design and families in, a row for each memory and family out."""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hamming.rtl.design import Design
from hamming.rtl.engine import Engine
from hamming.rtl.manifest import manifest
from hamming.rtl.verilog import emit
from hamming.synth.memory.fpga_families import FAMILIES, Family
from hamming.synth.memory.fpga_table import MemoryRow
from hamming.synth.yosys import process as yosys
from hamming.synth.yosys.memories import without_contents

__all__ = ["measure"]

#: What is left of a memory for which there is no RAM: flip-flops, or gates if nothing writes to it.
_UNMAPPED = "$mem_v2"


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
