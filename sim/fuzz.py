"""`python -m hamming.sim.fuzz`: anything on every port of random engines, and what they owe whatever comes."""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hamming import pool
from hamming.rtl.design import Design
from hamming.rtl.manifest import manifest
from hamming.rtl.memory_wrapper import memory_wrapper, wrapper_name
from hamming.rtl.top import top
from hamming.rtl.verilog import emit
from hamming.sim import case, runner
from hamming.sim.fuzz_check import check
from hamming.sim.fuzz_harness import fuzz_harness
from hamming.sim.fuzz_log import Log
from hamming.sim.harness import library
from hamming.sim.many_engines import engine_of, parsed
from hamming.sim.worst_case import with_macros, without_initial_values

__all__ = ["FuzzReport", "fuzz", "play"]

TOP = "hamming_fuzz"


@dataclass(kw_only=True)
class FuzzReport:
    """Anything through one engine.

    Attributes
    ----------
    cycles
        Simulated.
    messages
        What was wrong, in words (the first ones).
    counts
        How much was looked at (`sim.fuzz_check`), and `wrong`, how often something was.
    seconds, check_seconds
        Wall time of build and simulation, and of the look at the log.
    """

    cycles: int
    messages: list[str]
    counts: dict[str, int]
    seconds: float
    check_seconds: float

    @property
    def passed(self) -> bool:
        """True if nothing was wrong."""
        return not self.messages

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON's types."""
        return dataclasses.asdict(self) | {"passed": self.passed}


def fuzz(design: Design, n_cycles: int, seed: int = 0) -> FuzzReport:
    """Drive every port of an engine with anything, and hold what it does against what it owes.

    Indices, `n_valid` and tables out of every range, masters that withdraw and change what they offer, sinks that pause
    for long, resets at any time, for one cycle or back to back, in phases of some hundreds of cycles: in some
    everything at once, in others a part of it, so that there is something to compare. The harness drives
    (`sim.fuzz_harness`), and afterwards its log is checked (`sim.fuzz_check`).

    Parameters
    ----------
    design
        Spec and configuration.
    n_cycles
        Cycles to run.
    seed
        Of everything random.

    Raises
    ------
    ValueError
        The engine is behind AXI: its ports are watched by `sim.protocol`, and what they owe is proved.
    SimulatorMissing, SimulationFailed
        As of `sim.runner`.

    Notes
    -----
    Verilator alone: a query may see rows that were never written, and is owed an answer of some kind. X for their bits
    would spread to where no bits in hardware can.
    """
    began = time.monotonic()
    described, log = play(design, n_cycles, seed)
    played = time.monotonic()
    found = check(design, described, log)
    return FuzzReport(
        cycles=n_cycles,
        messages=found.messages,
        counts=found.counts,
        seconds=played - began,
        check_seconds=time.monotonic() - played,
    )


def play(design: Design, n_cycles: int, seed: int = 0) -> tuple[dict[str, Any], Log]:
    """Drive an engine, and return its manifest and what its harness wrote down; arguments as of `fuzz`."""
    if design.config.bus != "stream":
        raise ValueError(f"anything is sent to engines of bus 'stream', not {design.config.bus!r}; see sim.protocol")
    engine = top(design.spec, design.config)
    name = design.config.name
    verilog = emit(engine, name)
    described = manifest(engine, verilog)
    sources = {
        f"{name}.v": without_initial_values(with_macros(verilog)),
        f"{TOP}.v": fuzz_harness(described, TOP),
        **library(),
    }
    if described["memory_ports"]:
        sources[f"{wrapper_name(described)}.v"] = memory_wrapper(described)
    build = runner.build(sources, TOP)
    arguments = [f"+cycles={n_cycles}", f"+seed={seed}", f"+verilator+seed+{seed % (2**31 - 1) + 1}"]
    folder = Path(tempfile.mkdtemp(prefix="hamming-"))
    case.save(folder, "case_0", {})
    runner.run(build, "hamming.sim.bench_fuzz", folder, arguments=arguments)
    log = Log(folder, described)
    shutil.rmtree(folder)
    return described, log


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


if __name__ == "__main__":
    from hamming.sim import fuzz as module  # by its name, by which workers find it

    sys.exit(module.main())
