"""What the tests of memories of any latency have in common."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from amaranth.hdl import ClockDomain, Module
from amaranth.lib import wiring
from amaranth.sim import Simulator

from hamming.golden.spec import AttentionSpec
from hamming.rtl.config import EngineConfig
from hamming.rtl.dimensions import Dimensions

__all__ = ["PATIENCE", "dimensions", "simulate", "spec_of"]

#: Cycles of a test, at most.
PATIENCE = 10_000


def spec_of(**fields: Any) -> AttentionSpec:
    shape = {"d_head": 5, "d_value": 4, "n_keys": 11, "top_k": 4, "logit_scale": 0.2}
    return AttentionSpec.from_logit_scale(**(shape | fields))


def dimensions(**engine: Any) -> Dimensions:
    return Dimensions(spec_of(), EngineConfig(**engine))


def simulate(component: wiring.Component, testbench: Callable[[Any, Any], Awaitable[None]]) -> None:
    """Run a testbench, which is given the reset, too."""
    top = Module()
    top.domains.sync = sync = ClockDomain()
    top.submodules.component = component
    simulator = Simulator(top)
    simulator.add_clock(1e-6)

    async def process(ctx: Any) -> None:
        await testbench(ctx, sync.rst)

    simulator.add_testbench(process)
    simulator.run()
