"""Hardware for attention with binary queries and keys: the names that a user imports.

Each is loaded when first used, so that the golden model does not wait for the hardware's tools.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hamming.golden.attention import attend
    from hamming.golden.score import binarize
    from hamming.golden.spec import AttentionSpec
    from hamming.golden.values import quantize
    from hamming.rtl.config import EngineConfig
    from hamming.rtl.design import Design, load_design
    from hamming.rtl.engine import Engine
    from hamming.sim.simulate import simulate
    from hamming.synth.mapping.area import synthesize

__all__ = [
    "AttentionSpec",
    "Design",
    "Engine",
    "EngineConfig",
    "attend",
    "binarize",
    "load_design",
    "quantize",
    "simulate",
    "synthesize",
]

_HOMES = {
    "AttentionSpec": "hamming.golden.spec",
    "Design": "hamming.rtl.design",
    "Engine": "hamming.rtl.engine",
    "EngineConfig": "hamming.rtl.config",
    "attend": "hamming.golden.attention",
    "binarize": "hamming.golden.score",
    "load_design": "hamming.rtl.design",
    "quantize": "hamming.golden.values",
    "simulate": "hamming.sim.simulate",
    "synthesize": "hamming.synth.mapping.area",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
