"""An estimate of what synthesis and simulation of an engine would find, from a formula a block, in a millisecond.

A block's area is `sum(a[kind] * amount)` over what it is made of (`synth.estimate.structure`), its energy a query
`sum(e[kind] * amount * uses) + idle * area * cycles`. Coefficients and errors are those of `model.json`, which
`synth.estimate.fit` made of measured engines: NanGate 45 nm, gates sized for 1 GHz. Memories and cycles are not
estimated: they are what `synth.compare` finds, by the same formulas.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hamming.rtl.design import Design
from hamming.synth.compare.figures import MemoryFigures
from hamming.synth.compare.from_reports import ENGINE_ROLES
from hamming.synth.estimate.activity import cycles_a_query
from hamming.synth.estimate.limits import TOUCHED, beyond_range, require_known
from hamming.synth.estimate.structure import blocks
from hamming.synth.estimate.terms import arrays
from hamming.synth.estimate.ways import ways
from hamming.synth.memory.sram import SramModel

__all__ = ["MODEL", "BlockEstimate", "Estimate", "Model", "estimate", "model"]

#: The kept coefficients.
MODEL = Path(__file__).with_name("model.json")


@dataclass(frozen=True, kw_only=True)
class BlockEstimate:
    """A block of the logic: area in µm², energy in pJ a query; the mean error of each, as a share, if known.

    `is_beyond` says that a size of it is outside of what the estimate is made of.
    """

    name: str
    role: str
    area: float
    energy: float
    area_error: float | None
    energy_error: float | None
    is_beyond: bool


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What an engine is likely to cost.

    Attributes
    ----------
    blocks
        Of the logic.
    memories
        By the model of memories, not an estimate but for reads of values whose weight is 0.
    period
        Least clock period, ns, of gates that are sized for 1 GHz; `path` says what sets it.
    path
        Name of the slowest way.
    cycles
        A query, back to back, over all keys: exact, but for an insertion selector of several lanes, whose cycles depend
        on the keys: there they are those of a transformer's.
    errors
        Of area, energy and period of engines that the fit has not seen, `mean` and `worst`, as shares.
    notes
        What is outside of what the coefficients were made of, in words; with any, errors may be larger.
    """

    blocks: tuple[BlockEstimate, ...]
    memories: tuple[MemoryFigures, ...]
    period: float
    path: str
    cycles: float
    errors: Mapping[str, Mapping[str, float]]
    notes: tuple[str, ...]

    @property
    def area(self) -> float:
        """Area of the logic, µm²."""
        return sum(block.area for block in self.blocks)

    @property
    def energy(self) -> float:
        """Energy of the logic, pJ a query."""
        return sum(block.energy for block in self.blocks)

    @property
    def memory_area(self) -> float:
        """Area of the memories, µm²."""
        return sum(memory.area for memory in self.memories)

    @property
    def memory_energy(self) -> float:
        """Energy of the memories, pJ a query."""
        return sum(memory.energy for memory in self.memories)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON's types."""
        sums = {name: getattr(self, name) for name in ("area", "energy", "memory_area", "memory_energy")}
        return dataclasses.asdict(self) | sums


@dataclass(frozen=True, kw_only=True)
class Model:
    """Coefficients, by block and kind of thing; the fields of `model.json`.

    Attributes
    ----------
    area
        µm² each.
    energy, idle
        pJ a use; pJ a µm² and cycle.
    period
        By way: ns of each of its parts, and `""` a constant. `least` is that of all engines.
    ranges
        Least and largest of each size among the points of the fit.
    errors
        As of `Estimate`, and of each block, by `area of BLOCK` and `energy of BLOCK`.
    made_of
        What the points were measured with.
    """

    area: Mapping[str, Mapping[str, float]]
    energy: Mapping[str, Mapping[str, float]]
    idle: Mapping[str, float]
    period: Mapping[str, Mapping[str, float]]
    ranges: Mapping[str, tuple[float, float]]
    errors: Mapping[str, Mapping[str, float]]
    made_of: Mapping[str, Any]

    def estimate(self, design: Design) -> Estimate:
        """Estimate an engine.

        Raises
        ------
        ValueError
            It has an option that no formula is for; the message names it.
        """
        dims = design.dimensions
        require_known(design)
        cycles = cycles_a_query(dims)
        found = []
        beyond = beyond_range(design, self.ranges)
        for name, terms in blocks(dims).items():
            each_area, each = self.area.get(name, {}), self.energy.get(name, {})
            area = sum(each_area.get(kind, 0.0) * term.amount for kind, term in terms.items() if term.takes_area)
            energy = sum(each.get(kind, 0.0) * term.amount * term.uses for kind, term in terms.items())
            found.append(
                BlockEstimate(
                    name=name,
                    role=ENGINE_ROLES[name],
                    area=area,
                    energy=energy + self.idle.get(name, 0.0) * area * cycles,
                    area_error=self._error(f"area of {name}"),
                    energy_error=self._error(f"energy of {name}"),
                    is_beyond=any(name in TOUCHED.get(size, ()) for size in beyond),
                )
            )
        times = {name: self.time(name, parts) for name, parts in ways(dims).items() if name in self.period}
        path = max(times, key=lambda name: times[name], default="")
        least = self.period["least"][""]
        period = max(least, times.get(path, 0.0))
        sram = SramModel()
        memories = tuple(
            MemoryFigures.of(
                sram,
                name=name,
                role=ENGINE_ROLES[name.partition(".")[0]],
                **array._asdict(),
                query_time=cycles * 1.0,
            )
            for name, array in arrays(dims).items()
        )
        return Estimate(
            blocks=tuple(block for block in found if block.area or block.energy),
            memories=memories,
            period=period,
            path=path if period > least else "the clock that gates are sized for",
            cycles=cycles,
            errors={name: self.errors[name] for name in ("area", "energy", "period") if name in self.errors},
            notes=tuple(beyond.values()),
        )

    def time(self, way: str, parts: Mapping[str, float]) -> float:
        """Return what a way takes, ns."""
        each = self.period[way]
        return each.get("", 0.0) + sum(each.get(part, 0.0) * value for part, value in parts.items())

    def _error(self, figure: str) -> float | None:
        return self.errors[figure]["mean"] if figure in self.errors else None


@functools.cache
def model() -> Model:
    """Return the kept model."""
    return Model(**json.loads(MODEL.read_text(encoding="utf-8")))


def estimate(design: Design) -> Estimate:
    """Estimate an engine by the kept model; as of `Model.estimate`."""
    return model().estimate(design)
