"""Small engines, at which proofs are carried out."""

from __future__ import annotations

from typing import Any

from hamming.golden.spec import AttentionSpec
from hamming.rtl.config import EngineConfig
from hamming.rtl.dimensions import Dimensions

__all__ = ["size_of", "small"]

_SPEC_KEYS = (
    "d_head",
    "d_value",
    "n_keys",
    "top_k",
    "value_bits",
    "weight_bits",
    "out_frac_bits",
    "weights",
    "n_sinks",
)


def small(**given: Any) -> Dimensions:
    """Return the sizes of a small engine, with any of the keys of spec and engine changed."""
    spec: dict[str, Any] = {
        "d_head": 2,
        "d_value": 1,
        "n_keys": 4,
        "top_k": 2,
        "value_bits": 2,
        "weight_bits": 2,
        "out_frac_bits": 1,
    }
    spec |= {key: value for key, value in given.items() if key in _SPEC_KEYS}
    most = 2 ** spec["weight_bits"] - 1
    spec.setdefault("weights", tuple(max(0, most - t) for t in range(spec["d_head"] + 1)))
    engine = {key: value for key, value in given.items() if key not in _SPEC_KEYS}
    return Dimensions(AttentionSpec(**spec), EngineConfig(**engine))


def size_of(dims: Dimensions, *keys: str) -> str:
    """Return the values of `keys` of a spec or a configuration, in words."""
    found = []
    for key in keys:
        for owner in (dims, dims.spec, dims.config):
            if hasattr(owner, key):
                found.append(f"{key} {getattr(owner, key)}")
                break
    return ", ".join(found)
