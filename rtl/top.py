"""The top module of a design: its engine, behind the bus that its configuration names."""

from __future__ import annotations

from hamming.golden.spec import AttentionSpec
from hamming.rtl.axi.engine import AxiEngine
from hamming.rtl.config import EngineConfig
from hamming.rtl.engine import Engine

__all__ = ["top"]


def top(spec: AttentionSpec, config: EngineConfig) -> Engine | AxiEngine:
    """Return the component to be emitted."""
    return AxiEngine(spec, config) if config.bus == "axi" else Engine(spec, config)
