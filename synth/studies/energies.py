"""`python -m hamming.synth.studies.energies tiny`: energy of designs by block, and outside checks (docs/energy.md)."""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Iterator, Sequence

import numpy as np

from hamming.rtl import verilog
from hamming.rtl.design import load_design, preset_names
from hamming.rtl.engine import Engine
from hamming.rtl.manifest import manifest
from hamming.rtl.standard.design import StandardDesign
from hamming.rtl.standard.manifest import standard_manifest
from hamming.rtl.standard.verilog import emit_standard, standard_engine
from hamming.synth.checks import icarus, opensta
from hamming.synth.checks.opensta_power import power_with_opensta
from hamming.synth.energy.activity import Activity
from hamming.synth.energy.gatesim import simulate
from hamming.synth.energy.glitches import glitches
from hamming.synth.energy.power import report
from hamming.synth.energy.report import KINDS, BlockEnergy, EnergyReport
from hamming.synth.energy.standard_workload import standard_workload
from hamming.synth.energy.trace import Trace
from hamming.synth.energy.workload import VECTORS, Workload, engine_workload
from hamming.synth.library.cell_model import CellLibrary
from hamming.synth.library.liberty import load_cells
from hamming.synth.library.libraries import load_library
from hamming.synth.mapping.area import map_design
from hamming.synth.memory.sram import memory_delays
from hamming.synth.netlist.flattening import flatten
from hamming.synth.netlist.netlist import Netlist
from hamming.synth.timing.analysis import Environment, Timing

__all__ = ["checks", "main", "table_lines"]

#: Queries before the window of `synth.energy.gatesim.simulate`.
_WARM = 4


def table_lines(energy: EnergyReport) -> list[str]:
    """Return a report as a Markdown table, pJ a query."""
    lines = [f"| block | {' | '.join(KINDS)} | total | glitches |", "|---|" + "---:|" * (len(KINDS) + 2)]
    for name, block in [*energy.blocks.items(), ("**total**", energy.total)]:
        lines.append(f"| {name} | {' | '.join(_figures(block))} | {block.glitch_share:.0%} |")
    return lines


def _figures(block: BlockEnergy) -> Iterator[str]:
    for amount in (*(getattr(block, kind) for kind in KINDS), block.total):
        yield f"{amount:,.1f}"


def checks(netlist: Netlist, cells: CellLibrary, timing: Timing, trace: Trace, activity: Activity) -> Iterator[str]:
    """Yield what Icarus and OpenSTA, if installed, say of the same trace."""
    if icarus.available():
        one = dataclasses.replace(trace, values=trace.values & np.uint64(1))
        ours = glitches(netlist, timing, one)
        theirs = icarus.run(netlist, timing, trace)
        compared = ~netlist.clock_nets()
        moves, its = ((found.rises + found.falls)[compared] for found in (ours, theirs))
        yield (
            f"Icarus, {trace.n_cycles} cycles of one stream: {its.sum():,} transitions, here {moves.sum():,} "
            f"({moves.sum() / its.sum() - 1:+.2%}); correlation over nets {np.corrcoef(moves, its)[0, 1]:.4f}"
        )
    else:
        yield "Icarus Verilog is not installed"
    if opensta.is_installed():
        found = power_with_opensta(netlist, cells, load_library(), activity)
        each = 0.5 * cells.voltage**2 * netlist.load(cells)[found.nets]
        mine = each * (activity.rises + activity.falls)[found.nets] / activity.n_samples
        yield (
            f"OpenSTA, switching of {len(found.nets):,} nets: {found.switching.sum():,.1f} fJ a cycle, here "
            f"{mine.sum():,.1f} ({mine.sum() / found.switching.sum() - 1:+.2%}), one net at most "
            f"{np.abs(mine - found.switching).max():.2f} fJ apart"
        )
        yield f"OpenSTA, leakage whatever the states: {found.leakage / 1000:,.1f} uW"
    else:
        yield "OpenSTA is not installed"


def _parts(config: str, options: argparse.Namespace) -> tuple[str, str, Workload]:
    """Return top, Verilog and workload of an engine, or of its baseline."""
    design = load_design(config, options.set)
    given = {"vectors": options.vectors, "n_queries": _WARM + options.queries + 1}
    if options.standard:
        baseline = StandardDesign.like(design)
        component = standard_engine(baseline)
        text = emit_standard(component)
        return baseline.name, text, standard_workload(baseline, standard_manifest(component, text), **given)
    engine = Engine(design.spec, design.config)
    text = verilog.emit(engine, design.config.name)
    return design.config.name, text, engine_workload(design, manifest(engine, text), **given)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a Markdown table a design: energy of a query by block and by what it is spent on."""
    parser = argparse.ArgumentParser(prog="python -m hamming.synth.studies.energies", description=main.__doc__)
    parser.add_argument("configs", nargs="*", default=preset_names(), help="presets or TOML files; all presets if none")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a key; repeatable")
    parser.add_argument("--standard", action="store_true", help="the int8 baseline of each instead")
    parser.add_argument("--clock-ns", type=float, default=1.0, help="clock period, that gates are sized for (1)")
    parser.add_argument("--smallest", action="store_true", help="the smallest gates, whatever the clock")
    parser.add_argument("--vectors", choices=VECTORS, default="real", help="what is computed (real)")
    parser.add_argument("--queries", type=int, default=2, help="queries of each stream that are looked at (2)")
    parser.add_argument("--samples", type=int, default=1 << 13, help="cycles of streams simulated with delays (8192)")
    parser.add_argument("--check", action="store_true", help="compare with Icarus and OpenSTA, where installed")
    chosen = parser.parse_args(arguments)
    library = load_library()
    cells = load_cells(library)
    for config in chosen.configs:
        top, text, workload = _parts(config, chosen)
        clock = None if chosen.smallest else chosen.clock_ns
        mapped = map_design(text, top=top, library=library, clock_ns=clock)
        start = time.perf_counter()
        netlist = flatten(mapped.netlist, top, cells)
        timing = Timing(netlist, cells, Environment(memory_delays=memory_delays(netlist)))
        trace = simulate(netlist, workload, warm_queries=_WARM, n_queries=chosen.queries)
        activity = glitches(netlist, timing, trace, max_samples=chosen.samples)
        energy = report(netlist, cells, timing, activity, trace, clock_ns=chosen.clock_ns, vectors=workload.description)
        seconds = time.perf_counter() - start
        print(f"\n{top}: {len(netlist):,} cells, {energy.vectors}\n")
        print("\n".join(table_lines(energy)))
        print(
            f"\n{energy.cycles_a_query:g} cycles a query; {energy.power_mw:.2f} mW at {1000 / energy.clock_ns:g} MHz; "
            f"a cycle settles in {energy.settling_ns:.2f} ns; {energy.n_samples:,} samples of {energy.n_queries} "
            f"queries in {energy.n_streams} streams; {seconds:.0f} s",
            flush=True,
        )
        if chosen.check:
            print(*checks(netlist, cells, timing, trace, activity), sep="\n", flush=True)


if __name__ == "__main__":
    main()
