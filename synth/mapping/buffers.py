"""Buffers for nets with more load than their drivers may have, across the hierarchy of a mapped netlist.

ABC sees a module at a time, without flip-flops and adder cells, and leaves nets between these unbuffered: a register
that many instances of a module read, say. Here every such net gets a tree of buffers, in the module where it branches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hamming.synth.library.cell_model import Cell, CellLibrary
from hamming.synth.yosys.memories import MACRO

__all__ = ["GROUP_LOAD", "with_buffers", "with_own_connections"]

#: Largest load of a buffer, pins and wire, in fF, and its most sinks.
GROUP_LOAD = 45.0
GROUP_SINKS = 24

#: What a driver that is not a cell of the module (a port, or a child's port) may have to drive, in fF.
_PORT_LIMIT = 60.0

#: Capacitance of a memory's pin, fF, as in `synth.netlist.netlist.Netlist.pin_capacitance`.
_MACRO_PIN = 1.0

_MACRO_CLOCKS = ("RD_CLK", "WR_CLK")


@dataclass(frozen=True)
class _Sink:
    """Where a net leads: bits of connections that are one pin, with the pins behind it and their capacitance in fF."""

    places: tuple[tuple[str, str, int], ...]
    pins: int
    load: float


@dataclass
class _Port:
    """What a module's input, a bit of it, is to whoever drives it."""

    pins: int = 0
    load: float = 0.0
    is_clock: bool = False


@dataclass
class _Net:
    limit: float = _PORT_LIMIT
    sinks: list[_Sink] = field(default_factory=list)
    is_clock: bool = False


def with_buffers(design: Mapping[str, Any], top: str, cells: CellLibrary) -> dict[str, Any]:
    """Return the netlist (`area.Mapped.netlist`) with buffers in it.

    A net is left alone if its load, pins and wire by the library's default model, is at most what the library allows
    its driver, 60 fF where the driver is a port. Otherwise its sinks are put in groups of at most `GROUP_LOAD`, each
    behind a buffer that may drive three times as much, and so on until what the driver sees is allowed. Clocks have no
    buffers.
    """
    result = {**design, "modules": dict(design["modules"])}
    ports: dict[str, dict[tuple[str, int], _Port]] = {}

    def visit(name: str) -> None:
        if name in ports:
            return
        module = design["modules"][name]
        for cell in module["cells"].values():
            if cell["type"] in design["modules"]:
                visit(cell["type"])
        work = _Module(with_own_connections(module), cells, ports)
        work.buffer()
        result["modules"][name] = work.module
        ports[name] = work.inputs()

    visit(top)
    return result


def with_own_connections(module: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a netlist's module whose cells, and what they are connected to, can be changed."""
    cells = {
        name: {**cell, "connections": {pin: list(bits) for pin, bits in cell["connections"].items()}}
        for name, cell in module["cells"].items()
    }
    return {**module, "cells": cells}


class _Module:
    def __init__(
        self, module: dict[str, Any], cells: CellLibrary, children: Mapping[str, Mapping[tuple[str, int], _Port]]
    ):
        self.module = module
        self.cells = cells
        self.children = children
        self.wires = cells.wire_load("default")
        self.nets: dict[int, _Net] = {}
        for name, cell in module["cells"].items():
            for bits, is_driver, sink, limit in self._connections(name, cell):
                for bit in bits:
                    if not isinstance(bit, int):
                        continue
                    net = self.nets.setdefault(bit, _Net())
                    if is_driver:
                        net.limit = limit
                    elif sink is None:
                        net.is_clock = True
                    else:
                        net.sinks.append(sink)
        bits = [bit for port in module["ports"].values() for bit in port["bits"] if isinstance(bit, int)]
        self.last_net = max([1, *self.nets, *bits])
        self.buffers = _buffers(cells)

    def _connections(self, name: str, cell: Mapping[str, Any]) -> Iterator[tuple[list[Any], bool, _Sink | None, float]]:
        """Yield nets, whether the cell drives them, or what sink it is of them (None: a clock's), and the limit."""
        kind = cell["type"]
        for pin, bits in cell["connections"].items():
            if kind in self.cells.cells:
                model = self.cells.cells[kind]
                found = model.pins[pin]
                if found.direction == "output":
                    yield bits, True, None, found.max_capacitance or _PORT_LIMIT
                elif pin == model.clock:
                    yield bits, False, None, 0.0
                else:
                    yield bits, False, _Sink(((name, pin, 0),), 1, found.capacitance), 0.0
            elif kind == MACRO:
                if pin in _MACRO_CLOCKS:
                    yield bits, False, None, 0.0
                elif pin == "RD_DATA":
                    yield bits, True, None, _PORT_LIMIT
                else:  # bits of a word that share a write enable share its pin
                    places: dict[Any, list[tuple[str, str, int]]] = {}
                    for place, bit in enumerate(bits):
                        places.setdefault(bit if pin == "WR_EN" else (bit, place), []).append((name, pin, place))
                    for shared in places.values():
                        yield [bits[shared[0][2]]], False, _Sink(tuple(shared), 1, _MACRO_PIN), 0.0
            else:
                inputs = self.children[kind]
                for place, bit in enumerate(bits):
                    port = inputs.get((pin, place))
                    if port is None:  # an output, or an input that nothing reads
                        yield [bit], True, None, _PORT_LIMIT
                    elif port.is_clock:
                        yield [bit], False, None, 0.0
                    else:
                        yield [bit], False, _Sink(((name, pin, place),), port.pins, port.load), 0.0

    def _load(self, sinks: list[_Sink]) -> float:
        wire = 0.0 if self.wires is None else float(self.wires.capacitance(np.array(sum(sink.pins for sink in sinks))))
        return wire + sum(sink.load for sink in sinks)

    def buffer(self) -> None:
        for net in self.nets.values():
            if net.is_clock:
                continue
            while len(net.sinks) > 1 and self._load(net.sinks) > net.limit:
                net.sinks = [self._insert(group) for group in self._groups(net.sinks)]

    def _groups(self, sinks: list[_Sink]) -> list[list[_Sink]]:
        groups: list[list[_Sink]] = [[]]
        for sink in sinks:
            group = groups[-1]
            if group and (len(group) == GROUP_SINKS or self._load([*group, sink]) > GROUP_LOAD):
                groups.append([])
            groups[-1].append(sink)
        return groups

    def _insert(self, group: list[_Sink]) -> _Sink:
        """Put a buffer before a group of sinks; return it as a sink."""
        load = self._load(group)
        buffer = next((b for b in self.buffers if (_output(b).max_capacitance or 0) >= 3 * load), self.buffers[-1])
        self.last_net += 1
        for sink in group:
            for cell, pin, place in sink.places:
                self.module["cells"][cell]["connections"][pin][place] = self.last_net
        name = f"$buffer${self.last_net}"
        source = [-1]  # set below, when the buffer's own driver is known
        self.module["cells"][name] = {
            "type": buffer.name,
            "parameters": {},
            "attributes": {},
            "connections": {buffer.inputs[0]: source, buffer.outputs[0]: [self.last_net]},
        }
        return _Sink(((name, buffer.inputs[0], 0),), 1, buffer.pins[buffer.inputs[0]].capacitance)

    def inputs(self) -> dict[tuple[str, int], _Port]:
        """Return what each bit of each input is to its driver, of those that lead anywhere; connect the buffers."""
        for bit, net in self.nets.items():
            for sink in net.sinks:
                for cell, pin, place in sink.places:
                    self.module["cells"][cell]["connections"][pin][place] = bit
        found = {}
        for name, port in self.module["ports"].items():
            for place, bit in enumerate(port["bits"]):
                if port["direction"] == "input" and (net := self.nets.get(bit)):
                    pins = sum(sink.pins for sink in net.sinks)
                    found[name, place] = _Port(pins, sum(sink.load for sink in net.sinks), net.is_clock)
        return found


def _buffers(cells: CellLibrary) -> list[Cell]:
    """Return the buffers of a library, weakest first; of equals the smallest."""
    found: dict[float, Cell] = {}
    for cell in sorted(cells.cells.values(), key=lambda cell: (cell.area, cell.name)):
        if cell.is_buffer and _output(cell).max_capacitance:
            found.setdefault(_output(cell).max_capacitance or 0.0, cell)
    return [found[limit] for limit in sorted(found)]


def _output(cell: Cell) -> Any:
    return cell.pins[cell.outputs[0]]
