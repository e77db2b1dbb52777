"""What the baseline (`rtl.standard`) is given while its gates are simulated: as `synth.workload`, for int8."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.checks import require_choice, require_int
from golden.standard import CLIP, StandardSpec, attend_standard
from rtl.standard.design import StandardDesign
from sim.payloads import read_streams
from synth.workload import VECTORS, Bits, Workload, real_vectors, to_bits

__all__ = ["standard_vectors", "standard_workload"]


def standard_vectors(
    spec: StandardSpec, *, vectors: str, n_queries: int, n_streams: int, seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return queries, keys and values of 8 bits, with a leading axis of streams; see `standard_workload`."""
    rng = np.random.default_rng(seed)
    if vectors == "real":
        sizes = {"d_head": spec.d_head, "d_value": spec.d_value, "n_keys": spec.n_keys}
        q, k, v = real_vectors(**sizes, n_queries=n_queries, n_streams=n_streams, value_bits=spec.value_bits)
        return _with_magnitudes(q, rng), _with_magnitudes(k, rng), v
    q = rng.integers(-128, 128, (n_streams, n_queries, spec.d_head))
    k = rng.integers(-128, 128, (n_streams, spec.n_keys, spec.d_head))
    return q, k, rng.integers(-128, 128, (n_streams, spec.n_keys, spec.d_value))


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
    holds of those; their magnitudes are drawn from a normal distribution with `golden.standard.CLIP` standard
    deviations at 127. Random ones are uniform.

    Parameters
    ----------
    design, manifest
        The baseline.
    vectors, n_queries, n_streams, seed
        As of `synth.workload.engine_workload`; the seed is of magnitudes too.
    """
    require_choice("vectors", vectors, VECTORS)
    require_int("n_queries", n_queries, 1)
    require_int("n_streams", n_streams, 1)
    spec = design.spec
    q, k, v = standard_vectors(spec, vectors=vectors, n_queries=n_queries, n_streams=n_streams, seed=seed)
    channels = read_streams(manifest["streams"])
    result = attend_standard(spec, q, k, v)
    fold = design.fold
    query, out = channels["i_query"], channels["o_out"]
    beats = {
        "value": result.out.reshape(n_streams * n_queries * fold, -1),
        "is_empty": np.repeat(result.is_empty.ravel(), fold),
        "last": np.arange(n_streams * n_queries * fold) % fold == fold - 1,
    }
    queries = query.encode(query=q.reshape(-1, spec.d_head), n_valid=np.full(n_streams * n_queries, spec.n_keys))
    drawn = "their signs and values, normal magnitudes" if vectors == "real" else "uniform"
    source = "vectors of all-MiniLM-L6-v2: " if vectors == "real" else "random vectors, "
    return Workload(
        channels=channels,
        n_streams=n_streams,
        inputs={"i_query": to_bits(queries, query.bits).reshape(n_streams, n_queries, -1)},
        expected={"o_out": to_bits(out.encode(**beats), out.bits).reshape(n_streams, n_queries * fold, -1)},
        memories={name: _rows(design, elements) for name, elements in (("key_memory", k), ("value_memory", v))},
        description=f"{source}{drawn}, seed {seed}",
    )


def _with_magnitudes(signs: Bits, rng: np.random.Generator) -> NDArray[np.int64]:
    magnitude = np.clip(np.rint(np.abs(rng.normal(size=signs.shape)) * 127 / CLIP), 0, 127).astype(np.int64)
    return np.where(signs == 1, magnitude, -magnitude)


def _rows(design: StandardDesign, elements: NDArray[np.int64]) -> Bits:
    """Return the words of a memory: `n_lanes` vectors each, lane 0 lowest, elements offset by 128."""
    n_streams, n_keys, length = elements.shape
    padded = np.zeros((n_streams, design.n_rows * design.n_lanes, length), np.uint8)
    padded[:, :n_keys] = (elements + 128).astype(np.uint8)
    bits = np.unpackbits(padded[..., None], axis=-1, bitorder="little")
    return bits.reshape(n_streams, design.n_rows, -1)
