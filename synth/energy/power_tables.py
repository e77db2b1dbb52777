"""The energy tables of a cell: a transition or a state in, the tables of its library that apply, out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hamming.synth.library.cell_model import Cell, Function, InternalPower, Table
from hamming.synth.timing.propagation import RISE

__all__ = ["arc_tables", "is_met", "mean_of", "table_of"]

Floats = NDArray[np.float64]


def table_of(power: InternalPower, edge: int) -> Table | None:
    """Return the table of an edge."""
    return power.rise if edge == RISE else power.fall


def mean_of(tables: Sequence[Table | None], slew: Floats, load: Floats) -> Floats:
    """Return the mean of tables; one that there is not is 0."""
    known = [table(slew, load) for table in tables if table is not None]
    return sum(known, np.zeros(len(slew))) / max(1, len(tables))


def is_met(when: Function | None, values: Mapping[str, bool]) -> bool:
    """Return whether `when` holds; pins that are not among `values` are 0."""
    return when is None or when.holds(values)


def arc_tables(cell: Cell, from_pin: str, to_pin: str, from_edge: int, to_edge: int) -> list[Table | None]:
    """Return the tables of the energy of a gate's output transition that a pin's transition causes.

    They are those whose `when` allows a state of the other pins in which the pin's edge causes the output's; where
    there is none, all of the pin.
    """
    powers = [p for p in cell.internal_power if p.pin == to_pin and p.related_pin == from_pin]
    others = [pin for pin in cell.inputs if pin != from_pin]
    function = cell.functions[to_pin]
    fitting = []
    for power in powers:
        for state in range(1 << len(others)):
            values = {pin: bool(state >> place & 1) for place, pin in enumerate(others)}
            high, low = (function.holds(values | {from_pin: side}) for side in (True, False))
            if high != low and (high == (from_edge == to_edge)) and is_met(power.when, values):
                fitting.append(power)
                break
    return [table_of(power, to_edge) for power in fitting or powers]
