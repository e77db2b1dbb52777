"""Random regression: random stimulus for one design, or for many random designs (`python -m sim.regression`)."""

from __future__ import annotations

import argparse
import dataclasses
import json
import multiprocessing
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from golden.spec import AttentionSpec, exponential_table
from rtl.config import EngineConfig
from rtl.design import Design
from sim import coverage, runner
from sim.simulate import EngineTestbench, Report, Traffic, hold_cycles
from sim.stimulus import random_vectors

__all__ = ["RegressionReport", "random_design", "regress"]

#: Queries between two loads of the memories.
QUERIES_A_HEAD = 50

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
    progress: Callable[[int], None] | None = None,
) -> RegressionReport:
    """Run random stimulus through a design's Verilog.

    A reset breaks off a first traffic somewhere. Then come, each from a reset on: queries with all streams pausing;
    with each stream pausing at its own rate, output hardly ever or nearly always ready; at full rate; and queries
    that see all keys, back to back, whose cycles are measured. Rows are appended between queries in the first two.

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
    progress
        Called with the number of queries completed.

    Raises
    ------
    SimulatorMissing, SimulationFailed
        As of `sim.simulate.simulate`.
    """
    began = time.monotonic()
    bench = EngineTestbench(design, simulator=simulator, waves=waves)
    built = time.monotonic()
    rng = np.random.default_rng(seed)
    names = list(bench.manifest["streams"])
    own_rates = {name: float(rng.choice([0.0, 0.2, 0.8, 0.95], p=[0.3, 0.3, 0.3, 0.1])) for name in names}
    shares: list[tuple[float, dict[str, Any]]] = [
        (0.4, {"stall": 0.5, "append": True}),
        (0.2, {"stall": own_rates, "append": True}),
        (0.3, {}),
        (0.1, {}),
    ]
    n_shares = len(shares)
    traffic = [_traffic(design, rng, QUERIES_A_HEAD, stall=0.3, last_cycle=int(rng.integers(1, 40 * QUERIES_A_HEAD)))]
    traffic += [
        _traffic(design, rng, round(share * n_queries), all_valid=number == n_shares - 1, **how)
        for number, (share, how) in enumerate(shares)
    ]
    results = bench.run(traffic, progress=progress)

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


def _traffic(
    design: Design, rng: np.random.Generator, n_queries: int, *, all_valid: bool = False, **how: Any
) -> Traffic:
    """Draw at least `n_queries` queries, over heads of equal length."""
    n_heads = 1 if all_valid else -(-n_queries // QUERIES_A_HEAD)
    vectors = random_vectors(
        design.spec,
        rng,
        n_heads=n_heads,
        n_queries=max(16, -(-n_queries // n_heads)),
        has_mask=design.config.mask,
        all_valid=all_valid,
    )
    return Traffic(vectors=vectors, seed=int(rng.integers(2**31)), **how)


def random_design(rng: np.random.Generator) -> Design:
    """Draw a design: sizes that are odd as often as round, every option of the configuration."""
    while True:
        try:
            return _draw(rng)
        except ValueError:  # a combination that is refused, say an accumulator too wide
            continue


def _draw(rng: np.random.Generator) -> Design:
    def flip() -> bool:
        return bool(rng.integers(2))

    d_head = int(rng.choice([1, 2, 3, 5, 7, 8, 11, 16, 20, 31, 32, 33, 48, 64, 65, 80, 96, 128]))
    d_value = int(rng.choice([1, 2, 3, 4, 5, 6, 8, 9, 12, 15, 16, 24, 32, 64]))
    n_keys = int(rng.choice([rng.integers(1, 9), rng.integers(9, 65), rng.integers(65, 200), 2 ** rng.integers(8)]))
    top_k = int(min(n_keys, rng.choice([1, 2, 3, n_keys, rng.integers(1, 33)])))
    weight_bits = int(rng.choice([1, 2, 8, 12, 16]))
    highest = 2**weight_bits - 1
    if flip():
        weights = exponential_table(d_head, float(rng.choice([0.0, 0.02, 0.1, 0.5])), weight_bits)
    else:
        falling = -np.sort(-rng.integers(0, highest + 1, d_head + 1))
        weights = (int(rng.integers(1, highest + 1)),)
        weights += tuple(int(min(weights[0], weight)) for weight in falling[1:])
    spec = AttentionSpec(
        d_head=d_head,
        d_value=d_value,
        n_keys=n_keys,
        top_k=top_k,
        weights=weights,
        value_bits=int(rng.choice([2, 3, 5, 8, 8, 11, 16])),
        weight_bits=weight_bits,
        out_frac_bits=int(rng.choice([0, 1, 4, 8, 8, 12])),
    )
    selector = str(rng.choice(["histogram", "insertion"]))
    n_lanes = 2 ** int(rng.integers(0, 6))
    if n_lanes * d_head > 2048:
        raise ValueError("built too slowly")
    n_rows = -(-n_keys // n_lanes)
    divisors = [n for n in range(1, d_value + 1) if d_value % n == 0]
    config = EngineConfig(
        name="engine",
        n_lanes=n_lanes,
        n_macs=None if flip() else int(rng.choice(divisors)),
        selector=selector,
        scan_rows=2 ** int(rng.integers(0, n_rows.bit_length())) if selector == "histogram" and flip() else None,
        score_stages=int(rng.integers(0, 5)),
        quotient_bits=None if flip() else int(rng.integers(1, 9)),
        memory=str(rng.choice(["internal", "external"])),
        table=str(rng.choice(["rom", "loadable"])),
        mask=flip(),
        expose_index=flip(),
    )
    return Design(spec, config)
