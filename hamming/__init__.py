"""Hardware for attention with binary queries and keys: the names that a user imports.

Each is loaded when first used, so that the golden model does not wait for the hardware's tools.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from golden.attention import attend
    from golden.score import binarize
    from golden.spec import AttentionSpec
    from golden.values import quantize
    from rtl.config import EngineConfig
    from rtl.design import Design, load_design
    from rtl.engine import Engine
    from sim.simulate import simulate
    from synth.area import synthesize

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
    "AttentionSpec": "golden.spec",
    "Design": "rtl.design",
    "Engine": "rtl.engine",
    "EngineConfig": "rtl.config",
    "attend": "golden.attention",
    "binarize": "golden.score",
    "load_design": "rtl.design",
    "quantize": "golden.values",
    "simulate": "sim.simulate",
    "synthesize": "synth.area",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
