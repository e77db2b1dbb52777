"""The command line: anything on every port of random engines."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from hamming import pool
from hamming.rtl.design import Design
from hamming.sim import runner
from hamming.sim.fuzz.fuzzing import FuzzReport, fuzz
from hamming.sim.many_engines import engine_of, parsed

__all__ = ["main", "run_random"]


def run_random(number: int, seed: int, n_cycles: int) -> FuzzReport:
    """Fuzz a random design, the one of this number: a job of `main`."""
    return fuzz(engine_of(number, seed), n_cycles, 1000 * seed + number)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status, 1 if anything was wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m hamming.sim.fuzz",
        description="Anything on every port of random engines: no hang, no wrong answer, no harm to others.",
    )
    parser.add_argument("--cycles", type=int, default=1_000_000, help="of each design (default: %(default)s)")
    options, workers = parsed(parser, arguments, "cycles", configurations=20)
    try:
        version = runner.simulator_version("verilator")
    except runner.SimulatorMissing as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2

    jobs = {f"#{number}": (number, options.seed, options.cycles) for number in range(options.configurations)}
    found: dict[str, FuzzReport | str] = {}
    try:
        with workers.results(run_random, jobs, "engines") as done:
            for name, report in done:
                found[name] = report
                _tell(name, engine_of(jobs[name][0], options.seed), report)
    except pool.Failed as failed:
        for name, error in failed.errors.items():
            found[name] = pool.in_words(error)
            _tell(name, engine_of(jobs[name][0], options.seed), found[name])
    except pool.NoCluster as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    designs: list[dict[str, Any]] = []
    for name, (number, *_) in jobs.items():
        design, report = engine_of(number, options.seed), found[name]
        told = {"passed": False, "failure": report} if isinstance(report, str) else report.to_dict()
        designs.append({"spec": design.spec.to_dict(), "engine": design.config.to_dict(), **told})
    passed = all(one["passed"] for one in designs)
    n_cycles = sum(one.get("cycles", 0) for one in designs)
    print(f"{n_cycles:,} cycles on {len(designs)} engines in {version}: {'passed' if passed else 'FAILED'}")
    if options.output is not None:
        told = {"simulator": version, "seed": options.seed, "passed": passed, "designs": designs}
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return 0 if passed else 1


def _tell(name: str, design: Design, report: FuzzReport | str) -> None:
    spec, config = design.spec, design.config
    what = f"{name} d {spec.d_head}, {spec.d_value} n {spec.n_keys} k {spec.top_k}, {config.n_lanes} lanes"
    if isinstance(report, str):
        print(f"{what}: {report}", flush=True)
        return
    counts = report.counts
    print(
        f"{what}: {counts.get('queries', 0):,} queries, {counts.get('selections compared', 0):,} selections and "
        f"{counts.get('outputs compared', 0):,} outputs compared, {counts.get('lone queries', 0):,} lone, "
        f"{counts.get('resets', 0):,} resets, {counts.get('wrong', 0)} wrong; "
        f"played in {report.seconds:.0f} s, checked in {report.check_seconds:.0f} s",
        flush=True,
    )
    for message in report.messages:
        print(f"    {message}", flush=True)
