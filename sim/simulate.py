"""Vectors through the emitted Verilog: build, run, and hold what comes out against golden model and manifest."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hamming.golden.attention import Attention, attend
from hamming.golden.spec import AttentionSpec
from hamming.rtl.config import EngineConfig
from hamming.rtl.design import Design
from hamming.sim import runner
from hamming.sim.engine_testbench import EngineTestbench, Traffic
from hamming.sim.report import Report, hold_cycles
from hamming.sim.stimulus import Vectors

__all__ = ["SimulationResult", "simulate"]


#: Share of cycles in which streams pause where stalls are asked for.
_STALL = 0.5


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
