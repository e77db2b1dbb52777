"""What is measured of one attention design: plain data. `comparison` sets several side by side.

Areas are in µm², energies in pJ a query (one query, all keys valid, back to back), times in ns, clocks in GHz.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hamming.synth.memory.sram import SramModel

__all__ = [
    "ROLES",
    "Accuracy",
    "BlockFigures",
    "Contrast",
    "DesignFigures",
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


_NOTHING = Energy(switching=0.0, internal=0.0, clock=0.0, leakage=0.0)


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


@dataclass(frozen=True, kw_only=True)
class DesignFigures:
    """One design.

    Attributes
    ----------
    key, title, kind
        Short name, name for tables, and `hamming` or `standard`.
    note
        What sets it apart from the first of its kind, and the price of that; empty for the first.
    spec, engine
        The two halves of its configuration.
    blocks, memories
        Its parts.
    timings, critical_path
        Least periods, the project's own first, and the path behind that one.
    cycles, cycles_by_formula, cycles_counted_over
        Cycles a query, back to back, as simulated; by formula; and queries simulated.
    energy_queries, glitch_share, contrast
        Queries behind the energy, the share of it that is glitches, and energies with other vectors.
    accuracy, verification
        Of its outputs.
    synthesis_seconds, peak_memory_mib
        What synthesis took.
    verilog_sha256
        Of what was synthesized.
    """

    key: str
    title: str
    kind: str
    note: str = ""
    spec: Mapping[str, Any] = field(default_factory=dict, repr=False)
    engine: Mapping[str, Any] = field(default_factory=dict, repr=False)
    blocks: tuple[BlockFigures, ...]
    memories: tuple[MemoryFigures, ...]
    timings: tuple[TimingFigures, ...] = ()
    critical_path: tuple[PathStep, ...] = ()
    cycles: float
    cycles_by_formula: float
    cycles_counted_over: int
    energy_queries: int
    glitch_share: float | None = None
    contrast: tuple[Contrast, ...] = ()
    accuracy: tuple[Accuracy, ...] = ()
    verification: Verification | None = None
    synthesis_seconds: float | None = None
    peak_memory_mib: float | None = None
    verilog_sha256: str = ""

    @property
    def area(self) -> float:
        """Area of the logic, memories out."""
        return sum(block.area for block in self.blocks)

    @property
    def sequential_area(self) -> float:
        """Area of the logic's flip-flops."""
        return sum(block.sequential_area for block in self.blocks)

    @property
    def cells(self) -> int:
        """Cells of the logic."""
        return sum(block.cells for block in self.blocks)

    @property
    def energy_by_cause(self) -> Energy:
        """Energy of the logic, memories out."""
        return sum((block.energy for block in self.blocks), _NOTHING)

    @property
    def energy(self) -> float:
        """Energy of the logic, memories out, in one figure."""
        return self.energy_by_cause.total

    @property
    def memory_area(self) -> float:
        """Area of the memories."""
        return sum(memory.area for memory in self.memories)

    @property
    def memory_energy(self) -> float:
        """Energy of the memories."""
        return sum(memory.energy for memory in self.memories)

    @property
    def memory_bits(self) -> int:
        """Bits of the memories."""
        return sum(memory.bits for memory in self.memories)

    @property
    def total_area(self) -> float:
        """Logic and memories."""
        return self.area + self.memory_area

    @property
    def total_energy(self) -> float:
        """Logic and memories."""
        return self.energy + self.memory_energy

    def role_area(self, role: str) -> float:
        """Area of the logic of a role."""
        return sum(block.area for block in self.blocks if block.role == role)

    def role_energy(self, role: str) -> float:
        """Energy of the logic of a role."""
        return sum(block.energy.total for block in self.blocks if block.role == role)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> DesignFigures:
        """Rebuild a design from its part of `Comparison.to_dict`."""
        parts = {
            "blocks": tuple(BlockFigures(**{**row, "energy": Energy(**row["energy"])}) for row in fields["blocks"]),
            "verification": Verification(**fields["verification"]) if fields["verification"] else None,
        }
        rows = {"memories": MemoryFigures, "timings": TimingFigures, "critical_path": PathStep}
        rows |= {"contrast": Contrast, "accuracy": Accuracy}
        parts |= {name: tuple(kind(**row) for row in fields[name]) for name, kind in rows.items()}
        return cls(**{**fields, **parts})
