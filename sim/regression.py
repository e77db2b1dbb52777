"""`python -m hamming.sim.regression`: random stimulus for one design, or for many random designs."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from hamming import pool
from hamming.rtl.design import Design
from hamming.sim import coverage, runner
from hamming.sim.engine_testbench import EngineTestbench, Traffic
from hamming.sim.many_engines import engine_of, parsed
from hamming.sim.report import Report, hold_cycles
from hamming.sim.stimulus import random_vectors
from hamming.sim.worst_case import POWER_UPS

__all__ = ["RegressionReport", "regress", "traffic_of"]

#: Queries between two loads of the memories.
QUERIES_A_HEAD = 50

#: Fewest queries by which cycles are measured: how long each one's selection takes depends on its keys.
BACK_TO_BACK_QUERIES = 64

#: Share of the cycles that the manifest states, back to back, above which a measured mean is too slow.
MAX_CYCLES_SHARE = 1.05


@dataclass(kw_only=True)
class RegressionReport:
    """Random stimulus through one design.

    Attributes
    ----------
    design
        Spec and configuration.
    report
        Everything: mixed traffic with stalls and without, and the back-to-back queries, whose cycles it states.
    missing
        Situations that never occurred (`sim.coverage.missing`).
    """

    design: Design
    report: Report
    missing: list[str]

    @property
    def is_fast(self) -> bool:
        """True if back-to-back queries took the cycles that the manifest states, 5 % more at most."""
        measured, expected = self.report.cycles_a_query, self.report.cycles_expected
        return measured is None or expected is None or measured <= MAX_CYCLES_SHARE * expected

    @property
    def passed(self) -> bool:
        """True if nothing was wrong and queries were as fast as the manifest says."""
        return self.report.passed and self.is_fast

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON's types."""
        return {
            "spec": self.design.spec.to_dict(),
            "engine": self.design.config.to_dict(),
            "passed": self.passed,
            "missing": self.missing,
            **self.report.to_dict(),
        }


def regress(
    design: Design,
    n_queries: int,
    seed: int = 0,
    *,
    simulator: str = "verilator",
    waves: Path | None = None,
    points: Path | None = None,
    power_up: str = "unknown",
    progress: Callable[[int], None] | None = None,
) -> RegressionReport:
    """Run random stimulus through a design's Verilog.

    Resets break off first traffics somewhere, two of them while rows are loaded. Then come, each from a reset on:
    queries with all streams pausing; with each stream pausing at its own rate, output hardly ever or nearly always
    ready; at full rate; and queries that see all keys, back to back, whose cycles are measured. Rows are appended
    between queries in the first two; inputs are out of range now and then in the second.

    Parameters
    ----------
    design
        Spec and configuration.
    n_queries
        Queries in all, at least.
    seed
        Of everything random.
    simulator
        `verilator` or `icarus`.
    waves
        File in which to leave a trace, slower: VCD from Verilator, FST from Icarus.
    points
        File in which to leave the points of the Verilog that were met (`audit.points`).
    power_up
        One of `sim.worst_case.POWER_UPS`.
    progress
        Called with the number of queries completed.

    Raises
    ------
    SimulatorMissing, SimulationFailed
        As of `sim.simulate.simulate`.
    """
    began = time.monotonic()
    bench = EngineTestbench(design, simulator=simulator, waves=waves, points=points, power_up=power_up)
    built = time.monotonic()
    traffic = traffic_of(design, list(bench.manifest["streams"]), n_queries, seed)
    results = bench.run(traffic, progress=None if progress is None else lambda done: progress(min(done, n_queries)))

    report = Report(
        simulator=bench.version,
        build_seconds=built - began,
        seconds=time.monotonic() - built,
        waves=None if waves is None else str(waves),
    )
    for part, result in zip(traffic, results, strict=True):
        report.add(result, part.vectors.n_valid.size if part.last_cycle is None else 0)
    hold_cycles(report, design, traffic[-1].vectors, results[-1])
    return RegressionReport(design=design, report=report, missing=coverage.missing(report.coverage, design))


def traffic_of(design: Design, streams: Sequence[str], n_queries: int, seed: int) -> list[Traffic]:
    """Return what `regress` plays on an engine with these streams."""
    rng = np.random.default_rng(seed)
    own_rates = {name: float(rng.choice([0.0, 0.2, 0.8, 0.95], p=[0.3, 0.3, 0.3, 0.1])) for name in streams}
    loading = 2 * design.spec.n_keys * design.dimensions.fold
    broken_off = [int(rng.integers(1, limit)) for limit in (loading, loading, 40 * QUERIES_A_HEAD, 40 * QUERIES_A_HEAD)]
    return [
        *(
            _traffic(design, rng, QUERIES_A_HEAD, stall=0.3, beyond=True, last_cycle=last_cycle)
            for last_cycle in broken_off
        ),
        _traffic(design, rng, round(0.4 * n_queries), stall=0.5, append=True),
        _traffic(design, rng, round(0.2 * n_queries), stall=own_rates, append=True, beyond=True),
        _traffic(design, rng, round(0.3 * n_queries)),
        _traffic(design, rng, max(BACK_TO_BACK_QUERIES, round(0.1 * n_queries)), all_valid=True),
    ]


def _traffic(
    design: Design, rng: np.random.Generator, n_queries: int, *, all_valid: bool = False, **how: Any
) -> Traffic:
    """Draw at least `n_queries` queries, over heads of equal length, or of one head where all keys are valid."""
    n_heads = 1 if all_valid else max(1, -(-n_queries // QUERIES_A_HEAD))
    vectors = random_vectors(
        design.spec,
        rng,
        n_heads=n_heads,
        n_queries=max(1, -(-n_queries // n_heads)),
        has_mask=design.config.mask,
        has_range=design.config.range,
        all_valid=all_valid,
    )
    return Traffic(vectors=vectors, seed=int(rng.integers(2**31)), **how)


def run_random(number: int, n_queries: int, seed: int, simulator: str, power_up: str) -> RegressionReport:
    """Run a random design, the one of this number: a job of `main`."""
    return regress(engine_of(number, seed), n_queries, seed, simulator=simulator, power_up=power_up)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status, 1 if anything was wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m hamming.sim.regression",
        description="Random queries through random engines, every output bit against the golden model.",
    )
    parser.add_argument("--queries", type=int, default=100_000, help="in all (default: %(default)s)")
    parser.add_argument("--simulator", choices=runner.SIMULATORS, default=runner.SIMULATORS[0])
    parser.add_argument(
        "--power-up",
        choices=POWER_UPS,
        default=POWER_UPS[0],
        help="what registers and memories hold before the first reset (default: %(default)s)",
    )
    options, workers = parsed(parser, arguments, "queries", configurations=40)
    try:
        version = runner.simulator_version(options.simulator)
    except runner.SimulatorMissing as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2

    n_queries = -(-options.queries // options.configurations)
    jobs = {
        f"#{number}": (number, n_queries, options.seed, options.simulator, options.power_up)
        for number in range(options.configurations)
    }
    designs = [engine_of(number, options.seed) for number in range(options.configurations)]
    console = Console()
    began = time.monotonic()
    found: dict[str, RegressionReport | str] = {}
    try:
        with workers.results(run_random, jobs, "engines") as done:
            found.update(done)
    except pool.Failed as failed:
        found |= {name: pool.in_words(error) for name, error in failed.errors.items()}
    except pool.NoCluster as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    seconds = time.monotonic() - began
    results = [found[name] for name in jobs]

    reports = [result for result in results if isinstance(result, RegressionReport)]
    totals = {
        "simulator": version,
        "power_up": options.power_up,
        "seed": options.seed,
        "configurations": len(results),
        "queries": sum(one.report.queries for one in reports),
        "mismatches": sum(one.report.n_mismatches for one in reports),
        "violations": sum(len(one.report.violations) for one in reports),
        "simulated_cycles": sum(one.report.simulated_cycles for one in reports),
        "seconds": round(seconds, 1),
        "passed": all(isinstance(result, RegressionReport) and result.passed for result in results),
    }
    console.print(_table(designs, results))
    for name, result in zip(jobs, results, strict=True):
        for failure in _failures(result):
            console.print(f"{name}: {failure}", style="red", markup=False, highlight=False)
    console.print(
        f"{totals['queries']:,} queries through {totals['configurations']} engines in {version}, "
        f"{totals['simulated_cycles']:,} cycles, {seconds:.0f} s: {totals['mismatches']} mismatches, "
        f"{totals['violations']} protocol violations; {'passed' if totals['passed'] else 'FAILED'}",
        highlight=False,
    )
    if options.output is not None:
        told = [
            result.to_dict()
            if isinstance(result, RegressionReport)
            else {"spec": design.spec.to_dict(), "engine": design.config.to_dict(), "failure": result}
            for design, result in zip(designs, results, strict=True)
        ]
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(totals | {"designs": told}, indent=1) + "\n", encoding="utf-8")
    return 0 if totals["passed"] else 1


def _failures(result: RegressionReport | str) -> list[str]:
    if isinstance(result, str):
        return [result]
    slow = []
    if not result.is_fast:
        slow = [f"{result.report.cycles_a_query:.1f} cycles a query, expected {result.report.cycles_expected:.1f}"]
    return [*result.report.violations, *result.report.mismatches, *slow]


def _table(designs: Sequence[Design], results: Sequence[RegressionReport | str]) -> Table:
    table = Table(title="Random engines", caption="cycles a query, back to back: measured / stated at most")
    table.add_column("#", justify="right")
    table.add_column("spec")
    table.add_column("engine")
    for name in ("queries", "mismatches", "cycles"):
        table.add_column(name, justify="right")
    table.add_column("never met")
    for number, (design, result) in enumerate(zip(designs, results, strict=True)):
        spec, config = design.spec, design.config
        engine = [
            f"{config.n_lanes} x {design.dimensions.n_macs}",
            config.selector,
            *dict.fromkeys(config.memories),
            config.table,
        ]
        options = {"mask": config.mask, "index": config.expose_index, "range": config.range}
        engine += [name for name, is_there in options.items() if is_there]
        engine += [f"{config.n_queries_a_row} queries a row"] * (config.n_queries_a_row > 1)
        engine += [f"{config.n_engines} engines"] * (config.n_engines > 1)
        engine += [f"{spec.n_tables} tables"] * (spec.n_tables > 1) + [f"{spec.n_sinks} sinks"] * (spec.n_sinks > 0)
        row = [str(number), f"d {spec.d_head}, {spec.d_value} n {spec.n_keys} k {spec.top_k}", " ".join(engine)]
        if isinstance(result, RegressionReport):
            report = result.report
            row += [str(report.queries), str(report.n_mismatches)]
            row += [f"{report.cycles_a_query:.1f} / {report.cycles_expected:.0f}", " ".join(result.missing)]
        else:
            row += ["broke down", "", "", ""]
        table.add_row(*row, style=None if isinstance(result, RegressionReport) and result.passed else "red")
    return table


if __name__ == "__main__":
    from hamming.sim import regression  # by its name, by which workers find it

    sys.exit(regression.main())
