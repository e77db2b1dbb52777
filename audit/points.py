"""Points of code coverage: what Verilator counts in the emitted Verilog, read from the file that a run leaves."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["KINDS", "Point", "read_points"]

KINDS = ("line", "branch", "expr", "toggle")

#: A flag that Yosys writes into every combinational block, and that is never 1: it makes simulators run the block once.
START_FLAG = "$auto$verilog_backend"


@dataclass(frozen=True, kw_only=True)
class Point:
    """A line, a branch, a term of an expression or an edge of a signal's bit, and how often it was met.

    Attributes
    ----------
    module
        As the Verilog names it, without the engine's name: `selector`, or `engine` for the top module.
    kind
        One of `KINDS`.
    line
        Of the Verilog file, from 1 on.
    what
        The signal and its edge (`row[2]:0->1`), the values that make a term (`(a==1 && b==0) => 0`), the branch.
    source
        Text of the line.
    hits
        How often it was met.
    """

    module: str
    kind: str
    line: int
    what: str
    source: str
    hits: int

    @property
    def signal(self) -> str:
        """The signal of a toggle, with its bit."""
        return self.what.rpartition(":")[0]

    def __str__(self) -> str:
        """Module, kind, place and text, as a pattern of `explained.toml` sees them."""
        return f"{self.module} {self.kind} {self.what}"


def read_points(file: Path, verilog: str, top: str) -> list[Point]:
    """Read the points of the module under test.

    Left out are lines, branches and edges that are there for simulators alone (`START_FLAG`), and edges of the words
    that Yosys numbers (`$12`): parts of an expression, which has terms of its own and ends in a signal with a name.

    Parameters
    ----------
    file
        What a run left (`sim.runner.run`).
    verilog
        The text that was compiled.
    top
        Name of its top module.

    Raises
    ------
    ValueError
        A line of the file is none that Verilator writes.
    """
    source = verilog.splitlines()
    points = []
    for number, text in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if text.startswith("#"):
            continue
        found = re.fullmatch(r"C '(.*)' (\d+)", text)
        if not found:
            raise ValueError(f"{file}, line {number}: no point of coverage: {text[:80]!r}")
        fields = dict(item.split("\2", 1) for item in found[1].split("\1") if item)
        module = _decoded(fields["page"].partition("/")[2])
        line = int(fields["l"])
        point = Point(
            module="engine" if module == top else module.removeprefix(f"{top}."),
            kind=fields["t"],
            line=line,
            what=_decoded(fields["o"]),
            source=source[line - 1].strip(),
            hits=int(found[2]),
        )
        is_anonymous = point.kind == "toggle" and point.what.startswith("$")
        # The branch of the flag is empty, and its `else` is the block itself, which always runs.
        if START_FLAG not in point.source and not is_anonymous:
            points.append(point)
    return points


def _decoded(name: str) -> str:
    """Undo Verilator's way of writing characters that C++ does not allow in names."""
    return re.sub("__0([0-9A-Fa-f]{2})", lambda found: chr(int(found[1], 16)), name)
