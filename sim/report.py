"""How a simulation went: what was compared, what was wrong, and cycles a query beside those that are stated."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hamming.rtl.design import Design
from hamming.sim import coverage
from hamming.sim.stimulus import Vectors
from hamming.sim.testbench import Result

__all__ = ["Report", "hold_cycles"]


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
