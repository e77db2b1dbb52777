"""The work of `area`: each module mapped in several ways, and the best of each put together."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hamming.synth.library.liberty import load_cells
from hamming.synth.library.libraries import Library
from hamming.synth.mapping import flow
from hamming.synth.mapping.buffers import with_buffers
from hamming.synth.mapping.chains import without_chains
from hamming.synth.mapping.report import AreaReport, Block, Figures, Memory
from hamming.synth.memory.sram import memory_delays
from hamming.synth.netlist.flattening import flatten
from hamming.synth.timing.analysis import TimingReport, time_design
from hamming.synth.timing.report import Environment
from hamming.synth.yosys import process as yosys
from hamming.synth.yosys.memories import MACRO, set_memories_apart
from hamming.synth.yosys.process import SynthesisError

__all__ = ["Progress", "Synthesis"]

#: Mark of a way to map that minds delay first.
_FAST = " fast"


class Progress(NamedTuple):
    """What is being done, and the share of the whole that is behind it (0 to 1)."""

    step: str
    done: float


#: Parts of the work, by the time they take, for progress.
_ELABORATION, _MAPPING, _FLAT = 1.0, 2.0, 3.0


class Synthesis:
    """One design, in a folder that holds the files of `synth.mapping.flow`; the parameters are those of `area`."""

    def __init__(
        self,
        folder: Path,
        top: str,
        library: Library,
        settings: Mapping[str, Any],
        abc_commands: str,
        progress: Callable[[Progress], None] | None,
    ):
        self.folder = folder
        self.top = top
        self.library = library
        self.settings = settings
        self.abc_commands = abc_commands
        self.macros: list[str] = []
        self.cells: dict[str, dict[str, Counter[str]]] = {}  # by way to map, then module
        self.netlists: dict[str, dict[str, Any]] = {}
        self.chosen: dict[str, str] = {}  # way to map each module
        self.has_chains = True  # of buffers: what they cost matters only where the clock is missed
        self.progress = progress
        self.work = self.work_done = 0.0

    def report(self, flat: bool, macro_bits: int, verilog_sha256: str) -> AreaReport:
        """Map the design and return its area; `verilog_sha256` is of the text that the user has."""
        mapping, clock_ns = self.settings["mapping"], self.settings["clock_ns"]
        tried = ["abc", "adders"] if mapping == "auto" else [mapping]
        if self.library.full_adder is None:
            tried = ["abc"]
        self.work = _ELABORATION + _MAPPING * len(tried) * (1 if clock_ns is None else 2) + _FLAT * flat

        elaborate = flow.elaborate(self.top)
        look = ["write_rtlil design.il", "memory_dff", "write_json design.json"]
        self._run("elaborating", _ELABORATION, [*elaborate, *look])
        design = self._json("design.json")
        self.hierarchy = hierarchy = _Hierarchy(design["modules"])
        memories = _memories(design["modules"], hierarchy, self.top, macro_bits)
        self.macros = set_memories_apart(cell for cell, memory in memories if memory.is_macro)

        for choice in tried:
            self._map(choice)
        # Modules are mapped one by one, so that each may take its best.
        self.chosen = {module: self._larger(module)[0] for module in hierarchy.modules}
        if clock_ns is not None and not self._is_fast_enough():
            for choice in tried:
                self._map(choice + _FAST)
            smallest = dict(self.chosen)
            self._enlarge()
            if not self._is_fast_enough():
                self.has_chains, self.chosen = False, smallest
                self._enlarge()

        final = self._counts(self.netlist()["modules"])
        flat_figures = None
        gates = self._to_gates(self.chosen)
        script = [*elaborate, *self.macros, *gates, "design -save gates"]
        script += self._map_cells("blocks.json", self.chosen)
        if flat:
            # `opt -full` may leave multiplexers of words again.
            flattened = ["flatten", "opt -full", "simplemap", *self._map_cells("flat.json", {})]
            commands = ["read_rtlil design.il", *self.macros, *gates, *flattened, "write_json netlist.json"]
            self._run("flattening", _FLAT, commands)
            cells = self._counts({self.top: self._json("netlist.json")["modules"][self.top]})
            flat_figures = Figures.of(cells[self.top], self.library)
            script += ["design -load gates", *flattened]
        return AreaReport(
            top=self.top,
            library=self.library.to_dict(),
            **self.settings,
            total=self._figures(hierarchy.below(self.top), final),
            blocks=self._blocks(final),
            flat=flat_figures,
            memories=tuple(memory for _, memory in memories),
            yosys_version=design["creator"],
            abc_commands=self.abc_commands,
            script="\n".join(script) + "\n",
            verilog_sha256=verilog_sha256,
        )

    def netlist(self) -> dict[str, Any]:
        """Return the modules in cells, each as it was chosen, with buffers if there is a clock."""
        modules = {module: self.netlists[choice]["modules"][module] for module, choice in self.chosen.items()}
        design = {"creator": next(iter(self.netlists.values()))["creator"], "modules": modules}
        if self.settings["clock_ns"] is None:
            return design
        cells = load_cells(self.library)
        return with_buffers(design if self.has_chains else without_chains(design, cells), self.top, cells)

    def _map(self, choice: str) -> None:
        """Map all modules in one way."""
        choices = dict.fromkeys(self.hierarchy.modules, choice)
        mapped = [*self._to_gates(choices), *self._map_cells("blocks.json", choices), "write_json netlist.json"]
        self._run(f"mapping ({choice})", _MAPPING, ["read_rtlil design.il", *self.macros, *mapped])
        self.netlists[choice] = self._json("netlist.json")
        self.cells[choice] = self._counts(self.netlists[choice]["modules"])

    def _larger(self, module: str) -> list[str]:
        """Return the ways to map a module that are larger than the chosen one (all, if none is), smallest first."""
        order = sorted(self.cells, key=lambda choice: (self.library.area(self.cells[choice][module]), choice))
        return order[order.index(self.chosen[module]) + 1 :] if module in self.chosen else order

    def _timing(self) -> TimingReport:
        cells = load_cells(self.library)
        netlist = flatten(self.netlist(), self.top, cells)
        return time_design(netlist, cells, Environment(memory_delays=memory_delays(netlist)))

    def _is_fast_enough(self) -> bool:
        return self._timing().period <= self.settings["clock_ns"]

    def _enlarge(self) -> None:
        """Take larger ways to map where paths are too long, until none is, or there is nothing larger."""
        while slow := self._slow_modules():
            self.chosen |= {module: ways[0] for module in slow if (ways := self._larger(module))}

    def _slow_modules(self) -> set[str]:
        """Return modules to enlarge: of each path longer than the clock period, the one where most time goes."""
        slow: set[str] = set()
        for path in self._timing().paths:
            if path.period <= self.settings["clock_ns"]:
                continue
            delays: dict[str, float] = {}
            for step in path.steps:
                module = self.hierarchy.module_of(self.top, step.instance)
                delays[module] = delays.get(module, 0.0) + step.delay
            slow.update(
                next(([module] for module in sorted(delays, key=lambda m: -delays[m]) if self._larger(module)), ())
            )
        return slow

    def _to_gates(self, choices: Mapping[str, str]) -> list[str]:
        mappings = {module: choice.removesuffix(_FAST) for module, choice in choices.items()}
        return flow.to_gates(self.top, mappings, self.library)

    def _map_cells(self, statistics: str, choices: Mapping[str, str]) -> list[str]:
        timing = {name: self.settings[name] for name in ("clock_ns", "clock_gating")}
        fast = [module for module, choice in choices.items() if choice.endswith(_FAST)]
        return flow.map_cells(self.abc_commands, statistics, library=self.library, fast=fast, **timing)

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

    def _counts(self, modules: Mapping[str, Any]) -> dict[str, Counter[str]]:
        """Return each module's own cells, by type: no macros, and not what its children hold."""
        counts = {}
        for name in self.hierarchy.modules:
            found = Counter(cell["type"] for cell in modules.get(name, {"cells": {}})["cells"].values())
            counts[name] = Counter({c: n for c, n in found.items() if c != MACRO and c not in modules})
            if unknown := sorted(set(counts[name]) - set(self.library.areas)):
                raise SynthesisError(f"the library {self.library.name} has no cell for {unknown[0]} in module {name}")
        return counts

    def _figures(self, part: Counter[str], cells: Mapping[str, Counter[str]]) -> Figures:
        """Add up the cells of the modules of `part`."""
        total: Counter[str] = Counter()
        for module, count in part.items():
            for cell, n in cells[module].items():
                total[cell] += n * count
        return Figures.of(total, self.library)

    def _blocks(self, cells: Mapping[str, Counter[str]]) -> tuple[Block, ...]:
        children = self.hierarchy.children[self.top]
        parts = {name: self.hierarchy.below(module) for name, module in children.items()}
        blocks = []
        for name, part in (parts | {"(top)": Counter([self.top])}).items():
            used = {self.chosen[module] for module in part}
            block = Block(
                name=name,
                figures=self._figures(part, cells),
                mapping=used.pop() if len(used) == 1 else "mixed",
                candidates={choice: self._figures(part, self.cells[choice]).area for choice in self.cells},
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

    def module_of(self, top: str, instance: str) -> str:
        """Return the module that holds a cell of `top`, by the cell's name in the hierarchy."""
        for part in map(_plain, instance.split(".")):
            if part not in self.children[top]:
                break
            top = self.children[top][part]
        return top

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
