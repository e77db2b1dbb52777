"""What a netlist did over some cycles: transitions of every net, and states of every cell, as plain counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hamming.synth.library.cell_model import Cell

__all__ = ["Activity", "ClockActivity", "Counts", "count_states", "edges", "state_pins"]

Counts = NDArray[np.int64]


def edges(from_rises: bool, to_rises: bool) -> int:
    """Return the place of a pair of edges among the four arcs of a pin."""
    return 2 * from_rises + to_rises


@dataclass(frozen=True, kw_only=True, eq=False)
class ClockActivity:
    """What happens at the clock pins of a group of flip-flops or clock gates.

    Attributes
    ----------
    enabled
        Rising edges that each pin got, `(n,)`.
    rise, fall
        How often each was in each state as its clock rose, and fell, `(n, 2**n_pins)`. The pins of a state are
        `state_pins`, the first is bit 0.
    """

    enabled: Counts
    rise: Counts
    fall: Counts


@dataclass(frozen=True, kw_only=True, eq=False)
class Activity:
    """Transitions over `n_samples` cycles of streams.

    Attributes
    ----------
    n_samples
        Clock cycles that were simulated, counted for each stream.
    arcs
        Transitions of each gate's output, by pin and edges (`edges`), `(n_gates, PINS, 4)`.
    rises, falls
        Of each net, glitches included, `(n_nets,)`.
    settled_rises, settled_falls
        The same from one settled state to the next.
    ones
        In how many samples each net settled to 1.
    states
        How often the pins `state_pins` of each cell settled to each of their states, by type, `(n, 2**n_pins)`; from
        `n_states` samples.
    clocks
        Of flip-flops and clock gates, by type.
    settling
        Longest time to settle, ns.
    """

    n_samples: int
    arcs: Counts
    rises: Counts
    falls: Counts
    settled_rises: Counts
    settled_falls: Counts
    ones: Counts
    states: Mapping[str, Counts] = field(repr=False)
    n_states: int
    clocks: Mapping[str, ClockActivity] = field(repr=False)
    settling: float


def state_pins(cell: Cell) -> tuple[str, ...]:
    """Return the pins whose settled values make a cell's state: inputs but a clock, and a flip-flop's outputs."""
    inputs = tuple(pin for pin in cell.inputs if pin != cell.clock)
    return inputs + (cell.outputs if cell.kind == "flip_flop" else ())


def count_states(pins, n: int, among: NDArray[np.uint64] | None = None) -> Counts:
    """Count, for each of n cells, how often its pins are in each state, `(n, 2**len(pins))`.

    Parameters
    ----------
    pins
        Words of each pin, `(n, n_words)`; the first is bit 0 of the state.
    among
        Lanes that count, `(n, n_words)`; all without.
    """
    if among is None:
        n_words = pins[0].shape[1] if pins else 1
        among = np.full((n, n_words), ~np.uint64(0))
    lanes = [among]
    for words in reversed(pins):
        lanes = [part for lane in lanes for part in (lane & ~words, lane & words)]
    return np.stack([np.bitwise_count(lane).sum(axis=1, dtype=np.int64) for lane in lanes], axis=1)
