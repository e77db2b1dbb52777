"""Vectors through the emitted Verilog: build, run, and hold what comes out against golden model and manifest."""

from __future__ import annotations

import dataclasses
import importlib.util
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hamming.golden.attention import Attention, attend
from hamming.golden.score import matches
from hamming.golden.spec import AttentionSpec
from hamming.rtl.config import EngineConfig
from hamming.rtl.design import Design
from hamming.rtl.manifest import manifest
from hamming.rtl.top import top
from hamming.rtl.verilog import emit
from hamming.sim import coverage, groups, runner
from hamming.sim.stimulus import Vectors
from hamming.sim.testbench import Case, Result, Testbench

__all__ = ["EngineTestbench", "Report", "SimulationResult", "Traffic", "hold_cycles", "simulate"]

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
    beyond
        Inputs are out of range now and then (`sim.bench_engine`); what they then mean is expected.
    last_cycle
        Break off after this cycle, in the middle of things; nothing may be wrong until then.
    memory
        How memories of requests behave (`sim.harness.MEMORY_CONTROLS`). None: they answer in the next cycle, or, where
        there are stalls, at random; where inputs are out of range, wrongly now and then.
    """

    vectors: Vectors
    expected: Attention | None = None
    stall: float | dict[str, float] = 0.0
    append: bool = False
    beyond: bool = False
    seed: int = 0
    last_cycle: int | None = None
    memory: dict[str, int] | None = None


def _is_installed(*modules: str) -> bool:
    """Return whether modules are there, each the package of the next one."""
    return all(importlib.util.find_spec(module) is not None for module in modules)


class EngineTestbench:
    """An engine, emitted and compiled, ready for traffic.

    Parameters
    ----------
    design
        Spec and configuration.
    simulator
        One of `sim.runner.SIMULATORS`.
    waves
        File in which to leave a trace, slower: VCD from Verilator, FST from Icarus. None: no trace.
    points
        File in which to leave the points of the Verilog that were met (Verilator's code coverage). None: none.

    power_up
        One of `sim.worst_case.POWER_UPS`.
    change
        What to make of Verilog and manifest before they are compiled (`audit.mutant_benches`). None: nothing.

    Attributes
    ----------
    design
        As given.
    verilog, manifest
        The engine's.
    testbench
        What plays its cases.
    version
        What the simulator calls itself.
    """

    def __init__(
        self,
        design: Design,
        *,
        simulator: str = "verilator",
        waves: Path | None = None,
        points: Path | None = None,
        power_up: str = "unknown",
        change: Callable[[str, dict[str, Any]], tuple[str, dict[str, Any]]] | None = None,
    ) -> None:
        # What can be wrong, before the work.
        self.version = runner.simulator_version(simulator)
        if waves is not None:
            runner.check_waves(simulator, waves)
        self._waves = waves
        self._points = points
        self.design = design
        if design.config.bus == "axi" and not _is_installed("cocotbext", "cocotbext.axi"):
            raise runner.SimulatorMissing(
                "an engine behind AXI is simulated with cocotbext-axi, which is not installed; "
                "install it (pip install 'hamming-attention[axi]')"
            )
        if design.config.chain:
            raise runner.SimulationFailed(
                "one engine of a chain answers nothing without the others; without chain = true all are simulated"
            )
        engine = top(design.spec, design.config)
        self.verilog = emit(engine, design.config.name)
        self.manifest = manifest(engine, self.verilog)
        if change is not None:
            self.verilog, self.manifest = change(self.verilog, self.manifest)
        self.testbench = Testbench(
            self.verilog,
            self.manifest,
            "hamming.sim.bench_axi" if "registers" in self.manifest else "hamming.sim.bench_engine",
            simulator=simulator,
            waves=waves is not None,
            coverage=points is not None,
            power_up=power_up,
        )

    def run(
        self,
        traffic: Sequence[Traffic],
        *,
        progress: Callable[[int], None] | None = None,
    ) -> list[Result]:
        """Play each traffic, from a reset on, in one run of the simulator.

        Parameters
        ----------
        traffic
            One after the other.
        progress
            Called with the number of queries completed.

        Returns
        -------
        Results with arrays `out`, `index` (where exposed), `is_empty`, as of `golden.attention.Attention`, received
        from the Verilog, and `cycles` of each query, from the completion of the one before, or its first offer if
        that is later, to its own.

        Raises
        ------
        SimulationFailed
            The simulator ended early.
        ValueError, TypeError
            The vectors do not fit the spec.
        """
        expected = [part.expected or self._attend(part.vectors) for part in traffic]
        cases = self.cases(traffic, expected)
        results = self.testbench.run(cases, waves=self._waves, coverage=self._points, progress=progress)
        return [
            dataclasses.replace(
                result,
                coverage=coverage.of_queries(self.design, part.vectors, attention) | result.coverage,
                arrays=groups.without_fill(result.arrays, part.vectors.n_valid.shape[1]),
            )
            if part.last_cycle is None
            else result
            for result, part, attention in zip(results, traffic, expected, strict=True)
        ]

    def cases(self, traffic: Sequence[Traffic], expected: Sequence[Attention] | None = None) -> list[Case]:
        """Return what the bench plays for each traffic."""
        expected = expected or [part.expected or self._attend(part.vectors) for part in traffic]
        return [self._case(*pair) for pair in zip(traffic, expected, strict=True)]

    def _attend(self, vectors: Vectors) -> Attention:
        return attend(self.design.spec, vectors.q, vectors.k, vectors.v, **vectors.limits)

    def _waiting(self, latency: int, memory: Mapping[str, int]) -> int:
        """Return how many cycles, and as many again for pauses, memories of requests may add to a query's latency."""
        if "request" not in self.design.config.memories:
            return 0
        slowest = memory.get("latency_most", memory["latency_least"]) + memory.get("refresh", 0)
        return 2 * slowest * (1 + latency // self.design.dimensions.outstanding)

    def _case(self, traffic: Traffic, expected: Attention) -> Case:
        vectors = traffic.vectors
        latency = self.manifest["cycles"]["latency"]["cycles"]
        memory = random_memory(traffic) if traffic.memory is None else traffic.memory
        score = np.stack([matches(q, k) for q, k in zip(vectors.q, vectors.k, strict=True)]).astype(np.int64)
        score = np.take_along_axis(score, np.maximum(expected.index, 0), axis=-1) if score.size else expected.index
        return Case(
            fields={
                "spec": self.manifest["spec"],
                "engine": self.manifest["engine"],
                "watchdog": _WATCHDOG_CYCLES + 4 * latency + self._waiting(latency, memory),
                "drain": latency,
                "seed": traffic.seed,
                "stall": traffic.stall,
                "append": traffic.append,
                "beyond": traffic.beyond,
                "last_cycle": traffic.last_cycle,
                "memory": memory,
            },
            arrays=groups.filled(
                vectors.arrays()
                | {
                    "expected_out": expected.out,
                    "expected_is_empty": expected.is_empty,
                    "expected_index": expected.index,
                    "expected_deficit": score[..., :1] - score,  # the best key comes first
                },
                self.design.config.n_queries_a_row,
            ),
        )


def random_memory(traffic: Traffic) -> dict[str, int]:
    """Draw how memories of requests behave where the traffic leaves it open."""
    rng = np.random.default_rng(traffic.seed)
    found = {"latency_least": 1}
    if traffic.stall:
        found["latency_least"] = int(rng.choice([1, 2, 5, 40]))
        found["latency_more"] = int(rng.choice([0, 1, 4, 60]))
        found["latency_most"] = 400
        found["pauses"] = int(rng.choice([0, 64, 192]))
        found |= {"refresh_every": 200, "refresh": 50} if rng.integers(2) else {}
    if traffic.beyond:
        found |= {"wrongs": int(rng.choice([0, 4])), "strays": int(rng.choice([0, 32]))}
    return found


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
        As of `sim.testbench.Result`, over everything.
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

    def add(self, result: Result, n_queries: int) -> None:
        """Take a result in."""
        self.queries += n_queries
        self.n_mismatches += result.n_mismatches
        self.mismatches += result.mismatches
        self.violations += result.violations
        self.simulated_cycles += result.cycles
        coverage.add(self.coverage, result.coverage)


@dataclass(frozen=True, kw_only=True, eq=False)
class SimulationResult:
    """What the Verilog made of a user's vectors, shaped as golden's result.

    Attributes
    ----------
    out, index, is_empty
        As of `golden.attention.Attention`, received from the Verilog; `index` is None if it is not exposed.
    cycles
        Of each query, from the completion of the one before, or its first offer if that is later, to its own.
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
    first: ArrayLike | None = None,
    base: ArrayLike | None = None,
    table: ArrayLike | None = None,
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
        The engine. If there is a `mask`, or a `first`, it is built for it, whatever `config` says; the report notes
        that.
    q, k, v, n_valid, mask, first, base, table
        As of `golden.attention.attend`. For each head, which is each place of the leading axes, the memories are
        loaded anew.
    simulator
        `verilator` or `icarus`.
    waves
        File in which to leave a trace, slower: VCD from Verilator, FST from Icarus.
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
    waves = None if waves is None else Path(waves)
    for name, array, option in (("a mask", mask, "mask"), ("ranges", first, "range")):
        if array is not None and not getattr(config, option):
            config = dataclasses.replace(config, **{option: True})
            notes.append(f"the vectors have {name}: the engine was built with {option} = true")
    design = Design(spec, config)
    # Checks the vectors, too.
    limits = {"n_valid": n_valid, "mask": mask, "first": first, "base": base, "table": table}
    expected = attend(spec, q, k, v, **limits)
    lead = expected.is_empty.shape[:-1]
    vectors = _in_heads(expected.is_empty.shape, q, k, v, limits)
    n_queries = vectors.n_valid.size
    if not n_queries:
        return _nothing(expected, design, runner.simulator_version(simulator), notes)

    began = time.monotonic()
    bench = EngineTestbench(design, simulator=simulator, waves=waves)
    built = time.monotonic()
    heads = {name: array.reshape(math.prod(lead), *array.shape[len(lead) :]) for name, array in vars(expected).items()}
    [result] = bench.run(
        [Traffic(vectors=vectors, expected=Attention(**heads), stall=_STALL if stalls else 0.0, seed=seed)],
        progress=None if progress is None else lambda done: progress(done, n_queries),
    )
    if progress is not None:
        progress(n_queries, n_queries)
    report = Report(
        simulator=bench.version,
        notes=notes,
        build_seconds=built - began,
        seconds=time.monotonic() - built,
        waves=None if waves is None else str(waves),
    )
    report.add(result, n_queries)
    if not stalls:
        hold_cycles(report, bench.design, vectors, result)

    # What else a bench puts down is not of one query.
    of_queries = {name: result.arrays[name] for name in ("out", "index", "is_empty", "cycles") if name in result.arrays}
    arrays = {name: array.reshape(*lead, *array.shape[1:]) for name, array in of_queries.items()}
    return SimulationResult(
        out=arrays["out"],
        index=arrays.get("index"),
        is_empty=arrays["is_empty"],
        cycles=arrays["cycles"],
        report=report,
    )


def hold_cycles(report: Report, design: Design, vectors: Vectors, result: Result) -> None:
    """Note the mean cycles of queries that came back to back, and what the configuration says of the same ones."""
    # A head's first group waits for its rows, and fills the pipeline; its last one may be filled with other queries.
    dims = design.dimensions
    n = dims.n_queries_a_row
    some = slice(n, vectors.n_valid.shape[1] // n * n)
    measured = result.arrays["cycles"][:, some].ravel()
    if not measured.size:
        return
    named = np.stack([vectors.named(name)[:, some].ravel() for name in ("n_valid", "first", "base")], axis=1)
    found, count = np.unique(named.reshape(-1, 3 * n), axis=0, return_counts=True)
    ranges = found.reshape(-1, n, 3).tolist()
    sizes = [([dims.keys_seen(*one) for one in group], dims.rows_read_for(group)) for group in ranges]
    expected = [max(dims.cycle_terms(*size).values()) / n for size in sizes]
    bound = [dims.bound(*size) / n for size in sizes]
    report.cycles_a_query = float(measured.mean())
    report.cycles_expected = float(np.average(expected, weights=count))
    report.cycles_bound = float(np.average(bound, weights=count))


def _nothing(expected: Attention, design: Design, version: str, notes: list[str]) -> SimulationResult:
    """Return what the Verilog makes of no queries, for which nothing needs to be built."""
    return SimulationResult(
        out=expected.out,
        index=expected.index if design.config.expose_index else None,
        is_empty=expected.is_empty,
        cycles=np.zeros(expected.is_empty.shape, np.int64),
        report=Report(simulator=version, notes=[*notes, "the vectors have no queries: nothing was simulated"]),
    )


def _in_heads(
    shape: tuple[int, ...], q: ArrayLike, k: ArrayLike, v: ArrayLike, limits: Mapping[str, ArrayLike | None]
) -> Vectors:
    """Return checked vectors, of queries of this shape, with exactly one leading axis."""
    lead, n_queries, n_keys = shape[:-1], shape[-1], np.shape(k)[-2]
    others = dict(limits)
    n_valid, mask = others.pop("n_valid"), others.pop("mask")
    if not n_keys:  # one that no query sees, for the bench to write
        k, v = (np.zeros((1, np.shape(x)[-1]), np.uint8) for x in (k, v))
        return _in_heads(shape, q, k, v, {**limits, "n_valid": 0, "mask": None})

    def spread(x: ArrayLike, *own: int) -> NDArray:
        return np.broadcast_to(x, (*lead, *own)).reshape(math.prod(lead), *own)

    def rows(x: ArrayLike, dtype: type) -> NDArray:
        return spread(np.asarray(x, dtype), *np.shape(x)[-2:])

    return Vectors(
        q=rows(q, np.uint8),
        k=rows(k, np.uint8),
        v=rows(v, np.int64),
        n_valid=spread(n_keys if n_valid is None else np.asarray(n_valid, np.int64), n_queries),
        mask=None if mask is None else spread(np.asarray(mask, bool), n_queries, n_keys),
        **{name: spread(np.asarray(x, np.int64), n_queries) for name, x in others.items() if x is not None},
    )
