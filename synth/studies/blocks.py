"""Designs of the largest blocks: what each takes in the engine of `bert`, with 8 and with 4 bits.

`python -m hamming.synth.studies.blocks` measures what `blocks.json` does not have yet, and keeps each engine as it is
done; `--keep` puts the table into docs/comparison.md. Blocks that do not touch each other are varied in one engine.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any, NamedTuple

from hamming.rtl.design import Design, load_design
from hamming.rtl.engine import Engine
from hamming.rtl.manifest import manifest
from hamming.rtl.verilog import emit
from hamming.sim import kept_points
from hamming.sim.kept_points import KeptPoints, Rows
from hamming.synth.compare import results
from hamming.synth.compare.design_figures import DesignFigures
from hamming.synth.compare.measure import engine_figures
from hamming.synth.compare.variants import VARIANTS, with_options
from hamming.synth.library.libraries import load_library

__all__ = ["KEPT", "POINTS", "TRIED", "design_of", "markdown", "measure", "read"]

#: The file in the repository.
KEPT = Path(__file__).with_name("blocks.json")

#: Engines by name: what of `bert`'s configuration they change.
ENGINES: dict[str, dict[str, Any]] = {
    "kept": {},
    "cut": {"scan_rows": 4, "adder_depth": 3, "n_dividers": 2},
    "list": {"selector": "insertion"},
    "shift": {"product": "shift"},
    "wide": {"n_macs": 64},
}
BITS = (8, 4)
POINTS = tuple((name, bits) for name in ENGINES for bits in BITS)

_LOGIT_SCALE = 0.125


class Tried(NamedTuple):
    """A design of a block, the engine that has it, and what became of it."""

    block: str
    design: str
    engine: str
    verdict: str


TRIED = (
    Tried("selector", "counters of all levels, two rows in a look", "kept", "kept"),
    Tried("selector", "the same, four rows in a look", "cut", "kept where time for a look is short"),
    Tried("selector", "a sorted list of 30 cells", "list", "kept for one lane and few keys; here it does not keep up"),
    Tried("weighted_sum", "recoded weights, one tree, carries wait after 7 adders", "kept", "kept"),
    Tried("weighted_sum", "the same, carries wait after 3", "cut", "an option, for faster clocks"),
    Tried("weighted_sum", "shifts by powers of two", "shift", "kept where the table has nothing else"),
    Tried("weighted_sum", "a multiplier for each element, one pass", "wide", "an option, for fewer cycles"),
    Tried("normalizer", "a divider, a stage a bit, sums of a pass held", "kept", "kept"),
    Tried("normalizer", "two such dividers", "cut", "an option, for fewer cycles"),
    Tried("normalizer", "a divider, all 64 sums held", "wide", "an option, as above"),
)


def design_of(name: str, bits: int) -> Design:
    """Return an engine of `ENGINES`, with weights and values of `bits`."""
    design = load_design("bert")
    config = dataclasses.replace(design.config, **ENGINES[name])
    changes = VARIANTS["hamming-4"].changes if bits == 4 else {}
    if config.product == "shift":
        changes = {**changes, "weight_form": "power_of_two"}
    return Design(with_options(design.spec, _LOGIT_SCALE, changes) if changes else design.spec, config)


def measure(point: tuple[str, int]) -> dict[str, Any]:
    """Return an engine's figures: of the kept comparison, if it is one of those, or from synthesis and simulation."""
    name, bits = point
    design = design_of(name, bits)
    found = _compared(design) or engine_figures(
        design, library=load_library(), clock=1.0, logit_scale=_LOGIT_SCALE, title=f"{name}, {bits} bits"
    )
    return {
        "engine": name,
        "bits": bits,
        "cycles": found.cycles,
        "period_ns": found.timings[0].period,
        "path": [found.critical_path[0].block, found.critical_path[-1].block],
        "blocks": {
            block.name: {"area_um2": block.area, "energy_pj": block.energy.total}
            for block in found.blocks
            if block.area
        },
        "queries_checked": found.verification.queries if found.verification else 0,
        "verilog_sha256": found.verilog_sha256,
    }


def _compared(design: Design) -> DesignFigures | None:
    verilog = emit(engine := Engine(design.spec, design.config), design.config.name)
    sha256 = manifest(engine, verilog)["verilog_sha256"]
    return next((one for one in results.read()["bert"].designs if one.verilog_sha256 == sha256), None)


def markdown(rows: Rows) -> str:
    """Lay the designs out for a document: by block, at both widths."""
    found = {(row["engine"], row["bits"]): row for row in rows}
    amounts = " | ".join(f"{bits} bits: µm² | pJ | engine, GHz | cycles" for bits in BITS)
    lines = [f"| block | design | {amounts} | |", f"|---|---|{'---:|' * (4 * len(BITS))}---|"]
    for tried in TRIED:
        cells = []
        for bits in BITS:
            row = found.get((tried.engine, bits))
            if row is None:
                cells += 4 * [""]
                continue
            block = row["blocks"][tried.block]
            cells += [f"{block['area_um2']:,.0f}", f"{block['energy_pj']:,.0f}"]
            cells += [f"{1 / row['period_ns']:.2f}", f"{row['cycles']:.0f}"]
        lines.append(f"| {' | '.join((tried.block, tried.design, *cells, tried.verdict))} |")
    return "\n".join(lines) + "\n"


def read() -> Rows:
    """Return the engines measured so far."""
    return kept_points.read(KEPT)


STUDY = KeptPoints(
    program="python -m hamming.synth.studies.blocks",
    description="Measure designs of blocks that synth/studies/blocks.json does not have.",
    points=POINTS,
    point_of=lambda row: (row["engine"], row["bits"]),
    measure=measure,
    results=KEPT,
    markdown=markdown,
    page=Path(__file__).resolve().parents[2] / "docs" / "comparison.md",
    marks=("<!-- blocks -->\n\n", "\n<!-- end of blocks -->"),
)

if __name__ == "__main__":
    sys.exit(STUDY.main())
