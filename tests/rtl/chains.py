"""Sizes of engines in a chain, for the tests of their parts."""

from __future__ import annotations

from hamming.golden.spec import AttentionSpec
from hamming.rtl.config import EngineConfig
from hamming.rtl.dimensions import Dimensions


def dimensions(n_engines: int, engine: dict | None = None, **spec) -> Dimensions:
    fields = {"d_head": 5, "d_value": 4, "n_keys": 12, "top_k": 4, "logit_scale": 0.2} | spec
    config = EngineConfig(n_engines=n_engines, chain=True, **(engine or {}))
    return Dimensions(AttentionSpec.from_logit_scale(**fields), config)
