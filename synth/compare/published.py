"""Figures that others publish, each with its source, what it includes and what is not comparable.

They are theirs, not measured here, and are kept in `synth/compare/published.toml`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["Published", "PublishedBlock", "published"]

_FILE = Path(__file__).with_name("published.toml")


@dataclass(frozen=True, kw_only=True)
class PublishedBlock:
    """One block of a published design: area in µm², energy in pJ a head-query, role as in `figures.ROLES`."""

    name: str
    role: str
    area: float
    energy: float
    is_memory: bool = False


@dataclass(frozen=True, kw_only=True)
class Published:
    """A published design. What its authors do not say is None.

    Attributes
    ----------
    key, name, title
        Short name for programs, for tables, and in full.
    source
        Where the figures stand.
    workload
        What one query is.
    included, not_comparable
        What is in the figures, and why they are not like ours.
    node_nm, clock_ghz, cycles
        Node, clock, cycles from a query to the next.
    area, energy, power_mw
        µm² and pJ a head-query with memories (the sum of the blocks, where there are any), and mW.
    less_area, less_power
        Shares saved against its authors' own baseline, 0 to 1.
    selection, values
        How keys are selected, and the format of the values.
    blocks
        Its blocks, memories among them.
    """

    key: str
    name: str
    title: str
    source: str
    workload: str
    included: tuple[str, ...]
    not_comparable: tuple[str, ...]
    node_nm: float | None = None
    clock_ghz: float | None = None
    cycles: int | None = None
    area: float | None = None
    energy: float | None = None
    power_mw: float | None = None
    less_area: float | None = None
    less_power: float | None = None
    selection: str | None = None
    values: str | None = None
    blocks: tuple[PublishedBlock, ...] = ()

    @property
    def logic_area(self) -> float | None:
        """Area of the blocks that are no memories."""
        return sum(block.area for block in self.blocks if not block.is_memory) if self.blocks else None

    @property
    def logic_energy(self) -> float | None:
        """Energy of the blocks that are no memories."""
        return sum(block.energy for block in self.blocks if not block.is_memory) if self.blocks else None

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Published:
        """Build one from its table in the file."""
        blocks = tuple(PublishedBlock(**block) for block in fields.get("blocks", ()))
        sums = {name: sum(getattr(block, name) for block in blocks) for name in ("area", "energy")} if blocks else {}
        texts = {name: tuple(fields[name]) for name in ("included", "not_comparable")}
        return cls(**{**sums, **fields, **texts, "blocks": blocks})


@cache
def published() -> Mapping[str, Published]:
    """Return the published designs by key."""
    with _FILE.open("rb") as file:
        return {fields["key"]: Published.from_dict(fields) for fields in tomllib.load(file)["designs"]}
