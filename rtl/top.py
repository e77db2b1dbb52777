"""The top module of a design: its engine, or all of them, behind the bus that its configuration names."""

from __future__ import annotations

from hamming.golden.spec import AttentionSpec
from hamming.rtl.axi.engine import AxiEngine
from hamming.rtl.chain import Chain
from hamming.rtl.config import EngineConfig
from hamming.rtl.engine import Engine

__all__ = ["top"]


def top(spec: AttentionSpec, config: EngineConfig) -> Engine | AxiEngine | Chain:
    """Return the component to be emitted.

    Raises
    ------
    ValueError
        The configuration does not fit the spec.
    """
    if config.bus == "axi":
        return AxiEngine(spec, config)
    return Chain(spec, config) if config.n_engines > 1 and not config.chain else Engine(spec, config)
