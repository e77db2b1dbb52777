"""Proof that the mapped netlist does what the Verilog says, module by module.

What a proof means, and what it leaves out, is in docs/synthesis.md.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hamming.synth.equivalence.circuit_builder import Unsupported
from hamming.synth.equivalence.circuits import ONE, ZERO, Circuit, with_definedness
from hamming.synth.equivalence.combinational import Difference, Pair
from hamming.synth.equivalence.correspondence import correspondence
from hamming.synth.equivalence.read_circuit import read_circuit
from hamming.synth.equivalence.report import EquivalenceReport, ModuleProof
from hamming.synth.library.liberty import load_cells
from hamming.synth.library.libraries import Library
from hamming.synth.mapping.area import Mapped
from hamming.synth.mapping.variants import Progress
from hamming.synth.yosys import process as yosys
from hamming.synth.yosys.memories import MACRO, without_contents

__all__ = ["prove"]

_TOP = "(top)"


def prove(
    verilog: str,
    mapped: Mapped,
    *,
    library: Library,
    seconds: int = 3600,
    progress: Callable[[Progress], None] | None = None,
) -> EquivalenceReport:
    """Prove each module of a netlist equal to that of the Verilog, or find a case in which they differ.

    The Verilog is read anew by Yosys, made gates without any optimisation, and set beside the netlist, whose cells do
    what Yosys' `read_liberty` says of them (clock gates: what their attributes say).

    Parameters
    ----------
    verilog
        The text that the netlist was made of.
    mapped
        Netlist, with the report of its area.
    library
        Its cells.
    seconds
        Most time for a module.
    progress
        Called before each module.

    Raises
    ------
    ValueError
        The netlist was made of another text or of other cells, or its area is not the report's.
    SynthesisError
        Yosys refuses the Verilog, or ABC fails.
    """
    report, modules = mapped.report, mapped.netlist["modules"]
    _check_origin(verilog, mapped, library)
    blocks = _blocks(report.top, modules)
    source, cells = _read(verilog, report.top, modules, library)
    if unknown := sorted(set(blocks) - set(source)):
        raise ValueError(f"the netlist has a module {unknown[0]}, which the Verilog has not")
    clock_gates = {name: cell for name, cell in load_cells(library).cells.items() if cell.kind == "clock_gate"}
    size = {name: 1 + len(modules[name]["cells"]) for name in blocks}
    done, proofs = 0, []
    for name, found in blocks.items():
        if progress is not None:
            progress(Progress(f"proving {name}", done / sum(size.values())))
        began = time.monotonic()
        facts: dict[str, Any]
        try:
            circuits = (
                read_circuit(name, source, cells, {}),
                read_circuit(name, modules, cells, clock_gates),
            )
            facts = _prove_module(*circuits, seconds)
        except Unsupported as error:
            facts = {"equal": None, "reason": str(error)}
        proofs.append(ModuleProof(module=name, blocks=found, seconds=time.monotonic() - began, **facts))
        done += size[name]
    return EquivalenceReport(
        top=report.top,
        verilog_sha256=report.verilog_sha256,
        library=report.library,
        yosys_version=report.yosys_version,
        modules=tuple(proofs),
    )


def _check_origin(verilog: str, mapped: Mapped, library: Library) -> None:
    """Make sure that Verilog, netlist, cells and area belong together."""
    report, modules = mapped.report, mapped.netlist["modules"]
    if hashlib.sha256(verilog.encode()).hexdigest() != report.verilog_sha256:
        raise ValueError(f"the netlist of {report.top} was made of another Verilog text: map this one")
    if library.sha256 != report.library["sha256"]:
        raise ValueError(f"the netlist of {report.top} was made of other cells than those of {library.name}")

    def count(module: str) -> Counter[str]:
        cells: Counter[str] = Counter()
        for cell in modules[module]["cells"].values():
            cells += count(cell["type"]) if cell["type"] in modules else Counter([cell["type"]])
        return cells

    counts = count(report.top)
    del counts[MACRO]
    if counts != Counter(report.total.cells_by_type):
        raise ValueError(f"the netlist of {report.top} has other cells than its area report counts")


def _blocks(top: str, modules: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the modules of a netlist, each with the top's children that hold it."""
    found: dict[str, dict[str, None]] = {}

    def visit(module: str, block: str) -> None:
        found.setdefault(module, {})[block] = None
        for name, cell in modules[module]["cells"].items():
            if cell["type"] in modules:
                visit(cell["type"], name if module == top else block)

    visit(top, _TOP)
    return {module: tuple(names) for module, names in found.items()}


def _read(verilog: str, top: str, mapped: Mapping[str, Any], library: Library) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the Verilog's modules as gates, and the library's cells."""
    macros = [
        f"{module}/{instance}"
        for module, found in mapped.items()
        for instance, cell in found["cells"].items()
        if cell["type"] == MACRO
    ]
    with tempfile.TemporaryDirectory(prefix="hamming-") as name:
        folder = Path(name)
        (folder / "design.v").write_text(without_contents(verilog), encoding="utf-8")
        (folder / "cells.lib").symlink_to(library.path)
        yosys.run(
            [
                "read_verilog design.v",
                f"hierarchy -check -top {top}",
                "proc -norom",
                "opt_clean",
                "memory_collect",
                *([f"chtype -set {MACRO} {' '.join(macros)}"] if macros else []),
                "memory_map",
                "techmap",
                "opt_clean",
                "write_json design.json",
                "design -reset",
                "read_liberty -ignore_miss_func -ignore_miss_dir -ignore_miss_data_latch cells.lib",
                "write_json cells.json",
            ],
            folder,
        )
        source, cells = (
            json.loads((folder / file).read_text(encoding="utf-8"))["modules"] for file in ("design.json", "cells.json")
        )
    return source, cells


def _prove_module(source: Circuit, mapped: Circuit, seconds: int) -> dict[str, Any]:
    """Return what a `ModuleProof` says of two circuits."""
    # What the netlist left out may do anything: nothing that is compared may depend on it.
    for instance, what in (mapped.children | mapped.memories).items():
        if (source.children | source.memories).get(instance) != what:
            return {"equal": False, "reason": f"instance {instance} is {what} in the netlist alone"}
    left_out = {*source.children, *source.memories} - {*mapped.children, *mapped.memories}
    outputs = {p: net for p, net in source.outputs.items() if p.rpartition(".")[0] not in left_out}
    if set(outputs) != set(mapped.outputs):
        different = sorted(set(outputs) ^ set(mapped.outputs))
        return {"equal": False, "reason": f"{different[0]} is in one of them alone"}

    match = correspondence(source, mapped)
    source, defined = with_definedness(source)
    pair = Pair(source, mapped)

    def compare(label: str, net: int, other: int) -> None:
        pair.compare(label, net, other, defined.get(net, ONE))

    for point in sorted({*source.inputs, *mapped.inputs}):
        variable = pair.variable(point)
        for side, circuit in enumerate((source, mapped)):
            if point in circuit.inputs:
                pair.assign(side, circuit.inputs[point], variable)
    for side, circuit in enumerate((source, mapped)):
        for net in circuit.undefined:
            pair.assign(side, net, pair.variable(f"x of net {net} of the {('Verilog', 'netlist')[side]}"))
    held_in: dict[int, int] = {}
    for held, register in mapped.registers.items():
        held_in[held] = pair.variable(f"flip-flop {_name(register.names)}")
        pair.assign(1, held, held_in[held])
    for point, net in outputs.items():
        compare(point, net, mapped.outputs[point])

    counts = Counter(registers=len(source.registers))
    initial: dict[int, int] = {ZERO: 0, ONE: 1}
    for held, register in source.registers.items():
        name = _name(register.names)
        if held not in match:
            pair.assign(0, held, pair.variable(f"register {name}"))
            continue
        other = match[held]
        if register.initial is not None and initial.setdefault(other, register.initial) != register.initial:
            return {"equal": False, "reason": f"register {name} starts with another value than what holds it"}
        if other in (ZERO, ONE):
            counts["constant"] += 1
            pair.assign_constant(0, held, other)
            compare(f"next {name}", register.next, other)
            continue
        partner = mapped.registers[other]
        if partner.clock != register.clock:
            return {"equal": False, "reason": f"register {name} is clocked by {partner.clock}, not {register.clock}"}
        counts["matched" if partner.names & register.names else "merged"] += 1
        pair.assign(0, held, held_in[other])
        compare(f"next {name}", register.next, partner.next)
    facts: dict[str, Any] = {**counts, "points": len(pair.points)}
    try:
        difference: Difference | None = pair.difference(seconds)
    except TimeoutError as error:
        return facts | {"equal": None, "reason": str(error)}
    return facts | {"equal": difference is None, "difference": difference, "guarded": len(pair.guarded)}


def _name(names: frozenset[tuple[str, int]]) -> str:
    name, place = min(names, key=lambda known: (known[0].startswith("$"), known), default=("without a name", 0))
    return f"{name}[{place}]"
