"""What is measured of one attention design: plain data. `comparison` sets several side by side.

Areas are in µm², energies in pJ a query (one query, all keys valid, back to back), times in ns, clocks in GHz.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hamming.synth.compare.figures import (
    NOTHING,
    Accuracy,
    BlockFigures,
    Contrast,
    Energy,
    MemoryFigures,
    PathStep,
    TimingFigures,
    Verification,
)

__all__ = ["DesignFigures"]


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
        return sum((block.energy for block in self.blocks), NOTHING)

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
