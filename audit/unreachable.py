"""Points of coverage that no input can meet: proved by Yosys and ABC on the emitted Verilog, not claimed."""

from __future__ import annotations

import re
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from hamming.audit.points import START_FLAG, Point
from hamming.synth.yosys import abc
from hamming.synth.yosys import process as yosys

__all__ = ["stay_zero", "unreachable"]

_NAME = "audit_point_"

#: Frames that ABC looks at in the proof that induction alone does not give: no clock decides what is proved.
_FRAMES = 30

_COMMANDS = [
    "read_verilog points.v",
    "proc -norom",
    "flatten",
    "memory -nomap",
    "cutpoint t:$mem_v2",
    f"expose w:*{_NAME}*",
    "opt_clean",
    "async2sync",
    "dffunmap",
    "techmap",
    "opt -nodffe -nosdff",
    "dffunmap",
    "setundef -undriven -anyseq",
    "aigmap",
    "write_rtlil points.il",
    "write_aiger -zinit points.aig",
    "write_aiger -zinit -symbols named.aig",  # ABC does not read names of outputs that share a signal
]


def unreachable(verilog: str, top: str, points: Iterable[Point]) -> set[Point]:
    """Return those of the points that the engine cannot meet from power-up on, whatever its inputs do.

    A term is unreachable if its signals never have the values at once, a branch if its condition never holds, an edge
    if the bit never leaves the value it begins with. Each becomes an output of a netlist of the whole engine, whose
    memories may hold, and answer, anything; ABC's induction over equivalent signals (`scorr`) or property-directed
    reachability (`pdr`) shows that it stays 0. What is not proved within so
    many frames may be reachable.

    Parameters
    ----------
    verilog
        The emitted text.
    top
        Name of its top module.
    points
        Points that were not met. Lines are left alone.
    """
    conditions: dict[tuple[str, str], list[Point]] = defaultdict(list)
    points = list(points)
    edges = {(p.module, p.what) for p in points if p.kind == "toggle"}
    for point in points:
        if point.kind == "expr":
            conditions[point.module, _term(point.what)].append(point)
        elif point.kind == "branch" and (taken := _taken(point)):
            conditions[point.module, taken].append(point)
        elif point.kind == "toggle":
            # A bit that has never left 1 has risen once, when the simulation began.
            never_rose = (point.module, f"{point.signal}:0->1") in edges
            conditions[point.module, ("" if never_rose else "~") + _reference(point.signal)].append(point)
    keys = list(conditions)
    return {point for number in stay_zero(verilog, top, keys) for point in conditions[keys[number]]}


def stay_zero(verilog: str, top: str, conditions: Sequence[tuple[str, str]]) -> set[int]:
    """Return the places of those conditions that ABC proves to be 0 in every cycle of the engine.

    Parameters
    ----------
    verilog, top
        As of `unreachable`.
    conditions
        Each one's module, without the engine's name (`engine`: the top module), and Verilog over its wires.
    """
    if not conditions:
        return set()
    with tempfile.TemporaryDirectory(prefix="hamming-") as name:
        folder = Path(name)
        (folder / "points.v").write_text(_with_outputs(verilog, top, conditions), encoding="utf-8")
        yosys.run([*_COMMANDS[:1], f"hierarchy -top {top}", *_COMMANDS[1:]], folder)
        return _stay_zero(folder)


def _reference(signal: str) -> str:
    """Return Verilog for a signal, or a bit of it, as Verilator names it."""
    found = re.fullmatch(r"(.*?)(?:\[\d+:(\d+)\])?(?:\[(\d+)\])?", signal)
    assert found is not None
    name, low, bit = found.groups()
    place = "" if low is None and bit is None else f"[{int(low or 0) + int(bit or 0)}]"
    return f"\\{name} {place}"


def _term(what: str) -> str:
    """Return Verilog for `(a==1 && b[2]==0) => 1`: 1 where the signals have these values."""
    values = re.findall(r"([^\s()&|]+)==([01])", what)
    return " & ".join(f"{'' if value == '1' else '~'}({_reference(signal)})" for signal, value in values)


def _taken(point: Point) -> str:
    """Return Verilog that is 1 where a branch is taken; empty where its line does not say."""
    found = re.search(r"if \((.+)\) begin", point.source) or re.search(r"= *(\S+(?: *\[\d+\])?) *\?", point.source)
    if found is None or point.what.split("_")[-1] not in ("if", "then", "else"):
        return ""
    return f"{'~' if point.what.endswith('else') else ''}({found[1]} )"


def _with_outputs(verilog: str, top: str, conditions: Sequence[tuple[str, str]]) -> str:
    """Return the Verilog with a wire for each condition, in its module."""
    wires = defaultdict(list)
    for number, (module, condition) in enumerate(conditions):
        name = top if module == "engine" else f"{top}.{module}"
        wires[name].append(f"  (* keep *) wire {_NAME}{number} = {condition};")
    lines: list[str] = []
    module = ""
    for line in verilog.splitlines():
        if found := re.match(r"module \\?(\S+) *\(", line):
            module = found[1]
        if line.startswith("endmodule"):
            lines += wires[module]
        if START_FLAG in line:  # declared as a register that nothing drives
            line = re.sub(r"^( *)reg (\S+ *= 0;)", r"\1wire \2", line)
        lines.append(line)
    return "\n".join([*lines, ""])


def _stay_zero(folder: Path) -> set[int]:
    """Return the numbers of the outputs of `points.aig` that ABC proves to stay 0."""
    abc("&r points.aig; &scorr; &w reduced.aig", folder)
    # Yosys names no constants among the outputs.
    constant = re.findall(rf"connect \\\S*{_NAME}(\d+) 1'0\n", (folder / "points.il").read_text(encoding="utf-8"))
    # ABC keeps the order of the outputs, of which Yosys' file has the names.
    literals = outputs(folder / "reduced.aig")
    number_at = _numbers(folder / "named.aig")
    proved = {place for place in number_at if literals[place] == 0}
    rest = sorted(place for place in number_at if place not in proved)
    if rest:
        # Without the engine's own outputs, of which there is nothing to prove.
        alone = f"read reduced.aig; cone -N {','.join(map(str, rest))}; scleanup"
        said = abc(f"{alone}; pdr -a -v -F {_FRAMES}", folder)
        proved |= {rest[int(place)] for place in re.findall(r"Proved output +(\d+) in frame", said)}
    return {number for place, number in number_at.items() if place in proved} | {int(number) for number in constant}


def outputs(file: Path) -> list[int]:
    """Return the literals of the outputs of a binary AIGER file: 0 and 1 are constants."""
    header, _, rest = file.read_bytes().partition(b"\n")
    n_latches, n_outputs = (int(number) for number in header.split()[3:5])
    return [int(line) for line in rest.split(b"\n", n_latches + n_outputs)[n_latches : n_latches + n_outputs]]


def _numbers(file: Path) -> dict[int, int]:
    """Return the number of the point at each place among the outputs of a file with names."""
    found = re.findall(rf"\no(\d+) \S*{_NAME}(\d+)".encode(), file.read_bytes())
    return {int(place): int(number) for place, number in found}
