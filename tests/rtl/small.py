"""A small engine's sizes, and its components in Amaranth's own simulator."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from amaranth.hdl import Module
from amaranth.sim import Simulator

from hamming.golden.spec import AttentionSpec
from hamming.rtl.config import EngineConfig
from hamming.rtl.dimensions import Dimensions


def simulate(component: Any, testbench: Callable[[Any], Awaitable[None]]) -> None:
    top = Module()
    top.submodules.component = component
    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()


def spec_of(**fields: Any) -> AttentionSpec:
    shape = {"d_head": 5, "d_value": 4, "n_keys": 11, "top_k": 4, "logit_scale": 0.2}
    return AttentionSpec.from_logit_scale(**(shape | fields))


def dimensions(spec: AttentionSpec | None = None, **engine: Any) -> Dimensions:
    return Dimensions(spec or spec_of(), EngineConfig(**engine))
