"""Transitions of every net with inertial gate delays, so that glitches count, over the cycles of a trace.

Every cycle begins with the state that the one before settled to: outputs of flip-flops and memories change at their
delay after the clock edge, inputs at theirs, and what follows from it is simulated to its end, in picoseconds. A gate's
output follows its inputs after the delay of the pin that moved, by the edges of pin and output; a pulse that is shorter
than that delay is swallowed. Where several pins move together the fastest decides. So cycles do not depend on each
other, and 512 of them are simulated at once (`gates.cpp`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hamming.golden.checks import require_int
from hamming.synth.energy.activity import Activity, ClockActivity, Counts, count_states, state_pins
from hamming.synth.energy.clock_domains import ClockDomains
from hamming.synth.energy.delays import STEPS, arc_delays, source_delays
from hamming.synth.energy.kernel import ARCS, PINS, WORDS, Gates, run_transitions
from hamming.synth.energy.trace import SimulationError, Trace
from hamming.synth.netlist.netlist import ONE, Netlist
from hamming.synth.timing.analysis import Timing

__all__ = ["glitches"]

#: No cycle takes so many steps to settle.
_MAX_STEPS = 1_000_000


def glitches(
    netlist: Netlist,
    timing: Timing,
    trace: Trace,
    *,
    max_samples: int = 1 << 15,
    n_state_words: int = 32,
    threads: int | None = None,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> Activity:
    """Count the transitions of every net.

    Parameters
    ----------
    netlist, timing
        The design and its delays.
    trace
        From `gatesim.simulate`.
    max_samples
        Most cycles of streams to simulate; if the trace has more, so many are drawn, evenly over its cycles.
    n_state_words
        Words of 64 samples whose states are counted.
    threads
        By default as many as there are processors.
    seed
        Of what is drawn.

    Raises
    ------
    SimulationError
        A cycle does not settle, or not to what the zero-delay simulation says.
    """
    require_int("max_samples", max_samples, 64)
    gates = Gates.of(netlist)
    n_words = trace.values.shape[2]
    rng = np.random.default_rng(seed)
    # A unit is a word of a cycle: 64 samples. If there are too many, every stratum of the window gives one.
    units = np.arange(trace.n_cycles * n_words)
    if len(units) > max_samples // 64:
        bounds = np.linspace(0, len(units), max_samples // 64 + 1)
        units = np.unique((bounds[:-1] + rng.random(len(bounds) - 1) * np.diff(bounds)).astype(np.int64))
    chunks = [units[start : start + WORDS] for start in range(0, len(units), WORDS)]
    stride = max(1, len(chunks) * WORDS // n_state_words)
    run = _Run(netlist, gates, timing, trace, stride)
    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        parts = []
        for part in pool.map(run.chunk, enumerate(chunks)):
            parts = [part] if not parts else [parts[0].plus(part)]
            run.done += 1
            if progress is not None:
                progress(run.done / len(chunks))
    return run.activity(parts[0], 64 * len(units))


@dataclass
class _Part:
    """What some chunks gave."""

    arcs: Counts
    settled: Counts
    ones: Counts
    states: dict[str, Counts]
    n_states: int
    clocks: dict[str, tuple[Counts, Counts, Counts]]
    last: int

    def plus(self, other: _Part) -> _Part:
        self.arcs += other.arcs
        self.settled += other.settled
        self.ones += other.ones
        for name, counts in other.states.items():
            self.states[name] = self.states.get(name, 0) + counts
        self.n_states += other.n_states
        for name, counts in other.clocks.items():
            for mine, more in zip(self.clocks[name], counts, strict=True):
                mine += more
        self.last = max(self.last, other.last)
        return self


class _Run:
    def __init__(self, netlist: Netlist, gates: Gates, timing: Timing, trace: Trace, stride: int):
        self.netlist, self.gates, self.trace, self.stride = netlist, gates, trace, stride
        own = np.full((len(trace.sources), ARCS), -1, np.int32)
        own[:, :2] = source_delays(trace.sources, timing)
        self.delay = np.concatenate([arc_delays(netlist, gates, timing), own])
        self.output = np.concatenate([gates.output, trace.sources])
        self.fan_out = gates.fan_out()
        self.domains = ClockDomains(netlist)
        self.done = 0

    def _values(self, sources: NDArray[np.uint64]) -> NDArray[np.uint64]:
        values = np.zeros((self.netlist.n_nets, WORDS), np.uint64)
        values[ONE] = ~np.uint64(0)
        values[self.trace.sources, : sources.shape[1]] = sources
        self.gates.settle(values)
        return values

    def chunk(self, numbered: tuple[int, NDArray[np.int64]]) -> _Part:
        number, units = numbered
        cycle, word = np.divmod(units, self.trace.values.shape[2])
        before = self._values(self.trace.values[cycle, :, word].T)
        after = self._values(self.trace.values[cycle + 1, :, word].T)
        wanted = np.zeros(WORDS, np.uint64)
        wanted[: len(units)] = ~np.uint64(0)
        values = before.copy()
        counts = np.zeros((len(self.output), ARCS), np.int64)
        last = run_transitions(
            self.gates,
            self.output,
            self.delay,
            self.fan_out,
            values,
            after[self.trace.sources],
            wanted,
            counts,
            _MAX_STEPS,
        )
        if last < 0:
            raise SimulationError(f"{self.netlist.top} does not settle in {_MAX_STEPS // STEPS} ns")
        if not np.array_equal(values & wanted, after & wanted):
            raise SimulationError(f"{self.netlist.top} settles to something else with delays than without")
        both = before ^ after
        settled = np.stack(
            [np.bitwise_count(both & side & wanted).sum(axis=1, dtype=np.int64) for side in (before, after)]
        )
        part = _Part(
            arcs=counts,
            settled=settled,
            ones=np.bitwise_count(after & wanted).sum(axis=1, dtype=np.int64),
            states={},
            n_states=0,
            clocks=self._clocks(before, after, wanted),
            last=last,
        )
        # States of one word in `stride`.
        for place in range(len(units)):
            if (number * WORDS + place) % self.stride == 0:
                one = _Part(counts[:0], settled[:, :0], part.ones[:0], self._states(after[:, place]), 64, {}, 0)
                for name, found in one.states.items():
                    part.states[name] = part.states.get(name, 0) + found
                part.n_states += 64
        return part

    def _states(self, values: NDArray[np.uint64]) -> dict[str, Counts]:
        """Count the states of every cell over a word."""
        return {
            name: count_states([values[group.net(pin)][:, None] for pin in state_pins(group.cell)], len(group))
            for name, group in self.netlist.groups.items()
        }

    def _clocks(self, before, after, wanted) -> dict[str, tuple[Counts, Counts, Counts]]:
        enabled = self.domains.enabled(before) & wanted
        result = {}
        for kind in ("flip_flop", "clock_gate"):
            for group in self.netlist.of_kind(kind):
                own = enabled[self.domains.of_nets(group.net(group.cell.clock or ""))]
                pins = state_pins(group.cell)
                result[group.cell.name] = (
                    np.bitwise_count(own).sum(axis=1, dtype=np.int64),
                    count_states([before[group.net(pin)] for pin in pins], len(group), own),
                    count_states([after[group.net(pin)] for pin in pins], len(group), own),
                )
        return result

    def activity(self, part: _Part, n_samples: int) -> Activity:
        n_nets, n_gates = self.netlist.n_nets, len(self.gates)
        by_edge = part.arcs.reshape(len(part.arcs), PINS, 2, 2).sum(axis=(1, 2))
        falls, rises = (
            np.bincount(self.output, weights=by_edge[:, edge], minlength=n_nets).astype(np.int64) for edge in (0, 1)
        )
        return Activity(
            n_samples=n_samples,
            arcs=part.arcs[:n_gates].reshape(n_gates, PINS, 4),
            rises=rises,
            falls=falls,
            settled_rises=part.settled[1],
            settled_falls=part.settled[0],
            ones=part.ones,
            states=part.states,
            n_states=part.n_states,
            clocks={
                name: ClockActivity(enabled=enabled, rise=rise, fall=fall)
                for name, (enabled, rise, fall) in part.clocks.items()
            },
            settling=part.last / STEPS,
        )
