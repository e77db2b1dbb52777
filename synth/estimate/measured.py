"""Measured engines, as a fit needs them: points that were drawn, and what others keep around the presets."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hamming.golden.spec import AttentionSpec
from hamming.rtl.config import EngineConfig
from hamming.rtl.design import Design
from hamming.synth.compare import results
from hamming.synth.compare.variants import FEW
from hamming.synth.estimate import points
from hamming.synth.studies import sweep

__all__ = ["ALL", "CAUSES", "Measured", "compared", "measured"]

#: What a block's energy is fitted by, each apart: clock pins, leakage, what moves; or all that is known, its sum.
CAUSES = ("clock", "leakage", "moves")
ALL = "all"


#: How far the cycles of a sweep's window may be from the formula's, if its energy is to be that of a query.
_STEADY = 0.02


@dataclass(frozen=True)
class Measured:
    """A point: its design; by block area, µm², and energy by `CAUSES`, pJ a query; cycles a query.

    `paths` has the least period, ns, of the slowest path by the blocks that it starts and ends in; of comparisons that
    of the slowest of all. Of a sweep's points energy is not known by cause, nor where a path is.
    """

    number: int
    design: Design
    area: dict[str, float]
    energy: dict[str, dict[str, float]]
    paths: dict[tuple[str, str], float]
    cycles: float

    @property
    def period(self) -> float:
        """Least clock period, ns."""
        return max(self.paths.values())


def measured(rows: Sequence[dict[str, Any]] | None = None) -> list[Measured]:
    """Return the points that were measured.

    A window of queries is no whole number of the bursts that they come in: a query's energy is stated for the cycles
    that it takes by the formula, which are exact, unless selection limits them, of which they are the most.
    """
    found = []
    for row in points.read() if rows is None else rows:
        design = Design(AttentionSpec.from_dict(row["spec"]), EngineConfig.from_dict(row["engine"]))
        terms = design.dimensions.cycle_terms()
        select, others = terms.pop("select"), max(terms.values())
        cycles = others if others >= select else row["cycles"]
        found.append(
            Measured(
                row["number"],
                design,
                {name: block["area_um2"] for name, block in row["blocks"].items()},
                {name: _causes(block["energy_pj"], cycles / row["cycles"]) for name, block in row["blocks"].items()},
                {(start, end): period for start, end, period in row["paths"]},
                cycles,
            )
        )
    return found


def _causes(energy: dict[str, float], factor: float = 1.0) -> dict[str, float]:
    if not energy:
        return dict.fromkeys(CAUSES, 0.0)
    moves = energy["switching"] + energy["internal"]
    return {name: factor * (moves if name == "moves" else energy[name]) for name in CAUSES}


def compared() -> list[Measured]:
    """Return the engines of the kept comparisons and of the sweep, which are around the presets, each once.

    Not those variants that keep few keys: queries of these come in bursts, for which a comparison's window is short.
    """
    ours = {
        one.verilog_sha256: one
        for comparison in results.read().values()
        for one in comparison.designs
        if one.kind == "hamming" and one.key not in FEW and comparison.clock == points.CLOCK_GHZ
    }
    found = [
        Measured(
            -1,
            Design(AttentionSpec.from_dict(one.spec), EngineConfig.from_dict(one.engine)),
            {block.name: block.area for block in one.blocks},
            {block.name: _causes(dataclasses.asdict(block.energy)) for block in one.blocks},
            {(one.critical_path[0].block, one.critical_path[-1].block): one.timings[0].period},
            one.cycles,
        )
        for one in ours.values()
    ]
    for row in sweep.read():
        design, period = sweep.design_of(row), {("", ""): row["period_ns"]["synth.timing"]}
        cycles = max(design.dimensions.cycle_terms().values())
        is_steady = abs(row["cycles"] / cycles - 1) < _STEADY
        energy = {name: {ALL: value} for name, value in row["energy_by_role"].items()} if is_steady else {}
        found.append(Measured(-1, design, row["area_by_role"], energy, period, row["cycles"]))
    return found
