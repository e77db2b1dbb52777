"""What synthesis finds: cells and area by block, and all that is needed to find them again. `area` makes it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hamming.synth.library.libraries import Library

__all__ = ["AreaReport", "Block", "Figures", "Memory"]


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Cells and their area, in the library's unit; `sequential_area` is that of flip-flops and latches."""

    area: float
    cells: int
    sequential_area: float
    cells_by_type: Mapping[str, int] = field(repr=False)

    @classmethod
    def of(cls, cells: Mapping[str, int], library: Library) -> Figures:
        """Add up the cells that `cells` counts by type."""
        return cls(
            area=library.area(cells),
            cells=sum(cells.values()),
            sequential_area=library.area({cell: n for cell, n in cells.items() if cell in library.sequential}),
            cells_by_type=dict(sorted(cells.items())),
        )

    @property
    def sequential_share(self) -> float:
        """Share of the area that flip-flops and latches take, 0 to 1."""
        return self.sequential_area / self.area if self.area else 0.0


@dataclass(frozen=True, kw_only=True)
class Block:
    """A child of the top, with all that is inside it.

    Attributes
    ----------
    name
        The instance's name; `(top)` is what the top itself holds beside its children.
    figures
        Its cells.
    mapping
        How its arithmetic was mapped; `mixed` where its modules differ.
    candidates
        Area under each mapping that was tried.
    """

    name: str
    figures: Figures
    mapping: str
    candidates: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Memory:
    """A storage array: `bits = depth * bits_a_word`.

    One that is a `macro` has no area here; one that is not is made of flip-flops, and counted in its block.
    """

    name: str
    depth: int
    bits_a_word: int
    is_macro: bool

    @property
    def bits(self) -> int:
        """Bits that it stores."""
        return self.depth * self.bits_a_word


@dataclass(frozen=True, kw_only=True)
class AreaReport:
    """Area of a design, and all that is needed to find it again.

    Attributes
    ----------
    top
        Module.
    library
        `Library.to_dict()`.
    mapping, clock_ns, clock_gating
        As asked for.
    total
        The design with its hierarchy kept: the sum over `blocks`.
    blocks
        Children of the top that hold cells, largest first.
    flat
        The design flattened before ABC, None if it was not asked for.
    memories
        Storage arrays.
    yosys_version, abc_commands, script, verilog_sha256
        Tool, flags and input. `script` is a Yosys script that ends with the figures of `total` (in `blocks.json`) and
        `flat` (in `flat.json`); `synth.mapping.flow` names the files that it reads.
    """

    top: str
    library: Mapping[str, str]
    mapping: str
    clock_ns: float | None
    clock_gating: bool
    total: Figures
    blocks: tuple[Block, ...]
    flat: Figures | None
    memories: tuple[Memory, ...]
    yosys_version: str
    abc_commands: str = field(repr=False)
    script: str = field(repr=False)
    verilog_sha256: str

    @property
    def memory_bits(self) -> int:
        """Bits of all memory macros."""
        return sum(memory.bits for memory in self.memories if memory.is_macro)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON types; `from_dict` is the inverse."""
        return {"format": 2, **dataclasses.asdict(self), "memory_bits": self.memory_bits}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> AreaReport:
        """Rebuild a report from `to_dict`'s result."""
        if fields.get("format") != 2:
            raise ValueError(f"an area report has format 2, not {fields.get('format')!r}")
        own = {key: value for key, value in fields.items() if key not in ("format", "memory_bits")}
        own["total"] = Figures(**fields["total"])
        own["blocks"] = tuple(Block(**{**block, "figures": Figures(**block["figures"])}) for block in fields["blocks"])
        own["flat"] = Figures(**fields["flat"]) if fields["flat"] else None
        own["memories"] = tuple(Memory(**memory) for memory in fields["memories"])
        return cls(**own)
