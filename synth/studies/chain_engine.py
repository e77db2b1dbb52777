"""What one engine of a long chain costs: area, clock and energy a query, from its gates, driven as in the chain.

`python -m hamming.synth.studies.chain_engine` measures the points that `chain_engine.json` does not have yet;
`--print` shows them, `--keep` puts them into docs/long-context.md.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from hamming.rtl.design import Design
from hamming.rtl.engine import Engine
from hamming.rtl.manifest import manifest
from hamming.rtl.verilog import emit
from hamming.sim import kept_points
from hamming.sim.chain_length import LENGTHS, design_of
from hamming.sim.kept_points import KeptPoints
from hamming.synth.compare.from_reports import memory_figures
from hamming.synth.compare.gates_at_work import DEFAULT_WINDOW, at_work
from hamming.synth.energy.chain_workload import chain_workload
from hamming.synth.library.libraries import load_library
from hamming.synth.memory.sram import SramModel
from hamming.synth.studies.sweep import SLOW_ROWS

__all__ = ["RESULTS", "engine_of", "markdown", "measure", "read"]

RESULTS = Path(__file__).with_name("chain_engine.json")
_PAGE = Path(__file__).resolve().parents[2] / "docs" / "long-context.md"
_MARKS = ("<!-- table: python -m hamming.synth.studies.chain_engine -->\n", "<!-- end of an engine -->\n")

#: Clock that gates are sized for, and at which energy is stated.
_CLOCK_GHZ = 1.0

#: Most words of a bank of the value memory, as in `synth.studies.sweep`: of more, a word comes too late for 1 GHz.
_BANK_WORDS = 2048


def engine_of(n_engines: int) -> Design:
    """Return one engine of the chain of `sim.chain_length`, its values in banks that are read within a cycle.

    Where its keys are so many that their memory takes longer, scores have a stage more, as in `synth.studies.sweep`.
    """
    whole = design_of(n_engines)
    dims = whole.dimensions
    banks = max(1, dims.part.spec.n_keys * dims.fold // _BANK_WORDS)
    stages = whole.config.score_stages + (dims.part.n_rows > SLOW_ROWS)
    config = dataclasses.replace(whole.config, name="engine", chain=True, output="partial", value_banks=banks)
    config = dataclasses.replace(config, score_stages=stages)
    return Design(whole.spec, dataclasses.replace(config, expose_index=False))


def measure(n_engines: int) -> dict[str, Any]:
    """Synthesize, time and simulate the engine in the middle of a chain, at the gates.

    Raises
    ------
    SimulationError
        A beat that it hands on is not golden's.
    """
    design = engine_of(n_engines)
    engine, library = Engine(design.spec, design.config), load_library()
    verilog = emit(engine, design.config.name)
    workload = partial(
        chain_workload,
        design,
        manifest(engine, verilog),
        number=n_engines // 2,
        n_queries=DEFAULT_WINDOW.n_all,
    )
    found = at_work(verilog, design.config.name, {"random": workload}, library=library, clock=_CLOCK_GHZ)
    [energy] = found.energies
    areas = {block.name: block.figures.area for block in found.mapped.report.blocks}
    memories = memory_figures(energy, dict.fromkeys(energy.accesses, "keys"), SramModel())
    return {
        "n_engines": n_engines,
        "n_keys": design.spec.n_keys,
        "cycles": energy.cycles_a_query,
        "period_ns": found.report.period,
        "slowest": [found.report.critical_path.start_block, found.report.critical_path.end_block],
        "area_um2": found.mapped.report.total.area,
        "area_by_block": {name: area for name, area in areas.items() if area},
        "energy_pj": energy.total.total,
        "energy_by_block": {name: block.total for name, block in energy.blocks.items()},
        "memory_bits": sum(memory.bits for memory in memories),
        "memory_area_um2": sum(memory.area for memory in memories),
        "memory_energy_pj": sum(memory.energy for memory in memories),
        "reads": {memory.name: memory.reads for memory in memories},
        "queries_checked": found.n_checked,
        "vectors": energy.vectors,
        "library_sha256": library.sha256,
        "verilog_sha256": found.mapped.report.verilog_sha256,
    }


def read(path: Path = RESULTS) -> list[dict[str, Any]]:
    """Return what was measured."""
    return kept_points.read(path)


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """Lay the rows out for a document; energy is of one engine, and of all of them."""
    heads = ("engines", "cycles a query", "clock, GHz", "logic, µm²", "memories, µm²", "of bits")
    heads += ("logic, pJ", "memories, pJ", "together, pJ", "all engines, µJ")
    lines = [f"| {' | '.join(heads)} |", f"|{'---:|' * len(heads)}"]
    for row in rows:
        energy = row["energy_pj"] + row["memory_energy_pj"]
        cells = [str(row["n_engines"]), f"{row['cycles']:,.0f}", f"{1 / row['period_ns']:.2f}"]
        cells += [f"{row[name]:,.0f}" for name in ("area_um2", "memory_area_um2", "memory_bits")]
        cells += [f"{row[name]:,.0f}" for name in ("energy_pj", "memory_energy_pj")]
        cells += [f"{energy:,.0f}", f"{row['n_engines'] * energy / 1e6:.3f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    return KeptPoints(
        program="python -m hamming.synth.studies.chain_engine",
        description=str(__doc__).partition("\n")[0],
        points=LENGTHS,
        point_of=lambda row: row["n_engines"],
        measure=measure,
        results=RESULTS,
        markdown=markdown,
        page=_PAGE,
        marks=_MARKS,
    ).main(arguments)


if __name__ == "__main__":
    sys.exit(main())
