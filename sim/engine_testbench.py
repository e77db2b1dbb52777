"""An engine's Verilog, compiled beside its bench, and traffic through it: every bit is held against golden."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hamming.golden.attention import Attention, attend
from hamming.golden.score import matches
from hamming.rtl.design import Design
from hamming.rtl.manifest import manifest
from hamming.rtl.top import top
from hamming.rtl.verilog import emit
from hamming.sim import coverage, groups, runner
from hamming.sim.stimulus import Vectors
from hamming.sim.testbench import Case, Result, Testbench

__all__ = ["EngineTestbench", "Traffic", "random_memory"]

#: Cycles without a transfer after which an engine hangs, beyond four times its latency.
_WATCHDOG_CYCLES = 1000


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
