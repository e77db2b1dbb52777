"""Standard attention at any size, from that which was measured: what opponents in a plan cost.

A model: areas and energies of the kept comparisons (`synth/compare/results/`), each block as `a + b * n_lanes`, by its
elements and rows. Memories by `synth.memory.sram`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from hamming.synth.compare.design_figures import DesignFigures
from hamming.synth.compare.results import read
from hamming.synth.memory.sram import SramModel

__all__ = ["ELEMENTS", "Standard", "standard"]

#: Bits of an element of queries, keys and values.
ELEMENTS = {"int8": 8, "bf16": 16}

#: What blocks grow with: elements of keys, of values, or neither; and whether they work each row, or once a query.
_GROWS = {
    "scorer": ("d_head", True),
    "weigher": ("d_value", True),
    "divider": ("d_value", False),
    "key_memory": ("d_head", True),  # the nets that it drives
    "value_memory": ("d_value", True),
}


class _Line(NamedTuple):
    """`base + each * n_lanes`."""

    base: float
    each: float

    def at(self, n_lanes: int) -> float:
        return self.base + self.each * n_lanes


@dataclass(frozen=True, kw_only=True)
class Standard:
    """An engine of standard attention: areas in µm², energies in pJ a query, clock in GHz.

    `score_` is of the memory of scores, `memory_` of those of keys and values; `bits_a_key` are those of a key with its
    value, all of which are read for each query.
    """

    element: str
    n_lanes: int
    clock: float
    area: float
    energy: float
    score_area: float
    score_energy: float
    memory_area: float
    memory_energy: float
    bits_a_key: int


def standard(element: str, *, d_head: int, d_value: int, n_keys: int, mean_keys: float, n_lanes: int) -> Standard:
    """Return an engine that holds `n_keys`, and what a query of `mean_keys` takes."""
    sizes = {"d_head": d_head, "d_value": d_value}
    rows, area, energy = mean_keys / n_lanes, 0.0, 0.0
    for block, (size, each_row) in _GROWS.items():
        areas, energies = _lines(element, block)
        area += areas.at(n_lanes) * (sizes[size] / 64 if each_row else 1)
        energy += energies.at(n_lanes) * sizes[size] / 64 * (rows if each_row else 1)
    bits, depth = ELEMENTS[element], max(1, -(-n_keys // n_lanes))
    scores = _Memory(depth + 8, 14 * n_lanes)
    memories = [_Memory(depth, n_lanes * d * bits) for d in (d_head, d_value)]
    time = cycles(mean_keys, n_lanes) / _clock(element)
    return Standard(
        element=element,
        n_lanes=n_lanes,
        clock=_clock(element),
        area=area,
        energy=energy,
        score_area=scores.area,
        score_energy=scores.energy(rows, rows, time),
        memory_area=sum(memory.area for memory in memories),
        memory_energy=sum(memory.energy(rows, 0.0, time) for memory in memories),
        bits_a_key=(d_head + d_value) * bits,
    )


class _Memory(NamedTuple):
    depth: int
    width: int

    @property
    def area(self) -> float:
        return SramModel().area(*self)

    def energy(self, reads: float, writes: float, time: float) -> float:
        """Return the energy of accesses, and of leakage in a time, ns."""
        model = SramModel()
        accesses = reads * model.read_energy(*self) + writes * model.write_energy(*self)
        return accesses + model.leakage(*self) * time


def cycles(n_keys: float, n_lanes: int) -> float:
    """Return the cycles of a query."""
    return max(1.0, n_keys / n_lanes)


@functools.cache
def _measured(element: str) -> tuple[tuple[int, DesignFigures], ...]:
    found = [(one.shape["n_lanes"], one.standard) for one in read().values()]
    return tuple((lanes, design) for lanes, design in found if design.key == f"standard-{element}")


@functools.cache
def _clock(element: str) -> float:
    return min(1.0, min(1 / design.timings[0].period for _, design in _measured(element)))


@functools.cache
def _lines(element: str, block: str) -> tuple[_Line, _Line]:
    """Return a block's area, and its energy a row, or a query."""
    lanes, areas, energies = [], [], []
    for n_lanes, design in _measured(element):
        [found] = [one for one in design.blocks if one.name == block]
        lanes.append(n_lanes)
        areas.append(found.area)
        energies.append(found.energy.total / (design.cycles if _GROWS[block][1] else 1))
    return _line(lanes, areas, block), _line(lanes, energies, block)


def _line(lanes: list[int], values: list[float], block: str) -> _Line:
    if not any(values):
        return _Line(0.0, 0.0)
    if block == "divider":
        return _Line(float(np.mean(values)), 0.0)
    if len(lanes) == 1:
        return _Line(0.0, values[0] / lanes[0])
    each, base = np.polyfit(lanes, values, 1, w=1 / np.array(values))
    return _Line(float(base), float(each))
