"""`python -m hamming.synth.studies.timings tiny`: clock periods of designs by three timers (docs/timing.md)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from hamming.rtl import verilog
from hamming.rtl.design import load_design, preset_names
from hamming.rtl.engine import Engine
from hamming.synth.checks import opensta
from hamming.synth.checks.abc_timer import time_with_abc
from hamming.synth.checks.opensta import time_with_opensta
from hamming.synth.library.liberty import load_cells
from hamming.synth.library.libraries import load_library
from hamming.synth.mapping.area import map_design
from hamming.synth.memory.sram import memory_delays
from hamming.synth.netlist.flattening import flatten
from hamming.synth.timing.analysis import Environment, TimingPath, time_design

__all__ = ["main", "path_lines"]

_HEADER = ("design", "area", "cells", "period, ns", "MHz", "ABC, ns", "OpenSTA, ns", "slowest path")


def path_lines(path: TimingPath) -> list[str]:
    """Return a path as text, a line a step: arrival and delay (ns), edge, cell, load and fan-out, slew, where."""
    lines = [
        f"{path.start_block} to {path.end_block}: {path.period:.3f} ns, {path.setup:.3f} of it setup, at {path.end}"
    ]
    for step in path.steps:
        pins = f"{step.from_pin or '-'} > {step.to_pin or '-'}"
        lines.append(
            f"  {step.arrival:6.3f} {step.delay:+7.3f} {step.edge:<4} {step.cell or 'port':<12} {pins:<8} "
            f"{step.load:6.1f} fF {step.fan_out:4d} pins, slew {step.slew:.3f}  {step.instance}"
        )
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a Markdown table, a row a design, and on demand the slowest path into each block."""
    parser = argparse.ArgumentParser(prog="python -m hamming.synth.studies.timings", description=main.__doc__)
    parser.add_argument("configs", nargs="*", default=preset_names(), help="presets or TOML files; all presets if none")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a key; repeatable")
    parser.add_argument("--clock-ns", type=float, default=1.0, help="period that gates are sized for (1)")
    parser.add_argument("--paths", action="store_true", help="print paths too")
    chosen = parser.parse_args(arguments)
    library = load_library()
    cells = load_cells(library)
    paths = []
    print(f"| {' | '.join(_HEADER)} |\n|{'---|' * len(_HEADER)}")
    for config in chosen.configs:
        design = load_design(config, chosen.set)
        top = design.config.name
        text = verilog.emit(Engine(design.spec, design.config), top)
        mapped = map_design(text, top=top, library=library, clock_ns=chosen.clock_ns)
        netlist = flatten(mapped.netlist, top, cells)
        environment = Environment(memory_delays=memory_delays(netlist))
        report = time_design(netlist, cells, environment)
        by_abc = time_with_abc(netlist, cells, library, environment).period
        by_opensta = "not installed"
        if opensta.is_installed():
            by_opensta = f"{time_with_opensta(netlist, cells, library, environment).period:.3f}"
        blocks = " > ".join(dict.fromkeys(step.block for step in report.critical_path.steps))
        figures = f"{mapped.report.total.area:,.0f} | {len(netlist):,} | {report.period:.3f} | {report.fmax:.0f}"
        print(f"| {top} | {figures} | {by_abc:.3f} | {by_opensta} | {blocks} |", flush=True)
        paths += [f"\n{top}", *(line for path in report.paths for line in ("", *path_lines(path)))]
    if chosen.paths:
        print("\n".join(paths))


if __name__ == "__main__":
    main()
