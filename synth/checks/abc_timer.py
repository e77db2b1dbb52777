"""The same timing by ABC's own timer (`stime`), as a check on `synth.timing` and beside published figures.

ABC times networks of gates: `abc_network` makes one of the design, and this module runs ABC and reads what it says.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hamming.synth.checks.abc_network import AbcNetwork
from hamming.synth.library.cell_model import CellLibrary
from hamming.synth.library.libraries import Library
from hamming.synth.netlist.netlist import Netlist
from hamming.synth.timing.report import Environment
from hamming.synth.yosys import SynthesisError, abc

__all__ = ["AbcReport", "AbcStep", "time_with_abc"]


@dataclass(frozen=True)
class AbcStep:
    """A cell on ABC's slowest path; what stands for a flip-flop or an end is named after its cell and pin.

    `arrival` and `slew` are in ns, `load` in fF.
    """

    cell: str
    arrival: float
    slew: float
    load: float


@dataclass(frozen=True)
class AbcReport:
    """What ABC says.

    Attributes
    ----------
    period
        Shortest clock period, ns.
    end
        Where the slowest path ends, as in `synth.timing.report.TimingPath`.
    steps
        The slowest path.
    wire_load
        Name of the wire-load model that it used, None without.
    """

    period: float
    end: str
    steps: tuple[AbcStep, ...]
    wire_load: str | None

    @property
    def fmax(self) -> float:
        """Highest clock frequency, MHz."""
        return 1e3 / self.period


def time_with_abc(
    netlist: Netlist, cells: CellLibrary, library: Library, environment: Environment | None = None
) -> AbcReport:
    """Time a design as `synth.timing.analysis.time_design` does, by ABC.

    Raises
    ------
    ValueError
        The environment names a wire-load model that is not the library's default: ABC has no choice of it.
    SynthesisError
        ABC is not installed, or does not do what it is told.
    """
    environment = environment or Environment()
    model = cells.wire_load(environment.wire_load)
    if model is not None and model.name != cells.default_wire_load:
        raise ValueError(f"wire_load must be default or None for ABC, not {environment.wire_load!r}")
    network = AbcNetwork(netlist, cells, environment)
    commands = ["read_lib -w cells.lib", "read_lib -m around.lib"]
    if environment.driving_cell is not None:
        commands.append("read_constr design.constr")
    commands += ["read_blif design.blif", "topo", "stime -pc" if model else "stime -p"]
    with tempfile.TemporaryDirectory(prefix="hamming-") as name:
        folder = Path(name)
        (folder / "cells.lib").symlink_to(library.path)
        (folder / "around.lib").write_text(network.liberty(), encoding="utf-8")
        (folder / "design.blif").write_text(network.blif(), encoding="utf-8")
        constraint = f"set_driving_cell {environment.driving_cell}\nset_load 0.0\n"
        (folder / "design.constr").write_text(constraint, encoding="utf-8")
        log = abc("; ".join(commands), folder)
    return _report(log, network.ends)


_STEP = re.compile(
    r"^Path +\d+ -- +\d+ : +\d+ +\d+ (\S+) +A = *\S+ +D[rf] = *(\S+) +\S+ ps +S = *(\S+) ps "
    r"+Cin = *\S+ ff +Cout = *(\S+) ff",
    re.MULTILINE,
)


def _report(log: str, ends: list[str]) -> AbcReport:
    delay = re.search(r'WireLoad = "([^"]*)".*Delay = *(\S+) ps', log)
    end = re.search(r"End-point = po(\d+)", log)
    if delay is None or end is None:
        reason = next((line for line in log.splitlines() if "rror" in line or "annot" in line), "no delay")
        raise SynthesisError(f"ABC: {reason.strip()}", log[-20_000:])
    steps = tuple(AbcStep(cell, float(d) / 1e3, float(s) / 1e3, float(c)) for cell, d, s, c in _STEP.findall(log))
    wire_load = None if delay[1] == "none" else delay[1]
    return AbcReport(period=float(delay[2]) / 1e3, end=ends[int(end[1])], steps=steps, wire_load=wire_load)
