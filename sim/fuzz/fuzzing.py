"""Anything on every port of an engine, and what it owes whatever comes."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hamming.rtl.design import Design
from hamming.rtl.manifest import manifest
from hamming.rtl.memory_wrapper import memory_wrapper, wrapper_name
from hamming.rtl.top import top
from hamming.rtl.verilog import emit
from hamming.sim import case, runner
from hamming.sim.fuzz.check import check
from hamming.sim.fuzz.harness import fuzz_harness
from hamming.sim.fuzz.log import Log
from hamming.sim.harness import library
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
        How much was looked at (`sim.fuzz.check`), and `wrong`, how often something was.
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
    (`sim.fuzz.harness`), and afterwards its log is checked (`sim.fuzz.check`).

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
