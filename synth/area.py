"""Area by block of a Verilog design, mapped onto a cell library by Yosys and ABC.

`synthesize` keeps the hierarchy, so that each block's area is its own, and puts the flattened design's figures beside
it. Memories are macros, whose bits are counted apart. docs/synthesis.md says what is in the figures and what is not.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from golden.checks import require_bool, require_choice, require_int
from synth import cache as result_cache
from synth import flow, yosys
from synth.flow import MAPPINGS
from synth.library import Library
from synth.yosys import SynthesisError

__all__ = ["MAPPINGS", "AreaReport", "Block", "Figures", "Memory", "Progress", "SynthesisError", "synthesize"]


class Progress(NamedTuple):
    """What is being done, and the share of the whole that is behind it (0 to 1)."""

    step: str
    done: float


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Cells and their area, in the library's unit; `sequential_area` is that of flip-flops and latches."""

    area: float
    cells: int
    sequential_area: float
    cells_by_type: Mapping[str, int] = field(repr=False)

    @classmethod
    def of(cls, cells: Mapping[str, int], library: Library) -> Figures:
        """Add up the cells that `cells` counts by type."""
        return cls(
            area=library.area(cells),
            cells=sum(cells.values()),
            sequential_area=library.area({cell: n for cell, n in cells.items() if cell in library.sequential}),
            cells_by_type=dict(sorted(cells.items())),
        )

    @property
    def sequential_share(self) -> float:
        """Share of the area that flip-flops and latches take, 0 to 1."""
        return self.sequential_area / self.area if self.area else 0.0


@dataclass(frozen=True, kw_only=True)
class Block:
    """A child of the top, with all that is inside it.

    Attributes
    ----------
    name
        The instance's name; `(top)` is what the top itself holds beside its children.
    figures
        Its cells.
    mapping
        How its arithmetic was mapped; `mixed` where its modules differ.
    candidates
        Area under each mapping that was tried.
    """

    name: str
    figures: Figures
    mapping: str
    candidates: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Memory:
    """A storage array: `bits = depth * bits_a_word`.

    One that is a `macro` has no area here; one that is not is made of flip-flops, and counted in its block.
    """

    name: str
    depth: int
    bits_a_word: int
    is_macro: bool

    @property
    def bits(self) -> int:
        """Bits that it stores."""
        return self.depth * self.bits_a_word


@dataclass(frozen=True, kw_only=True)
class AreaReport:
    """Area of a design, and all that is needed to find it again.

    Attributes
    ----------
    top
        Module.
    library
        `Library.to_dict()`.
    mapping
        As asked for.
    total
        The design with its hierarchy kept: the sum over `blocks`.
    blocks
        Children of the top that hold cells, largest first.
    flat
        The design flattened before ABC, None if it was not asked for.
    memories
        Storage arrays.
    yosys_version, abc_commands, script, verilog_sha256
        Tool, flags and input. `script` is a Yosys script that ends with the figures of `total` (in `blocks.json`) and
        `flat` (in `flat.json`); `synth.flow` names the files that it reads.
    """

    top: str
    library: Mapping[str, str]
    mapping: str
    total: Figures
    blocks: tuple[Block, ...]
    flat: Figures | None
    memories: tuple[Memory, ...]
    yosys_version: str
    abc_commands: str = field(repr=False)
    script: str = field(repr=False)
    verilog_sha256: str

    @property
    def memory_bits(self) -> int:
        """Bits of all memory macros."""
        return sum(memory.bits for memory in self.memories if memory.is_macro)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON types; `from_dict` is the inverse."""
        return {"format": 1, **dataclasses.asdict(self), "memory_bits": self.memory_bits}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> AreaReport:
        """Rebuild a report from `to_dict`'s result."""
        if fields.get("format") != 1:
            raise ValueError(f"an area report has format 1, not {fields.get('format')!r}")
        own = {key: value for key, value in fields.items() if key not in ("format", "memory_bits")}
        own["total"] = Figures(**fields["total"])
        own["blocks"] = tuple(Block(**{**block, "figures": Figures(**block["figures"])}) for block in fields["blocks"])
        own["flat"] = Figures(**fields["flat"]) if fields["flat"] else None
        own["memories"] = tuple(Memory(**memory) for memory in fields["memories"])
        return cls(**own)


def synthesize(
    verilog: Path | str,
    *,
    top: str,
    library: Library,
    mapping: str = "auto",
    flat: bool = True,
    macro_bits: int = 0,
    abc_commands: str = flow.ABC_COMMANDS,
    cache: bool = True,
    progress: Callable[[Progress], None] | None = None,
) -> AreaReport:
    """Map a design onto a cell library and report its area.

    Parameters
    ----------
    verilog
        Path of a Verilog file, or Verilog text.
    top
        Module to synthesize.
    library
        Cells to map onto.
    mapping
        One of `MAPPINGS`: how arithmetic becomes cells. A library without a full adder leaves only `abc`.
    flat
        Whether to flatten the design too, for a second total.
    macro_bits
        Least bits of a memory for it to be a macro. A macro is written to, and each of its read ports is registered
        and does not see a write of the same cycle; every other storage becomes flip-flops.
    abc_commands
        What ABC does, from gates to cells.
    cache
        Whether a result that is known may be taken from the cache, and a new one left there.
    progress
        Called as the work goes on.

    Raises
    ------
    TypeError, ValueError
        An argument has the wrong type or value.
    SynthesisError
        The file cannot be read, Yosys refuses the design, or the library lacks a kind of cell that it needs.
    """
    require_choice("mapping", mapping, MAPPINGS)
    require_bool("flat", flat)
    require_int("macro_bits", macro_bits, 0)
    if not re.fullmatch(r"[A-Za-z_][\w$.]*", top):
        raise ValueError(f"top must be the name of a module, not {top!r}")
    text = _read(verilog) if isinstance(verilog, Path) else verilog
    if "module" not in text:
        raise ValueError(f"verilog must be Verilog text or a Path, not {text[:80]!r}")
    request = {
        "verilog": hashlib.sha256(text.encode()).hexdigest(),
        "library": library.to_dict(),
        "options": [top, mapping, flat, macro_bits, abc_commands],
        "yosys": yosys.version(),
        "code": [_sha256(path) for path in (Path(__file__), Path(flow.__file__), *flow.FILES)],
    }
    if cache and (known := result_cache.load("area", request)):
        return AreaReport.from_dict(known)
    with tempfile.TemporaryDirectory(prefix="hamming-") as name:
        folder = Path(name)
        (folder / "design.v").write_text(text, encoding="utf-8")
        (folder / "cells.lib").symlink_to(library.path)
        for file in flow.FILES:
            shutil.copy(file, folder)
        report = _Synthesis(folder, top, library, abc_commands, progress).report(mapping, flat, macro_bits)
    if cache:
        result_cache.store("area", request, report.to_dict())
    return report


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise SynthesisError(f"cannot read {str(path)!r}: {reason}") from error


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


#: Parts of the work, by the time they take, for progress.
_ELABORATION, _MAPPING, _FLAT = 1.0, 2.0, 3.0


class _Synthesis:
    """One design, in a folder that holds the files of `synth.flow`."""

    def __init__(
        self,
        folder: Path,
        top: str,
        library: Library,
        abc_commands: str,
        progress: Callable[[Progress], None] | None,
    ):
        self.folder = folder
        self.top = top
        self.library = library
        self.abc_commands = abc_commands
        self.progress = progress
        self.work = self.work_done = 0.0

    def report(self, mapping: str, flat: bool, macro_bits: int) -> AreaReport:
        tried = ("abc", "adders") if mapping == "auto" else (mapping,)
        if self.library.full_adder is None:
            tried = ("abc",)
        self.work = _ELABORATION + _MAPPING * len(tried) + _FLAT * flat

        elaborate = flow.elaborate(self.top)
        look = ["write_rtlil design.il", "memory_dff", "write_json design.json"]
        self._run("elaborating", _ELABORATION, [*elaborate, *look])
        design = self._json("design.json")
        hierarchy = _Hierarchy(design["modules"])
        memories = _memories(design["modules"], hierarchy, self.top, macro_bits)
        macros = flow.set_memories_apart(cell for cell, memory in memories if memory.is_macro)

        cells = {}
        for choice in tried:
            gates = flow.to_gates(self.top, dict.fromkeys(hierarchy.modules, choice), self.library)
            mapped = flow.map_cells(self.abc_commands, "blocks.json")
            self._run(f"mapping ({choice})", _MAPPING, ["read_rtlil design.il", *macros, *gates, *mapped])
            cells[choice] = self._cells("blocks.json", hierarchy.modules)
        # Modules are mapped one by one, so that each may take its best.
        chosen = {
            module: min(tried, key=lambda choice, module=module: self.library.area(cells[choice][module]))
            for module in hierarchy.modules
        }

        flat_figures = None
        gates = flow.to_gates(self.top, chosen, self.library)
        script = [*elaborate, *macros, *gates, "design -save gates"]
        script += flow.map_cells(self.abc_commands, "blocks.json")
        if flat:
            flattened = ["flatten", "opt -full", *flow.map_cells(self.abc_commands, "flat.json")]
            self._run("flattening", _FLAT, ["read_rtlil design.il", *macros, *gates, *flattened])
            flat_figures = Figures.of(self._cells("flat.json", [self.top])[self.top], self.library)
            script += ["design -load gates", *flattened]
        return AreaReport(
            top=self.top,
            library=self.library.to_dict(),
            mapping=mapping,
            total=self._figures(hierarchy.below(self.top), cells, chosen),
            blocks=self._blocks(hierarchy, cells, chosen),
            flat=flat_figures,
            memories=tuple(memory for _, memory in memories),
            yosys_version=design["creator"],
            abc_commands=self.abc_commands,
            script="\n".join(script) + "\n",
            verilog_sha256=_sha256(self.folder / "design.v"),
        )

    def _run(self, step: str, work: float, commands: Sequence[str]) -> None:
        weights = [{"abc": 10, "synth": 3}.get(command.split()[0], 1) for command in commands]

        def tell(number: int) -> None:
            if self.progress is not None:
                done = self.work_done + work * sum(weights[:number]) / sum(weights)
                self.progress(Progress(step, done / self.work))

        yosys.run(commands, self.folder, progress=tell)
        self.work_done += work

    def _json(self, name: str) -> dict[str, Any]:
        return json.loads((self.folder / name).read_text(encoding="utf-8"))

    def _cells(self, statistics: str, modules: Sequence[str]) -> dict[str, Counter[str]]:
        """Return each module's own cells, by type: no macros, and not what its children hold."""
        counts = {name.removeprefix("\\"): found for name, found in self._json(statistics)["modules"].items()}
        cells = {}
        for module in modules:
            by_type = counts.get(module, {}).get("num_cells_by_type", {})
            cells[module] = Counter({c: n for c, n in by_type.items() if c != flow.MACRO and c not in modules})
            if unknown := sorted(set(cells[module]) - set(self.library.areas)):
                raise SynthesisError(f"the library {self.library.name} has no cell for {unknown[0]} in module {module}")
        return cells

    def _figures(
        self, part: Counter[str], cells: Mapping[str, Mapping[str, Counter[str]]], chosen: Mapping[str, str]
    ) -> Figures:
        """Add up the modules of `part`, each under the mapping chosen for it."""
        total: Counter[str] = Counter()
        for module, count in part.items():
            for cell, n in cells[chosen[module]][module].items():
                total[cell] += n * count
        return Figures.of(total, self.library)

    def _blocks(
        self, hierarchy: _Hierarchy, cells: Mapping[str, Mapping[str, Counter[str]]], chosen: Mapping[str, str]
    ) -> tuple[Block, ...]:
        parts = {name: hierarchy.below(module) for name, module in hierarchy.children[self.top].items()}
        blocks = []
        for name, part in (parts | {"(top)": Counter([self.top])}).items():
            used = {chosen[module] for module in part}
            block = Block(
                name=name,
                figures=self._figures(part, cells, chosen),
                mapping=used.pop() if len(used) == 1 else "mixed",
                candidates={choice: self._figures(part, cells, dict.fromkeys(part, choice)).area for choice in cells},
            )
            if block.figures.cells:
                blocks.append(block)
        return tuple(sorted(blocks, key=lambda block: (-block.figures.area, block.name)))


class _Hierarchy:
    """Which module holds which, by the JSON of Yosys' `write_json`."""

    def __init__(self, modules: Mapping[str, Any]):
        self.modules = tuple(modules)
        self.children = {
            name: {_plain(cell): found["type"] for cell, found in module["cells"].items() if found["type"] in modules}
            for name, module in modules.items()
        }

    def instances(self, module: str, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
        """Yield path and module of `module` and of every instance below it."""
        yield path, module
        for name, child in self.children[module].items():
            yield from self.instances(child, (*path, name))

    def below(self, module: str) -> Counter[str]:
        """Count the instances of each module in `module`, itself included."""
        return Counter(found for _, found in self.instances(module))


def _memories(modules: Mapping[str, Any], hierarchy: _Hierarchy, top: str, macro_bits: int) -> list[tuple[str, Memory]]:
    """Return each storage array's cell, as Yosys selects it, and what it is. A table that nobody writes is logic."""
    memories = []
    for path, module in hierarchy.instances(top):
        for name, cell in modules[module]["cells"].items():
            parameters = cell["parameters"]
            if cell["type"] != "$mem_v2" or "1" not in parameters["WR_PORTS"]:
                continue
            depth, bits_a_word = (int(parameters[key], 2) for key in ("SIZE", "WIDTH"))
            is_registered = "0" not in parameters["RD_CLK_ENABLE"]
            sees_writes = "1" in parameters["RD_TRANSPARENCY_MASK"]
            memory = Memory(
                name=".".join((*path, _plain(parameters["MEMID"]))),
                depth=depth,
                bits_a_word=bits_a_word,
                is_macro=is_registered and not sees_writes and depth * bits_a_word >= macro_bits,
            )
            memories.append((f"{module}/{name}", memory))
    return memories


def _plain(name: str) -> str:
    """Drop Verilog's mark of an escaped name, and the number by which Amaranth tells equal names apart."""
    return re.sub(r"\$\d+$", "", name.removeprefix("\\"))
