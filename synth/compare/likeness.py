"""How close a design's arithmetic is to attention in floating point, on the vectors behind its energy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hamming.golden.accuracy import cosine
from hamming.golden.attention import attend
from hamming.golden.ideal import had_attention, softmax_attention
from hamming.golden.spec import AttentionSpec
from hamming.golden.standard import StandardSpec, attend_standard, unit_of
from hamming.golden.standard.bf16 import Bf16Spec, attend_bf16
from hamming.golden.standard.bf16_arithmetic import from_patterns
from hamming.rtl.standard.design import StandardDesign
from hamming.synth.compare.figures import Accuracy
from hamming.synth.energy.standard_workload import standard_vectors
from hamming.synth.energy.workload import real_vectors

__all__ = ["engine_accuracy", "standard_accuracy"]

#: Queries behind an accuracy.
_ACCURACY_QUERIES = 512


def engine_accuracy(spec: AttentionSpec, logit_scale: float, vectors: str) -> Accuracy:
    """Hold an engine's integers against HAD in floating point, over the same bits and values that are not rounded.

    These are integers of 16 bits, of which the engine's are made; both in units of their largest.
    """
    sizes = {"d_head": spec.d_head, "d_value": spec.d_value, "n_keys": spec.n_keys}
    n_queries = 8
    high, fine = (2 ** (bits - 1) - 1 for bits in (spec.value_bits, 16))
    if vectors == "real":
        q, k, v = real_vectors(**sizes, n_queries=n_queries, n_streams=_ACCURACY_QUERIES // n_queries, value_bits=16)
    else:
        rng = np.random.default_rng(0)
        shape = (_ACCURACY_QUERIES // n_queries, n_queries, spec.d_head)
        q = rng.integers(0, 2, shape, np.uint8)
        k = rng.integers(0, 2, (shape[0], spec.n_keys, spec.d_head), np.uint8)
        v = rng.integers(-fine, fine, (shape[0], spec.n_keys, spec.d_value), np.int64, endpoint=True)
    rounded = np.rint(v * (high / fine)).astype(np.int64)
    out = attend(spec, q, k, rounded).out / (high * 2**spec.out_frac_bits)
    ideal = had_attention(q, k, v / fine, logit_scale, spec.top_k)
    return _accuracy(out, ideal, "top-k attention in floating point, same bits, values not rounded", vectors)


def standard_accuracy(design: StandardDesign, logit_scale: float, vectors: str) -> Accuracy:
    """Hold a baseline's arithmetic against softmax attention in floating point, over the same elements."""
    spec = design.spec
    q, k, v = standard_vectors(spec, vectors=vectors, n_queries=8, n_streams=_ACCURACY_QUERIES // 8)
    if isinstance(spec, Bf16Spec):
        out = from_patterns(attend_bf16(spec, q, k, v).out)
        q, k, v = (from_patterns(x) for x in (q, k, v))
        scale = logit_scale
    else:
        out = attend_standard(spec, q, k, v).out / 2**spec.out_frac_bits
        scale = logit_scale * unit_of(spec.element_bits) ** 2
    top_k = spec.top_k if isinstance(spec, StandardSpec) else None
    ideal = softmax_attention(q, k, v, scale, top_k=top_k)
    kind = "softmax" if top_k is None else "top-k"
    return _accuracy(out, ideal, f"{kind} attention in floating point, same elements", vectors)


def _accuracy(out: NDArray, ideal: NDArray, against: str, vectors: str) -> Accuracy:
    found = cosine(out, ideal)
    return Accuracy(
        against=against,
        data=f"{found.size} queries, {vectors} vectors",
        mean_cosine=float(found.mean()),
        worst_cosine=float(found.min()),
        rms_error=float(np.sqrt(((out - ideal) ** 2).mean() / (ideal**2).mean())),
    )
