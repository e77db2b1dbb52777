"""Delays of gates and of what drives them: a timed netlist in, whole steps of a picosecond out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hamming.synth.energy.activity import edges
from hamming.synth.energy.kernel import ARCS, PINS, Gates
from hamming.synth.netlist.netlist import Netlist
from hamming.synth.timing.analysis import Timing
from hamming.synth.timing.propagation import RISE, cell_arcs

__all__ = ["STEPS", "arc_delays", "source_delays"]

#: Steps a nanosecond.
STEPS = 1000


def arc_delays(netlist: Netlist, gates: Gates, timing: Timing) -> NDArray[np.int32]:
    """Return the delay of every arc of every gate in steps, at least 1, `(n_gates, ARCS)`; -1 where there is none.

    Each is looked up at the slew of its pin for its edge, and the load of the output. Arcs of the same pins and edges
    that hold in different states of the other pins are averaged.
    """
    total = np.zeros((len(gates), PINS, 4))
    count = np.zeros((len(gates), PINS, 4), np.int32)
    for group in netlist.of_kind("gate"):
        for arc in cell_arcs(group.cell):
            slew = timing.slew[group.net(arc.from_pin), arc.from_edge]
            load = timing.load[group.net(arc.to_pin), arc.to_edge]
            place = gates.places[group.cell.name, arc.to_pin]
            pin = group.cell.inputs.index(arc.from_pin)
            which = edges(arc.from_edge == RISE, arc.to_edge == RISE)
            total[place, pin, which] += arc.delay(slew, load)
            count[place, pin, which] += 1
    steps = np.maximum(1, np.rint(total * STEPS / np.maximum(count, 1)))
    return np.where(count > 0, steps, -1).astype(np.int32).reshape(len(gates), ARCS)


def source_delays(sources: NDArray[np.int32], timing: Timing) -> NDArray[np.int32]:
    """Return when sources fall and rise, in steps after the clock edge, `(n_sources, 2)`."""
    arrival = timing.arrival[sources][:, ::-1]
    return np.maximum(1, np.rint(np.where(np.isfinite(arrival), arrival, 0) * STEPS)).astype(np.int32)
