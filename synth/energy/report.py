"""What was found of a netlist's energy: plain data, and its JSON. `power` measures it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hamming.synth.energy.trace import Accesses

__all__ = ["KINDS", "LEFT_OUT", "BlockEnergy", "EnergyReport"]

#: What energy is spent on.
KINDS = ("switching", "internal", "clock", "leakage")

#: What no figure contains.
LEFT_OUT = (
    "the clock tree: its buffers and wires (the clock pins of cells and clock gates are in)",
    "wires beyond the wire-load model",
    "what memories spend inside, and their clock pins",
    "short pulses that a gate does not let through, but that move its output a little",
)


@dataclass(frozen=True, kw_only=True)
class BlockEnergy:
    """Energy of a block, pJ a query.

    Attributes
    ----------
    switching
        `1/2 C V**2` for each transition of the nets that the block drives: pins and wire.
    internal
        Inside cells, when an output or an input moves.
    clock
        Clock pins of flip-flops, inside and out, and clock gates.
    leakage
        By state, over the query's time.
    settled
        The part of `switching` and `internal` that there would be without glitches.
    """

    switching: float = 0.0
    internal: float = 0.0
    clock: float = 0.0
    leakage: float = 0.0
    settled: float = 0.0

    @property
    def total(self) -> float:
        """All of it, pJ a query."""
        return self.switching + self.internal + self.clock + self.leakage

    @property
    def glitch_share(self) -> float:
        """Share of switching and internal energy that glitches cause, 0 to 1."""
        moving = self.switching + self.internal
        return 1 - self.settled / moving if moving else 0.0

    def __add__(self, other: BlockEnergy) -> BlockEnergy:
        mine, its = dataclasses.astuple(self), dataclasses.astuple(other)
        return BlockEnergy(**dict(zip((*KINDS, "settled"), map(sum, zip(mine, its, strict=True)), strict=True)))


@dataclass(frozen=True, kw_only=True)
class EnergyReport:
    """Energy of a design, and all that is needed to find it again.

    Attributes
    ----------
    top
        Module.
    library
        Name and hash of the library.
    blocks
        Energy by child of the top, largest first.
    cycles_a_query
        Measured, back to back.
    clock_ns
        Clock period for leakage and power.
    settling_ns
        Longest time that a cycle took to settle: where it exceeds the clock period the design is too slow for it.
    accesses
        Reads and writes of each memory, a query.
    n_cycles, n_streams, n_queries, n_samples
        The sample: cycles of the window, streams side by side, queries that began in it over all streams, and cycles
        of streams that were simulated with delays.
    vectors
        What ran.
    left_out
        What is not in the figures.
    """

    top: str
    library: Mapping[str, str]
    blocks: Mapping[str, BlockEnergy]
    cycles_a_query: float
    clock_ns: float
    settling_ns: float
    accesses: Mapping[str, Accesses] = field(repr=False)
    n_cycles: int
    n_streams: int
    n_queries: int
    n_samples: int
    vectors: str
    left_out: tuple[str, ...] = LEFT_OUT

    @property
    def total(self) -> BlockEnergy:
        """Sum over the blocks."""
        return sum(self.blocks.values(), BlockEnergy())

    @property
    def power_mw(self) -> float:
        """Power at the clock, queries back to back, mW."""
        return self.total.total / (self.cycles_a_query * self.clock_ns)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON types; `from_dict` is the inverse."""
        own = dataclasses.asdict(self) | {"left_out": list(self.left_out)}
        derived = {"total": self.total.total, "glitch_share": self.total.glitch_share, "power_mw": self.power_mw}
        return {"format": 1, **own, **derived}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> EnergyReport:
        """Rebuild a report from `to_dict`'s result."""
        if fields.get("format") != 1:
            raise ValueError(f"an energy report has format 1, not {fields.get('format')!r}")
        derived = ("format", "total", "glitch_share", "power_mw")
        own = {key: value for key, value in fields.items() if key not in derived}
        own["blocks"] = {name: BlockEnergy(**block) for name, block in fields["blocks"].items()}
        own["accesses"] = {name: Accesses(**accesses) for name, accesses in fields["accesses"].items()}
        own["left_out"] = tuple(fields["left_out"])
        return cls(**own)
