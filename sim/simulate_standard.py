"""Vectors through the baseline's Verilog, held against its golden model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hamming.golden.standard import StandardAttention, StandardSpec, attend_standard
from hamming.golden.standard.bf16 import Bf16Attention, Bf16Spec, attend_bf16
from hamming.golden.standard.bf16_arithmetic import to_patterns
from hamming.rtl.standard.design import StandardDesign
from hamming.rtl.standard.manifest import standard_manifest
from hamming.rtl.standard.verilog import emit_standard, standard_engine
from hamming.sim.testbench import Case, Result, Testbench

__all__ = ["StandardSimulation", "StandardTestbench", "StandardVectors", "random_standard_vectors", "simulate_standard"]

#: Cycles without a transfer after which the baseline hangs, beyond four times its latency.
_WATCHDOG_CYCLES = 1000


@dataclass(frozen=True, kw_only=True, eq=False)
class StandardVectors:
    """Queries of several heads, as of `golden.standard.attend_standard`, with one leading axis."""

    q: NDArray[np.int64]
    k: NDArray[np.int64]
    v: NDArray[np.int64]
    n_valid: NDArray[np.int64]


class StandardTestbench:
    """A baseline, emitted and compiled.

    Parameters
    ----------
    design
        The baseline.
    simulator
        One of `sim.runner.SIMULATORS`.

    Attributes
    ----------
    design
        As given.
    verilog, manifest
        What was emitted, and what describes it.
    """

    def __init__(self, design: StandardDesign, *, simulator: str = "verilator") -> None:
        self.design = design
        engine = standard_engine(design)
        self.verilog = emit_standard(engine)
        self.manifest: dict[str, Any] = standard_manifest(engine, self.verilog)
        self._bench = Testbench(self.verilog, self.manifest, "hamming.sim.bench_standard", simulator=simulator)

    def run(
        self,
        vectors: Sequence[StandardVectors],
        *,
        stall: float | dict[str, float] = 0.0,
        seed: int = 0,
    ) -> list[Result]:
        """Play each case, from a reset on; arguments as of `sim.simulate.Traffic`.

        Results have arrays `out`, `is_empty` and `cycles`, as of `sim.bench_standard`.
        """
        return self._bench.run([self._case(part, stall, seed) for part in vectors])

    def _case(self, vectors: StandardVectors, stall: float | dict[str, float], seed: int) -> Case:
        latency = self.manifest["cycles"]["latency"]["cycles"]
        expected = _attend(self.design.spec, vectors.q, vectors.k, vectors.v, vectors.n_valid)
        return Case(
            fields={
                "watchdog": _WATCHDOG_CYCLES + 4 * latency,
                "drain": latency,
                "seed": seed,
                "stall": stall,
            },
            arrays=vars(vectors) | {"expected_out": expected.out, "expected_is_empty": expected.is_empty},
        )


def random_standard_vectors(
    spec: StandardSpec | Bf16Spec, rng: np.random.Generator, *, n_heads: int, n_queries: int, all_valid: bool = False
) -> StandardVectors:
    """Draw vectors in which what is rare in uniform ones happens often.

    Queries and keys are uniform, extreme, or near each other (ties and the table's first entries); values uniform,
    extreme or constant; `n_valid` anything, small, or all.
    """
    if isinstance(spec, StandardSpec):
        q, k, v = _integers(spec, rng, n_heads, n_queries)
    else:
        q, k, v = _patterns(spec, rng, n_heads, n_queries)
    n_valid = np.where(
        rng.random((n_heads, n_queries)) < 0.5,
        rng.integers(0, spec.n_keys + 1, (n_heads, n_queries)),
        np.minimum(rng.choice([0, 1, 2, spec.n_keys], (n_heads, n_queries)), spec.n_keys),
    )
    return StandardVectors(q=q, k=k, v=v, n_valid=np.full_like(n_valid, spec.n_keys) if all_valid else n_valid)


def _integers(
    spec: StandardSpec, rng: np.random.Generator, n_heads: int, n_queries: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    low, high = -(2 ** (spec.element_bits - 1)), 2 ** (spec.element_bits - 1) - 1
    shape = (n_heads, spec.n_keys, spec.d_head)
    k = rng.integers(low, high + 1, shape)
    q = rng.integers(low, high + 1, (n_heads, n_queries, spec.d_head))
    v = rng.integers(low, high + 1, (n_heads, spec.n_keys, spec.d_value))
    for head in range(n_heads):
        match rng.integers(5):
            case 0:
                k[head] = rng.choice([low, high], shape[1:])
                q[head] = rng.choice([low, high], q.shape[1:])
            case 1:  # few different scores
                k[head] = k[head, rng.integers(0, 3, spec.n_keys)]
            case 2:  # close scores
                k[head] = np.clip(k[head, :1] // 2 + rng.integers(-1, 2, shape[1:]), low, high)
                q[head] = q[head] // 8
            case 3:
                k[head] = low
                q[head] = rng.choice([low, 0, high], (n_queries, 1))
        match rng.integers(3):
            case 0:
                v[head] = rng.choice([low, high], v.shape[1:])
            case 1:
                v[head] = rng.choice([low, high], spec.d_value)
    return q, k, v


def _patterns(
    spec: Bf16Spec, rng: np.random.Generator, n_heads: int, n_queries: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Draw numbers of all sizes, near 1, equal keys, zeros and subnormals."""

    def draw(*shape: int) -> NDArray[np.int64]:
        match rng.integers(4):
            case 0:  # any finite number
                patterns = rng.integers(0, 2**16, shape)
                return np.where(patterns & 0x7F80 == 0x7F80, 0, patterns)
            case 1:
                return to_patterns(rng.integers(-3, 4, shape))
            case _:
                return to_patterns(rng.normal(size=shape))

    parts = [
        (draw(n_queries, spec.d_head), draw(spec.n_keys, spec.d_head), draw(spec.n_keys, spec.d_value))
        for _ in range(n_heads)
    ]
    q, k, v = (np.stack(part) for part in zip(*parts, strict=True))
    is_equal = rng.random((n_heads, 1, 1)) < 0.2
    return q, np.where(is_equal, k[:, :1], k), v


def _attend(
    spec: StandardSpec | Bf16Spec, q: ArrayLike, k: ArrayLike, v: ArrayLike, n_valid: ArrayLike | None
) -> StandardAttention | Bf16Attention:
    if isinstance(spec, StandardSpec):
        return attend_standard(spec, q, k, v, n_valid=n_valid)
    return attend_bf16(spec, q, k, v, n_valid=n_valid)


@dataclass(frozen=True, kw_only=True, eq=False)
class StandardSimulation:
    """What the Verilog made of vectors.

    Attributes
    ----------
    out, is_empty
        As of `golden.standard.StandardAttention`, received from the Verilog.
    cycles
        Of each query, from the completion of the one before, or its first offer if that is later, to its own.
    cycles_a_query
        Mean over the queries that came back to back; None without such.
    failures
        What was wrong, in words.
    """

    out: NDArray[np.int64]
    is_empty: NDArray[np.bool_]
    cycles: NDArray[np.int64]
    cycles_a_query: float | None
    failures: list[str]

    @property
    def passed(self) -> bool:
        """True if nothing was wrong."""
        return not self.failures


def simulate_standard(
    design: StandardDesign,
    q: ArrayLike,
    k: ArrayLike,
    v: ArrayLike,
    *,
    n_valid: ArrayLike | None = None,
    simulator: str = "verilator",
    stall: float = 0.0,
    seed: int = 0,
) -> StandardSimulation:
    """Send vectors through the baseline's Verilog and hold every bit against `golden.standard.attend_standard`.

    Parameters
    ----------
    design
        The baseline.
    q, k, v, n_valid
        As of `attend_standard`, with one leading axis (heads) at most.
    simulator
        `verilator` or `icarus`.
    stall
        Share of cycles in which each stream pauses.
    seed
        Of the pauses, and of the order in which rows are written.

    Raises
    ------
    SimulatorMissing, SimulationFailed
        As of `sim.simulate.simulate`.
    TypeError, ValueError
        As of `attend_standard`.
    """
    expected = _attend(design.spec, q, k, v, n_valid)
    if expected.is_empty.ndim > 2:
        raise ValueError(
            f"q, k and v must have one leading axis at most, for heads, not {expected.is_empty.shape[:-1]}"
        )
    n_heads = 1 if expected.is_empty.ndim == 1 else len(expected.is_empty)
    q, k, v = (np.broadcast_to(x, (n_heads, *np.shape(x)[-2:])) for x in (q, k, v))
    seen = np.broadcast_to(k.shape[1] if n_valid is None else n_valid, q.shape[:2])
    bench = StandardTestbench(design, simulator=simulator)
    [result] = bench.run([StandardVectors(q=q, k=k, v=v, n_valid=seen)], stall=stall, seed=seed)
    # A head's first query waits for its rows, and fills the pipeline.
    measured = result.arrays["cycles"][:, 1:]
    shape = expected.is_empty.shape
    return StandardSimulation(
        out=result.arrays["out"].reshape(expected.out.shape),
        is_empty=result.arrays["is_empty"].reshape(shape),
        cycles=result.arrays["cycles"].reshape(shape),
        cycles_a_query=float(measured.mean()) if measured.size and not stall else None,
        failures=result.failures,
    )
