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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from golden.checks import require_bool, require_choice, require_int
from synth import cache as result_cache
from synth import yosys
from synth.library import Library
from synth.yosys import SynthesisError

__all__ = ["MAPPINGS", "AreaReport", "Block", "Figures", "Memory", "Progress", "SynthesisError", "synthesize"]

#: How arithmetic becomes cells: `abc` leaves all of it to ABC, `adders` puts the library's full-adder cell wherever
#: three bits are added to two, `ripple` does so in carry-propagate adders as well, which makes them slow. `auto` takes,
#: for each module, the smaller of `abc` and `adders`.
MAPPINGS = ("auto", "abc", "adders", "ripple")

#: ABC's commands: clean up, shrink (with the script known as compress2rs in the middle), collect alternatives, and map
#: for area. Timing plays no part. docs/synthesis.md compares it with Yosys' own script.
ABC_COMMANDS = (
    "strash; &get -n; &fraig -x; &put; dc2; "
    "balance -l; resub -K 6 -l; rewrite -l; resub -K 6 -N 2 -l; refactor -l; resub -K 8 -l; balance -l; "
    "resub -K 8 -N 2 -l; rewrite -l; resub -K 10 -l; rewrite -z -l; resub -K 10 -N 2 -l; balance -l; resub -K 12 -l; "
    "refactor -z -l; resub -K 12 -N 2 -l; rewrite -z -l; balance -l; "
    "dch -f; amap"
)

_MACRO = "$__memory_macro"
_FOLDER = Path(__file__).parent


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

    @property
    def sequential_share(self) -> float:
        """Share of the area that flip-flops and latches take, 0 to 1."""
        return self.sequential_area / self.area if self.area else 0.0


@dataclass(frozen=True, kw_only=True)
class Block(Figures):
    """A child of the top, with all that is inside it.

    Attributes
    ----------
    name
        The instance's name; `(top)` is what the top itself holds beside its children.
    mapping
        How its arithmetic was mapped; `mixed` where its modules differ.
    candidates
        Area under each mapping that was tried.
    """

    name: str
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
        Tool, flags and input. `script` is a Yosys script that ends with the figures of `total` and `flat`, to be run
        where the Verilog lies as `design.v`, the library as `cells.lib`, and the two Verilog files of `synth/`.
    """

    top: str
    library: Mapping[str, str]
    mapping: str
    total: Figures
    blocks: tuple[Block, ...]
    flat: Figures | None
    memories: tuple[Memory, ...]
    yosys_version: str
    abc_commands: str
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
        fields = {key: value for key, value in fields.items() if key not in ("format", "memory_bits")}
        return cls(
            **{
                **fields,
                "total": Figures(**fields["total"]),
                "blocks": tuple(Block(**block) for block in fields["blocks"]),
                "flat": Figures(**fields["flat"]) if fields["flat"] else None,
                "memories": tuple(Memory(**memory) for memory in fields["memories"]),
            }
        )


def synthesize(
    verilog: Path | str,
    *,
    top: str,
    library: Library,
    mapping: str = "auto",
    flat: bool = True,
    macro_bits: int = 0,
    abc_commands: str = ABC_COMMANDS,
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
        One of `MAPPINGS`: how arithmetic becomes cells.
    flat
        Whether to flatten the design too, for a second total.
    macro_bits
        Least bits of a memory for it to be a macro. A macro is written to, and each of its read ports is registered
        and does not see a write of the same cycle; every other storage becomes flip-flops.
    abc_commands
        What ABC does, from a netlist to mapped cells.
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
    request = {
        "verilog": hashlib.sha256(text.encode()).hexdigest(),
        "library": library.to_dict(),
        "options": [top, mapping, flat, macro_bits, abc_commands],
        "yosys": yosys.version(),
        "code": [hashlib.sha256(path.read_bytes()).hexdigest() for path in (Path(__file__), *_TECHMAPS)],
    }
    if cache and (known := result_cache.load("area", request)):
        return AreaReport.from_dict(known)
    with tempfile.TemporaryDirectory(prefix="hamming-") as name:
        folder = Path(name)
        (folder / "design.v").write_text(text, encoding="utf-8")
        (folder / "cells.lib").symlink_to(library.path)
        for techmap in _TECHMAPS:
            shutil.copy(techmap, folder)
        report = _Synthesis(folder, top, library, macro_bits, abc_commands, progress).report(
            mapping, flat, verilog_sha256=request["verilog"]
        )
    if cache:
        result_cache.store("area", request, report.to_dict())
    return report


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise SynthesisError(f"cannot read {str(path)!r}: {reason}") from error


_TECHMAPS = (_FOLDER / "full_adder.v", _FOLDER / "ripple_carry.v")

#: Share of the time that the steps take, for progress.
_ELABORATION, _MAPPING, _FLAT = 1.0, 2.0, 2.5


class _Synthesis:
    """One design in one folder, which holds `design.v` and `cells.lib`."""

    def __init__(
        self,
        folder: Path,
        top: str,
        library: Library,
        macro_bits: int,
        abc_commands: str,
        progress: Callable[[Progress], None] | None,
    ):
        self.folder = folder
        self.top = top
        self.library = library
        self.macro_bits = macro_bits
        self.abc_commands = abc_commands
        self.progress = progress
        self.work_done = 0.0
        self.work = 0.0

    def report(self, mapping: str, flat: bool, *, verilog_sha256: str) -> AreaReport:
        tried = ("abc", "adders") if mapping == "auto" else (mapping,)
        if self.library.full_adder is None:
            tried = ("abc",)
        self.work = _ELABORATION + _MAPPING * len(tried) + (_FLAT if flat else 0)

        elaborate = self._elaborate()
        self._run("elaborating", _ELABORATION, [*elaborate, "write_json design.json", "write_rtlil design.il"])
        design = self._json("design.json")
        modules = design["modules"]
        memories = self._memories(modules)
        macros = self._macros(memories)

        own: dict[str, dict[str, Counter[str]]] = {}
        for choice in tried:
            commands = [*macros, *self._arithmetic({name: choice for name in modules}), *self._map("blocks.json")]
            self._run(f"mapping ({choice})", _MAPPING, ["read_rtlil design.il", *commands])
            own[choice] = self._cells("blocks.json")
        chosen = {
            name: min(tried, key=lambda choice: self._area(own[choice].get(name, Counter()))) for name in modules
        }
        flat_figures = None
        arithmetic = self._arithmetic(chosen)
        if flat:
            commands = ["flatten", "opt -full", *self._map("flat.json")]
            self._run("flattening", _FLAT, ["read_rtlil design.il", *macros, *arithmetic, *commands])
            flat_figures = self._figures(self._cells("flat.json")[self.top])

        script = [*elaborate, *macros, *arithmetic]
        if flat:
            script += ["design -save gates", *self._map("blocks.json"), "design -load gates", "flatten", "opt -full"]
        script += self._map("flat.json" if flat else "blocks.json")
        return AreaReport(
            top=self.top,
            library=self.library.to_dict(),
            mapping=mapping,
            total=self._figures(self._with_children(self.top, {m: own[chosen[m]].get(m, Counter()) for m in modules})),
            blocks=self._blocks(modules, own, chosen),
            flat=flat_figures,
            memories=tuple(memory for _, memory in memories),
            yosys_version=design["creator"],
            abc_commands=self.abc_commands,
            script="\n".join(script) + "\n",
            verilog_sha256=verilog_sha256,
        )

    # Yosys commands.

    def _elaborate(self) -> list[str]:
        return [
            "read_verilog design.v",
            f"hierarchy -check -top {self.top}",
            "proc",
            # A flip-flop has no value before its reset.
            "setattr -unset init w:*",
            f"synth -noabc -top {self.top} -run begin:fine",
        ]

    def _macros(self, memories: Sequence[tuple[str, Memory]]) -> list[str]:
        """Make memories cells that no command knows, so that what is before and after them stays."""
        macros = [cell for cell, memory in memories if memory.is_macro]
        if not macros:
            return []
        return [
            f"select -set macros {' '.join(macros)}",
            "setattr -set keep 1 @macros",
            f"chtype -set {_MACRO} @macros",
        ]

    def _arithmetic(self, mappings: Mapping[str, str]) -> list[str]:
        """Put full-adder cells where they are wanted, and make gates of all that is left."""
        commands = []
        with_adders = [module for module, mapping in mappings.items() if mapping != "abc"]
        if with_adders:
            cell = self.library.full_adder
            assert cell is not None
            a, b, c = cell.inputs
            names = {"FA": cell.cell, "A": a, "B": b, "C": c, "TOTAL": cell.total, "CARRY": cell.carry}
            defines = " ".join(f"-D {name}={value}" for name, value in names.items())
            commands += [
                f"select -set adding {' '.join(with_adders)}",
                # Sums of several words become 3:2 compressors and one carry-propagate adder.
                "maccmap @adding",
                "opt @adding",
            ]
            with_ripple = [module for module, mapping in mappings.items() if mapping == "ripple"]
            if with_ripple:
                commands += [
                    f"select -set rippling {' '.join(with_ripple)}",
                    "techmap -map ripple_carry.v -map +/techmap.v @rippling t:$alu %i",
                ]
            # Other carry-propagate adders stay whole here, so that their prefix trees are not taken apart.
            commands += [
                "techmap @adding t:$fa %i",
                "select -set bitwise t:$and t:$or t:$xor t:$xnor t:$not",
                "simplemap @adding @bitwise %i",
                "opt -full @adding",
                "extract_fa -fa -ha @adding",
                "opt_clean @adding",
                f"techmap -map full_adder.v {defines} @adding t:$fa %i",
                "opt_clean @adding",
            ]
        return [*commands, f"synth -noabc -top {self.top} -run fine:check", "setattr -unset init w:*"]

    def _map(self, statistics: str) -> list[str]:
        abc_script = "+" + ";".join(command.strip().replace(" ", ",") for command in self.abc_commands.split(";"))
        return [
            "dfflibmap -liberty cells.lib",
            f"abc -liberty cells.lib -script {abc_script}",
            "opt_clean -purge",
            f"tee -q -o {statistics} stat -json",
        ]

    def _run(self, step: str, work: float, commands: Sequence[str]) -> None:
        weights = [10 if command.startswith("abc ") else 3 if command.startswith("synth ") else 1 for command in commands]

        def tell(number: int) -> None:
            if self.progress is not None:
                done = self.work_done + work * sum(weights[:number]) / sum(weights)
                self.progress(Progress(step, done / self.work))

        yosys.run(commands, self.folder, progress=tell)
        self.work_done += work

    # What Yosys says.

    def _json(self, name: str) -> dict[str, Any]:
        return json.loads((self.folder / name).read_text(encoding="utf-8"))

    def _memories(self, modules: Mapping[str, Any]) -> list[tuple[str, Memory]]:
        """Return each storage array's cell, as Yosys selects it, and what it is."""
        memories = []
        for path, module in _instances(modules, self.top):
            for name, cell in modules[module]["cells"].items():
                if cell["type"] != "$mem_v2":
                    continue
                parameters = cell["parameters"]
                depth, bits = (int(parameters[key], 2) for key in ("SIZE", "WIDTH"))
                if int(parameters["WR_PORTS"], 2) == 0:
                    continue  # a table: logic
                is_macro = (
                    "0" not in parameters["RD_CLK_ENABLE"]
                    and "1" not in parameters["RD_TRANSPARENCY_MASK"]
                    and depth * bits >= self.macro_bits
                )
                memory = Memory(
                    name=".".join((*path, _plain(parameters["MEMID"]))), depth=depth, bits_a_word=bits, is_macro=is_macro
                )
                memories.append((f"{module}/{name}", memory))
        return memories

    def _cells(self, name: str) -> dict[str, Counter[str]]:
        """Return each module's own cells, and its children, by type."""
        statistics = self._json(name)["modules"]
        modules = {module.removeprefix("\\"): Counter(found["num_cells_by_type"]) for module, found in statistics.items()}
        for module, cells in modules.items():
            del cells[_MACRO]
            for cell in cells:
                if cell not in self.library.areas and cell not in modules:
                    raise SynthesisError(
                        f"the library {self.library.name} has no cell for the {cell} in module {module}"
                    )
        return modules

    def _with_children(self, module: str, own: Mapping[str, Counter[str]]) -> Counter[str]:
        cells: Counter[str] = Counter()
        for cell, count in own[module].items():
            if cell in own:
                cells += Counter({name: n * count for name, n in self._with_children(cell, own).items()})
            else:
                cells[cell] += count
        return cells

    def _area(self, cells: Mapping[str, int]) -> float:
        return sum(self.library.areas.get(cell, 0.0) * count for cell, count in cells.items())

    def _figures(self, cells: Mapping[str, int]) -> Figures:
        stored = {cell: count for cell, count in cells.items() if cell in self.library.sequential}
        return Figures(
            area=round(self._area(cells), 6),
            cells=sum(cells.values()),
            sequential_area=round(self._area(stored), 6),
            cells_by_type=dict(sorted(cells.items())),
        )

    def _blocks(
        self, modules: Mapping[str, Any], own: Mapping[str, Mapping[str, Counter[str]]], chosen: Mapping[str, str]
    ) -> tuple[Block, ...]:
        mapped = {module: own[chosen[module]].get(module, Counter()) for module in modules}
        children = {
            _plain(name): cell["type"] for name, cell in modules[self.top]["cells"].items() if cell["type"] in modules
        }
        blocks = []
        for name, module in [*children.items(), ("(top)", self.top)]:
            inside = {m for _, m in _instances(modules, module)} if module != self.top else {module}

            def cells_under(mapping: Mapping[str, Counter[str]]) -> Counter[str]:
                cells = {m: mapping.get(m, Counter()) for m in inside}
                if module == self.top:
                    return Counter({cell: n for cell, n in cells[module].items() if cell not in modules})
                return self._with_children(module, cells)

            used = {chosen[m] for m in inside}
            figures = self._figures(cells_under(mapped))
            if figures.cells:
                blocks.append(
                    Block(
                        **{f.name: getattr(figures, f.name) for f in dataclasses.fields(figures)},
                        name=name,
                        mapping=used.pop() if len(used) == 1 else "mixed",
                        candidates={choice: round(self._area(cells_under(own[choice])), 6) for choice in own},
                    )
                )
        return tuple(sorted(blocks, key=lambda block: (-block.area, block.name)))


def _instances(
    modules: Mapping[str, Any], module: str, path: tuple[str, ...] = ()
) -> list[tuple[tuple[str, ...], str]]:
    """Return the path and the module of every instance below `module`, itself first."""
    found = [(path, module)]
    for name, cell in modules[module]["cells"].items():
        if cell["type"] in modules:
            found += _instances(modules, cell["type"], (*path, _plain(name)))
    return found


def _plain(name: str) -> str:
    """Drop what makes Amaranth's names unique."""
    return re.sub(r"\$\d+$", "", name.removeprefix("\\"))
