"""What the baseline (`rtl.standard`), of either width, is given while its gates are simulated: see `workload`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hamming.golden.checks import require_choice, require_int
from hamming.golden.standard import StandardSpec, attend_standard, unit_of
from hamming.golden.standard.bf16 import Bf16Spec, attend_bf16
from hamming.golden.standard.bf16_arithmetic import to_patterns
from hamming.rtl.standard.design import StandardDesign
from hamming.sim.payloads import read_streams
from hamming.synth.energy.workload import VECTORS, Bits, Workload, real_vectors, to_bits

__all__ = ["standard_vectors", "standard_workload"]


def standard_vectors(
    spec: StandardSpec | Bf16Spec, *, vectors: str, n_queries: int, n_streams: int, seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return queries, keys and values, of `element_bits` or as patterns of bfloat16, with a leading axis of streams.

    See `standard_workload`.
    """
    rng = np.random.default_rng(seed)
    shapes = ((n_streams, n_queries, spec.d_head), (n_streams, spec.n_keys, spec.d_head))
    if vectors == "real":
        sizes = {"d_head": spec.d_head, "d_value": spec.d_value, "n_keys": spec.n_keys}
        signs = real_vectors(**sizes, n_queries=n_queries, n_streams=n_streams, value_bits=8)
        q, k = (np.where(bits == 1, 1, -1) * np.abs(rng.normal(size=bits.shape)) for bits in signs[:2])
        v = signs[2] * unit_of(8)
    elif isinstance(spec, Bf16Spec):
        q, k, v = (rng.normal(size=shape) for shape in (*shapes, (n_streams, spec.n_keys, spec.d_value)))
    else:
        half, unit = 2 ** (spec.element_bits - 1), unit_of(spec.element_bits)
        shapes = (*shapes, (n_streams, spec.n_keys, spec.d_value))
        q, k, v = (rng.integers(-half, half, shape) * unit for shape in shapes)
    if isinstance(spec, Bf16Spec):
        return to_patterns(q), to_patterns(k), to_patterns(v)
    half, unit = 2 ** (spec.element_bits - 1), unit_of(spec.element_bits)
    q, k, v = (np.clip(np.rint(x / unit), -half, half - 1).astype(np.int64) for x in (q, k, v))
    return q, k, v


def standard_workload(
    design: StandardDesign,
    manifest: Mapping[str, Any],
    *,
    vectors: str = "real",
    n_queries: int = 8,
    n_streams: int = 64,
    seed: int = 0,
) -> Workload:
    """Return full-rate queries for a baseline, over all its keys.

    Real vectors have the transformer's values, and the signs of its queries and keys, which are all that the package
    holds of those; their magnitudes are drawn from a normal distribution, with `golden.standard.CLIP` standard
    deviations at the largest integer. Random ones are uniform integers, or normal numbers.

    Parameters
    ----------
    design, manifest
        The baseline.
    vectors, n_queries, n_streams, seed
        As of `workload.engine_workload`; the seed is of magnitudes too.
    """
    require_choice("vectors", vectors, VECTORS)
    require_int("n_queries", n_queries, 1)
    require_int("n_streams", n_streams, 1)
    spec = design.spec
    q, k, v = standard_vectors(spec, vectors=vectors, n_queries=n_queries, n_streams=n_streams, seed=seed)
    channels = read_streams(manifest["streams"])
    result = attend_bf16(spec, q, k, v) if isinstance(spec, Bf16Spec) else attend_standard(spec, q, k, v)
    fold = design.fold
    query, out = channels["i_query"], channels["o_out"]
    beats = {
        "value": result.out.reshape(n_streams * n_queries * fold, -1),
        "is_empty": np.repeat(result.is_empty.ravel(), fold),
        "last": np.arange(n_streams * n_queries * fold) % fold == fold - 1,
    }
    queries = query.encode(query=q.reshape(-1, spec.d_head), n_valid=np.full(n_streams * n_queries, spec.n_keys))
    drawn = (
        "their signs and values, normal magnitudes"
        if vectors == "real"
        else "normal"
        if isinstance(spec, Bf16Spec)
        else "uniform"
    )
    source = "vectors of all-MiniLM-L6-v2: " if vectors == "real" else "random vectors, "
    return Workload(
        channels=channels,
        n_streams=n_streams,
        inputs={"i_query": to_bits(queries, query.bits).reshape(n_streams, n_queries, -1)},
        expected={"o_out": to_bits(out.encode(**beats), out.bits).reshape(n_streams, n_queries * fold, -1)},
        memories={"key_memory": _rows(design, k)} | _values(design, v),
        description=f"{source}{drawn}, seed {seed}",
    )


def _values(design: StandardDesign, v: NDArray[np.int64]) -> dict[str, Bits]:
    """Return the words of the value memory, or of its banks, in which each slice of a vector is one."""
    if not design.selects:
        return {"value_memory": _rows(design, v)}
    banks = design.kept.value_memories
    words = _bits(v + (1 << (design.spec.element_bits - 1)), design.spec.element_bits)
    words = words.reshape(len(v), -1, design.kept.n_macs * design.spec.element_bits)
    return dict(zip(banks, np.split(words, np.cumsum(list(banks.values()))[:-1], axis=1), strict=True))


def _rows(design: StandardDesign, elements: NDArray[np.int64]) -> Bits:
    """Return the words of a memory: `n_lanes` vectors each, lane 0 lowest; integers are offset by 128."""
    n_streams, n_keys, length = elements.shape
    n_bits = design.spec.element_bits
    padded = np.zeros((n_streams, design.n_rows * design.n_lanes, length), np.int64)
    padded[:, :n_keys] = elements if isinstance(design.spec, Bf16Spec) else elements + (1 << (n_bits - 1))
    return _bits(padded, n_bits).reshape(n_streams, design.n_rows, -1)


def _bits(elements: NDArray[np.int64], n_bits: int) -> Bits:
    """Return the bits of elements, lowest first, on a further axis."""
    return (elements[..., None] >> np.arange(n_bits) & 1).astype(np.uint8)
