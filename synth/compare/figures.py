"""What is measured of a design's blocks, memories, paths and outputs: plain data, of which `DesignFigures` is made.

Areas are in µm², energies in pJ a query (one query, all keys valid, back to back), times in ns, clocks in GHz.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from hamming.synth.memory.sram import SramModel

__all__ = [
    "NOTHING",
    "ROLES",
    "Accuracy",
    "BlockFigures",
    "Contrast",
    "Energy",
    "MemoryFigures",
    "PathStep",
    "TimingFigures",
    "Verification",
]

#: What a block is for, in the order in which a query meets it. Blocks of one role stand side by side.
ROLES = ("keys", "scores", "selection", "softmax", "values", "weighted sum", "division", "control")


@dataclass(frozen=True, kw_only=True)
class Energy:
    """Energy of a query by cause.

    Attributes
    ----------
    switching
        Charging of nets: wires and the pins on them.
    internal
        Inside cells, for what their inputs and outputs do; without clock pins.
    clock
        Inside flip-flops and clock gates, for each edge of the clock.
    leakage
        What flows while the query takes its cycles.
    """

    switching: float
    internal: float
    clock: float
    leakage: float

    @property
    def total(self) -> float:
        """All four."""
        return self.switching + self.internal + self.clock + self.leakage

    def __add__(self, other: Energy) -> Energy:
        return Energy(**{name: value + getattr(other, name) for name, value in dataclasses.asdict(self).items()})


#: No energy.
NOTHING = Energy(switching=0.0, internal=0.0, clock=0.0, leakage=0.0)


@dataclass(frozen=True, kw_only=True)
class BlockFigures:
    """A child of the top, without memories: `role` is one of `ROLES`, `sequential_area` that of its flip-flops."""

    name: str
    role: str
    area: float
    sequential_area: float
    cells: int
    energy: Energy


@dataclass(frozen=True, kw_only=True)
class MemoryFigures:
    """A memory by `synth.memory.sram.SramModel`.

    Attributes
    ----------
    name, role
        The array's name, and one of `ROLES`.
    depth, width
        Words, and bits a word.
    reads, writes
        Words read and written a query; a share of a word that is written counts as that share.
    area, access_time
        µm², and ns from the clock to the word.
    read_energy, write_energy, leakage_energy
        pJ a query.
    """

    name: str
    role: str
    depth: int
    width: int
    reads: float
    writes: float
    area: float
    access_time: float
    read_energy: float
    write_energy: float
    leakage_energy: float

    @property
    def bits(self) -> int:
        """Bits that it stores."""
        return self.depth * self.width

    @property
    def energy(self) -> float:
        """All of it, pJ a query."""
        return self.read_energy + self.write_energy + self.leakage_energy

    @classmethod
    def of(
        cls,
        model: SramModel,
        *,
        name: str,
        role: str,
        depth: int,
        width: int,
        reads: float,
        writes: float,
        query_time: float,
        written: float = 1.0,
    ) -> MemoryFigures:
        """Ask the model: `writes` accesses write the share `written` of a word each; a query takes `query_time` ns."""
        return cls(
            name=name,
            role=role,
            depth=depth,
            width=width,
            reads=reads,
            writes=writes * written,
            area=model.area(depth, width),
            access_time=model.access_time(depth, width),
            read_energy=reads * model.read_energy(depth, width),
            write_energy=writes * model.write_energy(depth, width, fraction=written),
            leakage_energy=model.leakage(depth, width) * query_time,  # mW * ns = pJ
        )


@dataclass(frozen=True, kw_only=True)
class TimingFigures:
    """The least clock period by one tool, and under what assumptions."""

    tool: str
    period: float
    assumptions: str = ""

    @property
    def fmax(self) -> float:
        """GHz."""
        return 1.0 / self.period


@dataclass(frozen=True, kw_only=True)
class PathStep:
    """A step of the critical path: which cell, in which block, and when the signal leaves it."""

    block: str
    instance: str
    cell: str
    delay: float
    arrival: float


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Outputs against ideal attention: cosine similarity of output vectors, and root mean square of the error.

    `against` says what the ideal is, `data` on which queries; `rms_error` is relative to the ideal's root mean square.
    """

    against: str
    data: str
    mean_cosine: float
    worst_cosine: float
    rms_error: float | None = None


@dataclass(frozen=True, kw_only=True)
class Verification:
    """Queries that went through the gates, and how many of their outputs differed from the golden model's."""

    queries: int
    mismatches: int


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """Energy of a query, memories out, with other vectors."""

    vectors: str
    energy: float
