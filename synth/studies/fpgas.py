"""Presets and their baselines on FPGAs, kept in `synth/studies/fpgas.json` with the tools' versions.

`python -m hamming.synth.studies.fpgas` measures what the file lacks, or the points that are named, again;
`--markdown` prints the tables of docs/fpga.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from hamming.pool import Pool, takes_pool
from hamming.rtl.design import load_design
from hamming.rtl.standard.design import StandardDesign
from hamming.synth.fpga.measure import implement
from hamming.synth.fpga.report import Implementation

__all__ = ["POINTS", "Point", "markdown", "measure", "read", "write"]

#: The file in the repository.
RESULTS = Path(__file__).with_name("fpgas.json")


@dataclass(frozen=True, kw_only=True)
class Point:
    """A design on a device.

    Attributes
    ----------
    preset, device
        What and where.
    seeds
        How often it is placed.
    standard
        Whether it is the preset's baseline, int8.
    is_fast
        Whether the engine is set up for an FPGA (`FAST`).
    has_dsp
        Whether products become the device's multipliers.
    """

    preset: str
    device: str
    seeds: int = 0
    standard: bool = False
    is_fast: bool = False
    has_dsp: bool = False

    @property
    def key(self) -> str:
        """Its name in the file and on the command line."""
        kind = "-int8" if self.standard else "-fast" if self.is_fast else ""
        return f"{self.preset}{kind}{'-dsp' if self.has_dsp else ''}/{self.device}"


#: What makes an engine faster on an FPGA and changes no output: a register behind each key and value memory, a spare
#: place before and behind the selector, and an engine that is drawn for one.
FAST = (
    "engine.memory=external",
    "engine.read_latency=3",
    "engine.score_stages=3",
    "engine.spare_places=true",
    "engine.fabric=luts",
)

#: Words of a memory of an engine that is LUT RAM at most, where block RAM is slow.
LUT_RAM_WORDS = {"ecp5-85k": 64}

PRESETS = ("tiny", "minilm", "bert", "deit", "flagship")

POINTS = {
    point.key: point
    for point in (
        Point(preset="tiny", device="ecp5-85k", seeds=3),
        Point(preset="minilm", device="ecp5-85k", seeds=3),
        Point(preset="minilm", device="ecp5-85k", seeds=3, is_fast=True),
        Point(preset="bert", device="ecp5-85k", seeds=2),
        Point(preset="bert", device="ecp5-85k", seeds=3, is_fast=True),
        Point(preset="deit", device="ecp5-85k"),
        Point(preset="flagship", device="ecp5-85k"),
        Point(preset="tiny", device="ice40-hx8k", seeds=1),
        Point(preset="tiny", device="ice40-up5k", seeds=1),
        Point(preset="tiny", device="gowin-gw2a-18", seeds=1),
        *(Point(preset=preset, device=device) for device in ("xc7", "xcup") for preset in PRESETS),
        Point(preset="minilm", device="ecp5-85k", seeds=1, standard=True),
        Point(preset="bert", device="ecp5-85k", standard=True),
        Point(preset="minilm", device="ecp5-85k", is_fast=True, has_dsp=True),
        Point(preset="deit", device="ecp5-85k", is_fast=True),
        Point(preset="flagship", device="ecp5-85k", is_fast=True),
    )
}


def measure(point: Point, pool: Pool) -> Implementation:
    """Implement a point."""
    changes = (*FAST, "engine.product=dsp") if point.has_dsp else FAST
    design = load_design(point.preset, changes if point.is_fast else ())
    subject = StandardDesign.like(design) if point.standard else design
    words = 0 if point.standard else LUT_RAM_WORDS.get(point.device, 0)
    seeds = range(1, point.seeds + 1)
    return implement([subject], point.device, seeds=seeds, pool=pool, dsp=point.has_dsp, lut_ram_words=words)[0]


def read(path: Path = RESULTS) -> dict[str, Implementation]:
    """Return the results of a file that `write` wrote, by the points' keys."""
    kept = json.loads(path.read_text(encoding="utf-8"))
    return {key: Implementation.from_dict(fields) for key, fields in kept.items()}


def write(results: Mapping[str, Implementation], path: Path = RESULTS) -> None:
    """Write results, in the order of `POINTS`."""
    kept = {key: results[key].to_dict() for key in POINTS if key in results}
    path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def markdown(results: Mapping[str, Implementation]) -> str:
    """Lay out results for a document: a row a point, then what the baselines are to the engines."""
    lines = ["| | device | LUT | FF | block RAM | DSP | MHz | critical path |", f"|---|---|{'---:|' * 5}---|"]
    for key, point in POINTS.items():
        if key in results:
            lines.append(_row(point, results[key]))
    lines += ["", "| | device | LUT, int8 | LUT, ours | share |", "|---|---|---:|---:|---:|"]
    for key, point in POINTS.items():
        ours = Point(preset=point.preset, device=point.device, is_fast=True, has_dsp=point.has_dsp).key
        if point.standard and key in results and ours in results:
            theirs, own = results[key].total["lut"], results[ours].total["lut"]
            name = f"`{point.preset}`" + (", with multipliers" if point.has_dsp else "")
            lines.append(f"| {name} | {point.device} | {theirs:,g} | {own:,g} | {own / theirs:.1%} |")
    return "\n".join(lines)


def _row(point: Point, one: Implementation) -> str:
    name = f"`{point.preset}`" + (", int8" if point.standard else ", set up for FPGAs" if point.is_fast else "")
    name += ", with multipliers" if point.has_dsp else ""
    numbers = " | ".join(f"{one.total[key]:,g}" for key in ("lut", "ff", "ram", "dsp"))
    clocks = sorted(run.mhz for run in one.runs if run.mhz is not None)
    clock = "does not fit" if one.fits is False else f"{clocks[0]:.0f}" if len(clocks) == 1 else ""
    if len(clocks) > 1:
        clock = f"{clocks[0]:.0f} to {clocks[-1]:.0f}, {len(clocks)} seeds"
    ends = f"`{one.best.path[0].signal}` to `{one.best.path[-1].signal}`" if one.best else ""
    return f"| {name} | {point.device} | {numbers} | {clock or '-'} | {ends} |"


@click.command()
@click.argument("points", nargs=-1, metavar="[POINT]...")
@click.option("--markdown", "only_print", is_flag=True, help="Print the file for a document, and measure nothing.")
@takes_pool
def main(pool: Pool, points: tuple[str, ...], only_print: bool) -> None:
    """Measure POINTs, as minilm/ecp5-85k, again; without any, those that synth/studies/fpgas.json lacks."""
    known = read() if RESULTS.exists() else {}
    if only_print:
        click.echo(markdown(known))
        return
    if unknown := sorted(set(points) - set(POINTS)):
        raise click.ClickException(f"no point {unknown[0]!r}; points: {', '.join(POINTS)}")
    for key in points or [key for key in POINTS if key not in known]:
        found = measure(POINTS[key], pool)
        # What took long is kept, whatever comes after, beside what others have found meanwhile.
        write((read() if RESULTS.exists() else {}) | {key: found})
        clock = f", {found.best.mhz:.1f} MHz" if found.best else ""
        click.echo(f"{key}: {found.total['lut']:,g} LUT{clock}")


if __name__ == "__main__":
    from hamming.synth.studies import fpgas  # by its name, by which workers find it

    fpgas.main()
