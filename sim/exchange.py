"""The loop of a bench: sources, sinks and memories in, one trigger a cycle for all of them, the last cycle out.

A coroutine wakes at each rising edge. cocotb runs it before the edge reaches a register, so what it reads are the
settled values of the cycle that ends: exactly what decides the transfers at this edge. What it writes is applied
after the edge. One Python resumption a cycle, reads of the scalars that matter and writes of what changes are all
that a cycle costs; the protocol and the stalls are watched in Verilog (`sim/verilog/hamming_stream_monitor.v`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

__all__ = ["End", "Hang", "Stepped", "exchange"]


class Hang(Exception):
    """Nothing moved for longer than the watchdog allows."""


class Stepped(Protocol):
    """One participant of the loop."""

    def step(self, cycle: int) -> bool:
        """Act at the edge that ends `cycle`; True if a beat was transferred."""
        ...


class End(Stepped, Protocol):
    """An end of a stream: a source, or a sink."""

    @property
    def is_done(self) -> bool:
        """True once everything was transferred; it becomes so with a `step` that returns True."""
        ...

    def state(self) -> str:
        """Describe the progress."""
        ...


async def exchange(
    dut: Any,
    ends: Sequence[End],
    others: Sequence[Stepped] = (),
    *,
    watchdog: int,
    drain: int,
    last_cycle: int | None = None,
) -> int:
    """Run until every source is empty and every sink has its packets, and `drain` cycles more.

    Parameters
    ----------
    dut
        Handle of the harness, out of reset.
    ends, others
        Everybody who acts at each edge, in this order.
    watchdog
        Cycles without a transfer on any stream after which it is a hang.
    drain
        Cycles run beyond the end, so that beats too many show.
    last_cycle
        Stop here, wherever things stand (None: run to the end).

    Returns
    -------
    int
        Number of the last cycle; the one that ends at the first edge is 1.

    Raises
    ------
    Hang
        Nothing moved for `watchdog` cycles; the message says where each stream stands.
    """
    edge = dut.clk.rising_edge
    # What is written is applied after all have read, so the order matters only to what one looks up in another:
    # a sink finds a memory as it was in the cycle that ends.
    steps = [part.step for part in (*ends, *others)]
    waits = [*ends]
    cycle = 1
    quiet = 0
    remaining = drain
    while True:
        await edge
        moved = False
        for step in steps:
            if step(cycle):
                moved = True
        if cycle == last_cycle:
            return cycle
        if moved:
            quiet = 0
            # Parts only finish by a transfer; those found done leave the list.
            while waits and waits[-1].is_done:
                waits.pop()
        elif waits:
            quiet += 1
            if quiet >= watchdog:
                states = "; ".join(part.state() for part in ends)
                raise Hang(f"nothing moved for {watchdog} cycles, up to cycle {cycle}: {states}")
        if not waits:
            if remaining == 0:
                return cycle
            remaining -= 1
        cycle += 1
