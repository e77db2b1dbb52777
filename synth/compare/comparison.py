"""What a comparison of attention designs found: plain data, and its JSON.

`measure` measures and fills it; `table` and `page` show it. Units are those of
`figures`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hamming.synth.compare.design_figures import DesignFigures

__all__ = ["Comparison", "Saving"]


@dataclass(frozen=True, kw_only=True)
class Saving:
    """What one design has less than another, as shares of the other, 0 to 1; `total` is with memories."""

    area: float
    energy: float
    total_area: float
    total_energy: float


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Designs that answer the same queries at the same rate.

    Attributes
    ----------
    title
        The preset or file, with what was changed.
    shape
        `d_head`, `d_value`, `n_keys`, `top_k`, `n_lanes`, and whatever else both have in common.
    clock
        At which energies are stated, GHz; it decides the share of leakage alone.
    designs
        The first of kind `hamming` and the first of kind `standard` are the pair that the comparison is about.
    vectors
        Where the queries behind the energies come from.
    memory_model
        `SramModel.to_dict()`.
    library
        `Library.to_dict()`.
    tools
        Versions by name.
    flags
        Options of synthesis and measurement by name.
    published
        Keys of `synth.published.published()` that are shown beside.
    """

    title: str
    shape: Mapping[str, int]
    clock: float
    designs: tuple[DesignFigures, ...]
    vectors: str
    memory_model: Mapping[str, Any] = field(repr=False)
    library: Mapping[str, str]
    tools: Mapping[str, str]
    flags: Mapping[str, str]
    published: tuple[str, ...] = ("had", "camformer", "notebook")

    def __post_init__(self):
        for kind in ("hamming", "standard"):
            if not any(design.kind == kind for design in self.designs):
                raise ValueError(f"a comparison needs a design of kind {kind!r}")

    @property
    def hamming(self) -> DesignFigures:
        """The first design of binary queries and keys."""
        return next(design for design in self.designs if design.kind == "hamming")

    @property
    def standard(self) -> DesignFigures:
        """The first design of standard attention."""
        return next(design for design in self.designs if design.kind == "standard")

    def of_kind(self, kind: str) -> tuple[DesignFigures, ...]:
        """Return the designs of a kind."""
        return tuple(design for design in self.designs if design.kind == kind)

    def saving(self, design: DesignFigures | None = None, baseline: DesignFigures | None = None) -> Saving:
        """Return what `design` saves against `baseline`; without arguments, the first pair."""
        design, baseline = design or self.hamming, baseline or self.standard
        names = [figure.name for figure in dataclasses.fields(Saving)]
        return Saving(**{name: 1 - getattr(design, name) / getattr(baseline, name) for name in names})

    def power(self, energy: float, design: DesignFigures) -> float:
        """Return the power in mW of a design that spends `energy` pJ a query, at the comparison's clock."""
        return energy * self.clock / design.cycles

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain JSON types; `from_dict` is the inverse."""
        return {
            "format": 1,
            **dataclasses.asdict(self),
            "derived": {
                "designs": {design.key: self._derived(design) for design in self.designs},
                "saving": {
                    f"{design.key} against {baseline.key}": dataclasses.asdict(self.saving(design, baseline))
                    for design in self.of_kind("hamming")
                    for baseline in self.of_kind("standard")
                },
            },
        }

    def _derived(self, design: DesignFigures) -> dict[str, float]:
        names = (
            "area sequential_area cells energy memory_area memory_energy memory_bits total_area total_energy".split()
        )
        return {name: getattr(design, name) for name in names} | {
            "power": self.power(design.energy, design),
            "total_power": self.power(design.total_energy, design),
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Comparison:
        """Rebuild a comparison from `to_dict`'s result."""
        if fields.get("format") != 1:
            raise ValueError(f"a comparison has format 1, not {fields.get('format')!r}")
        own = {key: value for key, value in fields.items() if key not in ("format", "derived")}
        designs = tuple(DesignFigures.from_dict(design) for design in fields["designs"])
        return cls(**{**own, "designs": designs, "published": tuple(fields["published"])})
