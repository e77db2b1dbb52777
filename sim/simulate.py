"""Vectors through the emitted Verilog: build, run, and hold what comes out against golden model and manifest."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from golden.attention import Attention, attend
from golden.score import matches
from golden.spec import AttentionSpec
from rtl.config import EngineConfig
from rtl.design import Design
from rtl.engine import Engine
from rtl.manifest import manifest
from rtl.verilog import emit
from sim import case, coverage, runner
from sim.harness import TOP, harness, library
from sim.payloads import read_streams
from sim.stimulus import Vectors

__all__ = ["Outcome", "Report", "SimulationResult", "Testbench", "Traffic", "simulate"]

#: Cycles without a transfer after which an engine hangs, beyond four times its latency.
_WATCHDOG_CYCLES = 1000

#: Share of cycles in which streams pause where stalls are asked for.
_STALL = 0.5


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """Vectors, and how they reach the engine.

    Parameters
    ----------
    vectors
        Queries, keys and values of one head after the other.
    expected
        What to hold the outputs against; None: what `golden.attention.attend` says.
    stall
        Share of cycles in which each source or sink pauses; 0 is full rate. By stream where a mapping.
    append
        Queries wait for the rows that they see, not for all: as in decoding.
    seed
        Of pauses and of the order of rows.
    last_cycle
        Break off after this cycle, in the middle of things; nothing may be wrong until then.
    """

    vectors: Vectors
    expected: Attention | None = None
    stall: float | dict[str, float] = 0.0
    append: bool = False
    seed: int = 0
    last_cycle: int | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """What came out for one traffic.

    Attributes
    ----------
    out, index, is_empty
        As of `golden.attention.Attention`, received from the Verilog; `index` is None if it is not exposed.
    cycles
        Of each query, from the completion of the one before, or its first offer if that is later, to its own.
    mismatches, n_mismatches
        What differs from the golden model, in words (the first ones), and how often.
    violations
        Breaches of the streams' protocol.
    coverage
        Counts by situation (`sim.coverage`).
    n_cycles
        Cycles simulated.
    """

    out: NDArray[np.int64]
    index: NDArray[np.int64] | None
    is_empty: NDArray[np.bool_]
    cycles: NDArray[np.int64]
    mismatches: list[str]
    n_mismatches: int
    violations: list[str]
    coverage: dict[str, int]
    n_cycles: int


class Testbench:
    """An engine, emitted and compiled, ready for traffic.

    Parameters
    ----------
    design
        Spec and configuration.
    simulator, waves
        As of `sim.runner.build`.

    Attributes
    ----------
    design
        As given.
    manifest
        The engine's.
    build
        The compiled harness.
    """

    def __init__(self, design: Design, *, simulator: str = "verilator", waves: bool = False) -> None:
        runner.simulator_version(simulator)  # before the work, if it is missing
        self.design = design
        engine = Engine(design.spec, design.config)
        verilog = emit(engine, design.config.name)
        self.manifest = manifest(engine, verilog)
        top = harness(
            design.config.name,
            self.manifest["ports"],
            read_streams(self.manifest["streams"]),
            self.manifest["memory_ports"],
        )
        sources = {self.manifest["verilog"]: verilog, f"{TOP}.v": top, **library()}
        self.build = runner.build(sources, TOP, simulator=simulator, waves=waves)

    def run(
        self,
        traffic: Sequence[Traffic],
        *,
        waves: Path | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> list[Outcome]:
        """Play each traffic, from a reset on, in one run of the simulator.

        Parameters
        ----------
        traffic
            One after the other.
        waves
            File of the trace, FST.
        progress
            Called with the number of queries completed.

        Raises
        ------
        SimulationFailed
            The simulator ended early; its folder is kept.
        ValueError, TypeError
            The vectors do not fit the spec.
        """
        folder = Path(tempfile.mkdtemp(prefix="hamming-"))
        expected = [part.expected or self._attend(part.vectors) for part in traffic]
        for number, (part, attention) in enumerate(zip(traffic, expected, strict=True)):
            self._save(folder, number, part, attention)
        runner.run(self.build, "sim.bench_engine", folder, waves=waves, progress=progress)
        outcomes = [
            self._outcome(*case.load(folder, f"result_{number}"), part, attention)
            for number, (part, attention) in enumerate(zip(traffic, expected, strict=True))
        ]
        shutil.rmtree(folder)
        return outcomes

    def _attend(self, vectors: Vectors) -> Attention:
        return attend(
            self.design.spec, vectors.q, vectors.k, vectors.v, n_valid=vectors.n_valid, mask=vectors.mask
        )

    def _save(self, folder: Path, number: int, traffic: Traffic, expected: Attention) -> None:
        fields = {
            "streams": self.manifest["streams"],
            "spec": self.manifest["spec"],
            "engine": self.manifest["engine"],
            "watchdog": _WATCHDOG_CYCLES + 4 * self.manifest["cycles"]["latency"]["cycles"],
            "seed": traffic.seed,
            "stall": traffic.stall,
            "append": traffic.append,
            "last_cycle": traffic.last_cycle,
        }
        vectors = traffic.vectors
        score = np.stack([matches(q, k) for q, k in zip(vectors.q, vectors.k, strict=True)]).astype(np.int64)
        score = np.take_along_axis(score, np.maximum(expected.index, 0), axis=-1) if score.size else expected.index
        arrays = vectors.arrays() | {
            "expected_out": expected.out,
            "expected_index": expected.index,
            "expected_deficit": score[..., :1] - score,  # the best key comes first
            "expected_is_empty": expected.is_empty,
        }
        case.save(folder, f"case_{number}", fields, arrays)

    def _outcome(
        self, report: dict[str, Any], arrays: dict[str, NDArray], traffic: Traffic, expected: Attention
    ) -> Outcome:
        is_whole = traffic.last_cycle is None
        points = coverage.of_queries(self.design, traffic.vectors, expected) if is_whole else {}
        return Outcome(
            out=arrays["out"],
            index=arrays.get("index"),
            is_empty=arrays["is_empty"],
            cycles=arrays["cycles"],
            mismatches=report["mismatches"],
            n_mismatches=report["n_mismatches"],
            violations=report["violations"],
            coverage=points | report["coverage"],
            n_cycles=report["cycles"],
        )


@dataclass(kw_only=True)
class Report:
    """How a simulation went.

    Attributes
    ----------
    simulator
        Its name and version.
    queries
        Queries whose outputs were compared.
    mismatches, n_mismatches, violations, coverage
        As of `Outcome`, over everything.
    cycles_a_query
        Mean over the queries that were offered before the one before them was complete; None without such.
    cycles_expected, cycles_bound
        What the configuration says of the same queries: the largest of `Dimensions.cycle_terms`, and the bound that
        lanes and multipliers set.
    notes
        What was done that the caller may not expect.
    simulated_cycles
        In all.
    seconds, build_seconds
        Wall time of the run, and of emission and build.
    waves
        File of the trace, if one was asked for.
    """

    simulator: str
    queries: int = 0
    n_mismatches: int = 0
    mismatches: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    cycles_a_query: float | None = None
    cycles_expected: float | None = None
    cycles_bound: float | None = None
    coverage: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    simulated_cycles: int = 0
    seconds: float = 0.0
    build_seconds: float = 0.0
    waves: str | None = None

    @property
    def passed(self) -> bool:
        """True if nothing was wrong."""
        return not self.n_mismatches and not self.violations

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON's types."""
        return dataclasses.asdict(self) | {"passed": self.passed}

    def add(self, outcome: Outcome, n_queries: int) -> None:
        """Take an outcome in."""
        self.queries += n_queries
        self.n_mismatches += outcome.n_mismatches
        self.mismatches += outcome.mismatches
        self.violations += outcome.violations
        self.simulated_cycles += outcome.n_cycles
        coverage.add(self.coverage, outcome.coverage)


@dataclass(frozen=True, kw_only=True, eq=False)
class SimulationResult:
    """What the Verilog made of a user's vectors, shaped as golden's result.

    Attributes
    ----------
    out, index, is_empty, cycles
        As of `Outcome`.
    report
        How it went.
    """

    out: NDArray[np.int64]
    index: NDArray[np.int64] | None
    is_empty: NDArray[np.bool_]
    cycles: NDArray[np.int64]
    report: Report


def simulate(
    spec: AttentionSpec,
    config: EngineConfig,
    q: ArrayLike,
    k: ArrayLike,
    v: ArrayLike,
    *,
    n_valid: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    simulator: str = "verilator",
    waves: Path | str | None = None,
    stalls: bool = False,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> SimulationResult:
    """Send vectors through the engine's Verilog and hold every bit against `golden.attention.attend`.

    Parameters
    ----------
    spec, config
        The engine. If there is a `mask`, it is built with one, whatever `config` says; the report notes it.
    q, k, v, n_valid, mask
        As of `golden.attention.attend`, with one leading axis (heads) at most. For each head the memories are
        loaded anew.
    simulator
        `verilator` or `icarus`.
    waves
        File in which to leave a trace (FST); slower.
    stalls
        Pause all streams at random. Without, everything runs at full rate.
    seed
        Of the pauses, and of the order in which rows are written.
    progress
        Called now and then with the number of queries completed, and of all queries.

    Raises
    ------
    SimulatorMissing
        The simulator is not installed; the message says what to do.
    SimulationFailed
        The simulator could not build or run. What the Verilog does wrong is in the report instead.
    TypeError, ValueError
        As of `golden.attention.attend`.
    """
    notes = []
    if mask is not None and not config.mask:
        config = dataclasses.replace(config, mask=True)
        notes.append("the vectors have a mask: the engine was built with mask = true")
    # Checks the vectors, too.
    expected = attend(spec, q, k, v, n_valid=n_valid, mask=mask)
    if expected.is_empty.ndim > 2:
        raise ValueError(f"q, k and v must have one leading axis at most, for heads, not {expected.is_empty.shape[:-1]}")
    is_single = expected.is_empty.ndim == 1
    if is_single:
        expected = Attention(**{name: array[None] for name, array in vars(expected).items()})
    vectors = _with_heads(len(expected.is_empty), q, k, v, n_valid, mask)

    began = time.monotonic()
    bench = Testbench(Design(spec, config), simulator=simulator, waves=waves is not None)
    built = time.monotonic()
    n_queries = vectors.n_valid.size
    [outcome] = bench.run(
        [Traffic(vectors=vectors, expected=expected, stall=_STALL if stalls else 0.0, seed=seed)],
        waves=None if waves is None else Path(waves),
        progress=None if progress is None else lambda done: progress(done, n_queries),
    )
    if progress is not None:
        progress(n_queries, n_queries)
    report = Report(
        simulator=bench.build.version,
        notes=notes,
        build_seconds=built - began,
        seconds=time.monotonic() - built,
        waves=None if waves is None else str(waves),
    )
    report.add(outcome, n_queries)
    if not stalls:
        hold_cycles(report, bench.design, vectors, outcome)

    def shaped(array: Any) -> Any:
        return array[0] if is_single and array is not None else array

    return SimulationResult(
        out=shaped(outcome.out),
        index=shaped(outcome.index),
        is_empty=shaped(outcome.is_empty),
        cycles=shaped(outcome.cycles),
        report=report,
    )


def hold_cycles(report: Report, design: Design, vectors: Vectors, outcome: Outcome) -> None:
    """Note the mean cycles of queries that came back to back, and what the configuration says of the same ones."""
    # A head's first query waits for its rows, and fills the pipeline.
    measured = outcome.cycles[:, 1:].ravel()
    if not measured.size:
        return
    dims = design.dimensions
    n_valid, count = np.unique(vectors.n_valid[:, 1:], return_counts=True)
    expected = [max(dims.cycle_terms(int(n)).values()) for n in n_valid]
    bound = [dims.bound(int(n)) for n in n_valid]
    report.cycles_a_query = float(measured.mean())
    report.cycles_expected = float(np.average(expected, weights=count))
    report.cycles_bound = float(np.average(bound, weights=count))


def _with_heads(
    n_heads: int, q: ArrayLike, k: ArrayLike, v: ArrayLike, n_valid: ArrayLike | None, mask: ArrayLike | None
) -> Vectors:
    """Return checked vectors with exactly one leading axis."""
    q, k, v = (np.broadcast_to(x, (n_heads, *np.shape(x)[-2:])) for x in (q, k, v))
    n_queries, n_keys = q.shape[1], k.shape[1]
    return Vectors(
        q=q.astype(np.uint8),
        k=k.astype(np.uint8),
        v=v.astype(np.int64),
        n_valid=np.broadcast_to(n_keys if n_valid is None else n_valid, (n_heads, n_queries)),
        mask=None if mask is None else np.broadcast_to(mask, (n_heads, n_queries, n_keys)),
    )
