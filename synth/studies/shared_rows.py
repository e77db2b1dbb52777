"""What it saves to read a row of keys once for several queries: engines of one throughput, each from a run.

`python -m hamming.synth.studies.shared_rows` measures what `shared_rows.json` does not have yet; `--markdown` shows it.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import click

from hamming.pool import Pool, takes_pool
from hamming.rtl.design import Design, load_design
from hamming.synth.compare.measure import engine_figures
from hamming.synth.library.libraries import load_library

__all__ = ["KEPT", "POINTS", "design_of", "markdown", "measure", "read"]

#: The file in the repository.
KEPT = Path(__file__).with_name("shared_rows.json")

#: Queries a row, and lanes: each scores 4 keys a cycle, against one query or several.
POINTS = ((1, 4), (2, 2), (4, 1))


def design_of(n_queries_a_row: int, n_lanes: int) -> Design:
    """Return an engine of the shape of `bert` that takes 32 cycles a query: a multiplier for each element."""
    design = load_design("bert")
    config = dataclasses.replace(
        design.config,
        name="shared",
        n_lanes=n_lanes,
        n_macs=design.spec.d_value,
        n_queries_a_row=n_queries_a_row,
        spare_places=n_lanes == 1,  # the others are at 1 GHz without
    )
    return Design(design.spec, config)


def measure(n_queries_a_row: int, n_lanes: int) -> dict[str, Any]:
    """Synthesize, time and simulate one engine at 1 GHz."""
    design = design_of(n_queries_a_row, n_lanes)
    found = engine_figures(design, library=load_library(), clock=1.0, logit_scale=design.spec.d_head**-0.5)
    [keys] = [memory for memory in found.memories if memory.name == "key_memory"]
    return {
        "n_queries_a_row": n_queries_a_row,
        "n_lanes": n_lanes,
        "cycles": found.cycles,
        "period_ns": found.timings[0].period,
        "area_um2": found.area,
        "memory_area_um2": found.memory_area,
        "key_bits_read": keys.reads * keys.width,
        "key_memory_pj": keys.energy,
        "memory_energy_pj": found.memory_energy,
        "energy_pj": found.energy,
        "queries_checked": found.verification.queries if found.verification else 0,
        "library_sha256": load_library().sha256,
        "verilog_sha256": found.verilog_sha256,
    }


def read() -> list[dict[str, Any]]:
    """Return the engines measured so far, in the order of `POINTS`."""
    rows = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else []
    return sorted(rows, key=lambda row: POINTS.index((row["n_queries_a_row"], row["n_lanes"])))


def markdown(rows: list[dict[str, Any]]) -> str:
    """Lay the engines out for a document."""
    heads = ("queries a row", "lanes", "cycles a query", "clock, GHz", "logic, µm²", "memories, µm²")
    heads += ("key bits read a query", "key memory, pJ", "all memories, pJ", "logic, pJ", "together, pJ")
    lines = [f"| {' | '.join(heads)} |", f"|{'---:|' * len(heads)}"]
    amounts = ("area_um2", "memory_area_um2", "key_bits_read", "key_memory_pj", "memory_energy_pj", "energy_pj")
    for row in rows:
        cells = [
            str(row["n_queries_a_row"]),
            str(row["n_lanes"]),
            f"{row['cycles']:.1f}",
            f"{1 / row['period_ns']:.2f}",
        ]
        cells += [f"{row[amount]:,.0f}" for amount in amounts]
        cells.append(f"{row['energy_pj'] + row['memory_energy_pj']:,.0f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


@click.command()
@takes_pool
@click.option("--markdown", "only_print", is_flag=True, help="Print the file for a document, and measure nothing.")
def main(pool: Pool, only_print: bool) -> None:
    """Measure the engines that synth/studies/shared_rows.json does not have."""
    rows = read()
    if only_print:
        click.echo(markdown(rows))
        return
    done = {(row["n_queries_a_row"], row["n_lanes"]) for row in rows}
    jobs = {f"{n} queries, {lanes} lanes": (n, lanes) for n, lanes in POINTS if (n, lanes) not in done}
    with pool.results(measure, jobs, "engines") as results:
        for _, row in results:
            rows.append(row)
            KEPT.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    from hamming.synth.studies import shared_rows  # by its name, by which workers find it

    shared_rows.main()
