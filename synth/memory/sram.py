"""Area, energy, leakage and access time of on-chip memories in 45 nm: a formula for each, fitted to CACTI 7.0.

docs/memories.md says where the figures come from, how far the formulas are from them, and what they leave out.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import click

from hamming.golden.checks import require_choice, require_int
from hamming.synth.netlist.netlist import Netlist

__all__ = [
    "OUTSIDE",
    "PORTS",
    "Macros",
    "OutsidePoint",
    "Point",
    "SramModel",
    "errors",
    "markdown",
    "memory_delays",
    "points",
]

#: Ports of a memory: one to read and one to write, or one that does either.
PORTS = ("1r1w", "1rw")

#: Most bits a word of one macro; CACTI's figures are for macros up to here.
_MACRO_BITS = 64

#: CACTI's figures, as `cacti` made them.
_POINTS = Path(__file__).with_name("sram45.csv")

# Coefficients of the formulas in `SramModel`, by least squares of the relative error over the macros of `sram45.csv`
# that have these ports. A test fits them again.
_AREA = {"1r1w": (141.3, 12.53, 0.1508, 0.8156), "1rw": (69.98, 5.495, 0.08876, 0.3998)}
_READ = {"1r1w": (0.006181, 0.003955, 0.0009742), "1rw": (0.007921, 0.004417, 0.0006738)}
_WRITE = {"1r1w": (0.001954, 0.005775), "1rw": (0.004262, 0.004552)}
_LEAKAGE = {"1r1w": (0.01071, 9.205e-05), "1rw": (0.02015, 5.906e-05)}
_ACCESS = {"1r1w": (0.1416, 0.004738), "1rw": (0.1368, 0.003982)}


class Macros(NamedTuple):
    """The macros that a memory is made of: `count` of them share a word of `count * width` bits."""

    depth: int
    width: float
    count: int


class Point(NamedTuple):
    """One macro by CACTI: µm², pJ an access, mW, ns from the clock to the output."""

    ports: str
    depth: int
    width: int
    area_um2: float
    read_pj: float
    write_pj: float
    leakage_mw: float
    access_ns: float


class OutsidePoint(NamedTuple):
    """A published figure that the formulas were not fitted to: `quantity` is a method of `SramModel`."""

    source: str
    ports: str
    depth: int
    width: int
    quantity: str
    value: float


_FAKERAM = "fakeram45 (OpenROAD, from CACTI)"
_CACHE = "Horowitz, ISSCC 2014, a cache"

#: What others publish for 45 nm. CAMformer's key memory is 40 nm, and 8 KB by what it must hold.
OUTSIDE = (
    OutsidePoint("CAMformer's key memory (CACTI, 40 nm)", "1rw", 1024, 64, "area", 27728.6),
    OutsidePoint(_FAKERAM, "1rw", 64, 7, "area", 387.296),
    OutsidePoint(_FAKERAM, "1rw", 512, 64, "area", 17301.438),
    OutsidePoint(_FAKERAM, "1rw", 2048, 39, "area", 45478.818),
    OutsidePoint(_FAKERAM, "1rw", 64, 7, "access_time", 0.164),
    OutsidePoint(_FAKERAM, "1rw", 512, 64, "access_time", 0.305),
    OutsidePoint(_FAKERAM, "1rw", 2048, 39, "access_time", 0.435),
    OutsidePoint(_CACHE, "1rw", 1024, 64, "read_energy", 10.0),
    OutsidePoint(_CACHE, "1rw", 4096, 64, "read_energy", 20.0),
)


@dataclass(frozen=True, kw_only=True)
class SramModel:
    """Memories of `depth` words of `width` bits, synchronous, in 45 nm at 1.1 V and 300 K.

    A word wider than 64 bits lies in several macros side by side, equally wide. For a macro of `d` words of `w` bits,
    with coefficients for its ports:

    - area = a0 + a1 w + a2 d + a3 w d
    - energy of a read = r0 w + (r1 + r2 w) d**0.65
    - energy of a write = w (w0 + w1 d**0.45)
    - leakage = l0 + l1 (w d)**0.85
    - access time = t0 + t1 (w d)**0.4

    CACTI's figures are for 512 bits and up, and 32 to 16,384 words. Below, the formulas go towards a0, l0 and t0.

    Parameters
    ----------
    ports
        One of `PORTS`. Both designs of a comparison have `1r1w`: rows are loaded while queries are answered.

    Raises
    ------
    TypeError, ValueError
        `ports` is not one of `PORTS`; in the methods, `depth` or `width` is not an integer of at least 1.
    """

    ports: str = "1r1w"

    def __post_init__(self):
        require_choice("ports", self.ports, PORTS)

    def macros(self, depth: int, width: int) -> Macros:
        """Return the macros that a memory is made of."""
        require_int("depth", depth, 1)
        require_int("width", width, 1)
        count = -(-width // _MACRO_BITS)
        return Macros(depth, width / count, count)

    def area(self, depth: int, width: int) -> float:
        """Return the area in µm²."""
        macro = self.macros(depth, width)
        a0, a1, a2, a3 = _AREA[self.ports]
        each = a0 + a1 * macro.width + a2 * macro.depth + a3 * macro.width * macro.depth
        return each * macro.count

    def read_energy(self, depth: int, width: int) -> float:
        """Return the energy of reading a word, in pJ."""
        macro = self.macros(depth, width)
        return self._read(macro) * macro.count

    def write_energy(self, depth: int, width: int, *, fraction: float = 1.0) -> float:
        """Return the energy of writing a word, or the share of it that lane enables let through, in pJ.

        Macros that hold none of the written lanes rest. In the others the bits that are not written are read, since
        their bit lines move with the word line: lanes are taken to lie in as few macros as they can.

        Raises
        ------
        ValueError
            `fraction` is not above 0 and at most 1.
        """
        macro = self.macros(depth, width)
        if not 0 < fraction <= 1:
            raise ValueError(f"fraction must be above 0 and at most 1, not {fraction!r}")
        written = fraction * macro.count
        awake = math.ceil(written - 1e-9)
        w0, w1 = _WRITE[self.ports]
        write = macro.width * (w0 + w1 * macro.depth**0.45)
        return written * write + (awake - written) * self._read(macro)

    def leakage(self, depth: int, width: int) -> float:
        """Return the power that flows whether there is an access or not, in mW."""
        macro = self.macros(depth, width)
        l0, l1 = _LEAKAGE[self.ports]
        return (l0 + l1 * (macro.width * macro.depth) ** 0.85) * macro.count

    def access_time(self, depth: int, width: int) -> float:
        """Return the time from the clock edge to the word at the output, in ns."""
        macro = self.macros(depth, width)
        t0, t1 = _ACCESS[self.ports]
        return t0 + t1 * (macro.width * macro.depth) ** 0.4

    def to_dict(self) -> dict[str, Any]:
        """Return what a report states of the model."""
        names: Mapping[str, Any] = {"area": _AREA, "read": _READ, "write": _WRITE}
        names |= {"leakage": _LEAKAGE, "access": _ACCESS}
        return {
            "source": "CACTI 7.0, 45 nm, ITRS-LSTP cells, ITRS-HP periphery, 300 K; docs/memories.md",
            "ports": self.ports,
            "coefficients": {name: list(by_ports[self.ports]) for name, by_ports in names.items()},
        }

    def _read(self, macro: Macros) -> float:
        r0, r1, r2 = _READ[self.ports]
        return r0 * macro.width + (r1 + r2 * macro.width) * macro.depth**0.65


def memory_delays(netlist: Netlist, model: SramModel | None = None) -> dict[str, float]:
    """Return the access time (ns) of each memory of a netlist, the `memory_delays` of a timing analysis."""
    model = model or SramModel()
    return {macro.name: model.access_time(macro.depth, macro.width) for macro in netlist.macros}


def points(ports: str) -> list[Point]:
    """Return CACTI's macros with these ports."""
    require_choice("ports", ports, PORTS)
    with _POINTS.open(encoding="utf-8", newline="") as file:
        return [
            Point(ports, int(row["depth"]), int(row["width"]), *(float(row[name]) for name in Point._fields[3:]))
            for row in csv.DictReader(file)
            if row["ports"] == ports
        ]


def errors(ports: str) -> dict[str, list[float]]:
    """Return each formula's relative errors against CACTI's macros, by its method's name."""
    model, columns = SramModel(ports=ports), {name: Point._fields.index(column) for name, column in _COLUMN_OF.items()}
    return {
        name: [getattr(model, name)(point.depth, point.width) / point[column] - 1 for point in points(ports)]
        for name, column in columns.items()
    }


_COLUMN_OF = {
    "area": "area_um2",
    "read_energy": "read_pj",
    "write_energy": "write_pj",
    "leakage": "leakage_mw",
    "access_time": "access_ns",
}

_UNIT_OF = {"area": "µm²", "read_energy": "pJ", "access_time": "ns"}


def markdown() -> str:
    """Lay out, for a document, how far the formulas are from CACTI, and from what others publish."""
    lines = ["| ports | formula | root mean square | from | to |", "|---|---|---:|---:|---:|"]
    for ports in PORTS:
        for name, found in errors(ports).items():
            square = math.sqrt(sum(error**2 for error in found) / len(found))
            label = name.replace("_", " ")
            lines.append(f"| {ports} | {label} | {square:.0%} | {min(found):+.0%} | {max(found):+.0%} |")
    lines += ["", "| published | words x bits | quantity | published | formula | |", "|---|---|---|---:|---:|---:|"]
    for point in OUTSIDE:
        found = getattr(SramModel(ports=point.ports), point.quantity)(point.depth, point.width)
        shown = [f"{value:,.{0 if value >= 100 else 3}f} {_UNIT_OF[point.quantity]}" for value in (point.value, found)]
        lines.append(
            f"| {point.source} | {point.depth:,} x {point.width} | {point.quantity.replace('_', ' ')} "
            f"| {shown[0]} | {shown[1]} | {found / point.value - 1:+.0%} |"
        )
    return "\n".join(lines)


@click.command()
def main() -> None:
    """Print the tables that docs/memories.md shows: the model beside CACTI, and beside figures of others."""
    print(markdown())


if __name__ == "__main__":
    main()
