"""From Yosys' hierarchical JSON to the arrays of `netlist.Netlist`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hamming.synth.library.cell_model import Cell, CellLibrary
from hamming.synth.netlist.levels import with_levels
from hamming.synth.netlist.netlist import ONE, ZERO, CellGroup, Macro, Netlist, Nets, ReadPort, WritePort, fail
from hamming.synth.yosys.memories import MACRO

__all__ = ["flatten"]

_CONSTANTS = {"0": ZERO, "1": ONE, "x": ZERO, "z": ZERO}
_OPEN = -1


def _bits(bits: Sequence[int | str]) -> list[int]:
    return [bit if isinstance(bit, int) else _CONSTANTS[bit] for bit in bits]


@dataclass
class _Module:
    """A module's own cells, with nets numbered as Yosys does in it."""

    ports: dict[str, Nets]
    rows: dict[str, list[list[int]]] = field(default_factory=lambda: defaultdict(list))
    names: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    nets: dict[str, Nets] = field(default_factory=dict)
    children: list[tuple[str, str, dict[str, Nets]]] = field(default_factory=list)
    macros: list[dict[str, Any]] = field(default_factory=list)
    n_nets: int = 2


def _read_module(name: str, modules: Mapping[str, Any], cells: Mapping[str, Cell]) -> _Module:
    source = modules[name]
    module = _Module({port: np.array(_bits(p["bits"]), np.int32) for port, p in source["ports"].items()})
    highest = max((int(nets.max()) for nets in module.ports.values() if len(nets)), default=1)
    for instance, cell in source["cells"].items():
        kind, connections = cell["type"], cell["connections"]
        if kind == MACRO:
            nets = {pin: np.array(_bits(bits), np.int32) for pin, bits in connections.items()}
            module.macros.append({"nets": nets, "parameters": cell["parameters"]})
            highest = max([highest, *(int(n.max()) for n in nets.values() if len(n))])
        elif kind in cells:
            model = cells[kind]
            row = []
            for pin in model.inputs:
                if not connections.get(pin):
                    raise fail(f"leaves pin {pin} of {name}.{instance} ({kind}) open")
                row += _bits(connections[pin])
            for pin in model.outputs:
                row += _bits(connections[pin]) if connections.get(pin) else [_OPEN]
            module.rows[kind].append(row)
            module.names[kind].append(instance)
        elif kind in modules:
            nets = {pin: np.array(_bits(bits), np.int32) for pin, bits in connections.items()}
            module.children.append((instance, kind, nets))
            highest = max([highest, *(int(n.max()) for n in nets.values() if len(n))])
        else:
            raise fail(f"has {name}.{instance} of type {kind}, which is no cell of the library")
    module.nets = {kind: np.array(rows, np.int32) for kind, rows in module.rows.items()}
    module.rows.clear()
    module.n_nets = 1 + max([highest, *(int(nets.max(initial=1)) for nets in module.nets.values())])
    return module


class _Flattener:
    def __init__(self, design: Mapping[str, Any], cells: CellLibrary):
        self.modules = design["modules"]
        self.cells = cells.cells
        self.read: dict[str, _Module] = {}
        self.n_nets = 2
        self.same: list[tuple[int, int]] = []
        self.scopes: list[tuple[str, ...]] = []
        self.nets: dict[str, list[Nets]] = defaultdict(list)
        self.scope: dict[str, list[Nets]] = defaultdict(list)
        self.names: dict[str, list[str]] = defaultdict(list)
        self.macros: list[tuple[int, dict[str, Nets], Mapping[str, str]]] = []

    def new(self, count: int) -> Nets:
        self.n_nets += count
        return np.arange(self.n_nets - count, self.n_nets, dtype=np.int32)

    def expand(self, name: str, path: tuple[str, ...], outer: Mapping[str, Nets]) -> None:
        """Add an instance of a module whose ports lead to the nets `outer`."""
        if name not in self.read:
            self.read[name] = _read_module(name, self.modules, self.cells)
        module = self.read[name]
        of_local = np.full(module.n_nets, _OPEN, np.int32)
        of_local[[ZERO, ONE]] = ZERO, ONE
        for port, inside in module.ports.items():
            for local, net in zip(inside.tolist(), outer.get(port, self.new(len(inside))).tolist(), strict=True):
                if of_local[local] == _OPEN:
                    of_local[local] = net
                elif of_local[local] != net:
                    self.same.append((int(of_local[local]), net))
        inner = of_local == _OPEN
        of_local[inner] = self.new(int(inner.sum()))

        scope = len(self.scopes)
        self.scopes.append(path)
        for kind, nets in module.nets.items():
            flat = of_local[nets]
            is_open = nets == _OPEN
            if is_open.any():
                flat[is_open] = self.new(int(is_open.sum()))
            self.nets[kind].append(flat)
            self.scope[kind].append(np.full(len(nets), scope, np.int32))
            self.names[kind] += module.names[kind]
        for macro in module.macros:
            self.macros.append((scope, {p: of_local[n] for p, n in macro["nets"].items()}, macro["parameters"]))
        for instance, kind, nets in module.children:
            self.expand(kind, (*path, instance.removeprefix("\\")), {port: of_local[n] for port, n in nets.items()})

    def renumbering(self, kept: Sequence[Nets]) -> tuple[Nets, int]:
        """Return the final number of each net, and how many there are: connected ones become one, unused ones go."""
        parent = {}

        def root(net: int) -> int:
            while net in parent:
                net = parent[net]
            return net

        for a, b in self.same:
            low, high = sorted((root(a), root(b)))
            if (low, high) == (ZERO, ONE):
                raise fail("connects constant 0 with constant 1")
            if low != high:
                parent[high] = low
        number = np.arange(self.n_nets, dtype=np.int32)
        for net in parent:
            number[net] = root(net)
        used = np.zeros(self.n_nets, bool)
        used[[ZERO, ONE]] = True
        for nets in kept:
            used[number[nets.ravel()]] = True
        final = np.cumsum(used, dtype=np.int32) - 1
        return final[number], int(used.sum())


def flatten(design: Mapping[str, Any], top: str, cells: CellLibrary) -> Netlist:
    """Flatten a design of library cells and macros (type `synth.yosys.memories.MACRO`).

    A constant x, which synthesis leaves where a value does not matter, is 0.

    Parameters
    ----------
    design
        What Yosys' `write_json` wrote, as a dictionary.
    top
        The module that is flattened; its children are the netlist's blocks.
    cells
        Models of the cells.

    Raises
    ------
    SynthesisError
        A cell is unknown or of no use in a synchronous design, an input pin is open, a net has no driver or
        several, or gates form a loop.
    """
    if top not in design["modules"]:
        raise fail(f"has no module {top}")
    flattener = _Flattener(design, cells)
    source = design["modules"][top]["ports"]
    ports = {name: flattener.new(len(port["bits"])) for name, port in source.items()}
    flattener.expand(top, (), ports)

    groups = {kind: np.concatenate(parts) for kind, parts in flattener.nets.items()}
    macro_nets = [nets for _, pins, _ in flattener.macros for nets in pins.values()]
    final, n_nets = flattener.renumbering([*groups.values(), *ports.values(), *macro_nets])
    netlist = Netlist(
        top=top,
        n_nets=n_nets,
        inputs={name: final[nets] for name, nets in ports.items() if source[name]["direction"] == "input"},
        outputs={name: final[nets] for name, nets in ports.items() if source[name]["direction"] == "output"},
        groups={
            kind: CellGroup(
                cell=cells.cells[kind],
                pins=(*cells.cells[kind].inputs, *cells.cells[kind].outputs),
                nets=final[groups[kind]],
                scope=np.concatenate(flattener.scope[kind]),
                names=tuple(flattener.names[kind]),
                level=np.zeros(len(groups[kind]), np.int32),
            )
            for kind in sorted(groups)
        },
        macros=tuple(
            _macro(flattener.scopes[scope], scope, {pin: final[nets] for pin, nets in pins.items()}, parameters)
            for scope, pins, parameters in flattener.macros
        ),
        scopes=tuple(flattener.scopes),
    )
    _check_kinds(netlist)
    _check_drivers(netlist)
    return with_levels(netlist)


def _macro(path: tuple[str, ...], scope: int, pins: Mapping[str, Nets], parameters: Mapping[str, str]) -> Macro:
    name = ".".join(path) or "memory"
    number = {key: int(parameters[key], 2) for key in ("ABITS", "WIDTH", "SIZE", "RD_PORTS", "WR_PORTS")}
    for key, allowed in (("RD_CLK_ENABLE", "1"), ("RD_CLK_POLARITY", "1"), ("WR_CLK_POLARITY", "1")):
        if set(parameters[key]) - set(allowed):
            raise fail(f"has a macro {name} with {key} = {parameters[key]}, which is not supported")
    for key in ("RD_TRANSPARENCY_MASK", "RD_WIDE_CONTINUATION", "WR_WIDE_CONTINUATION"):
        if "1" in parameters[key]:
            raise fail(f"has a macro {name} with {key} = {parameters[key]}, which is not supported")
    for pin in ("RD_ARST", "RD_SRST"):
        if pins[pin].any():
            raise fail(f"has a macro {name} whose reads are reset, which is not supported")

    def part(pin: str, port: int, width: int) -> Nets:
        return pins[pin][port * width : (port + 1) * width]

    reads = tuple(
        ReadPort(
            address=part("RD_ADDR", port, number["ABITS"]),
            enable=int(pins["RD_EN"][port]),
            data=part("RD_DATA", port, number["WIDTH"]),
            clock=int(pins["RD_CLK"][port]),
        )
        for port in range(number["RD_PORTS"])
    )
    writes = tuple(
        WritePort(
            address=part("WR_ADDR", port, number["ABITS"]),
            enable=part("WR_EN", port, number["WIDTH"]),
            data=part("WR_DATA", port, number["WIDTH"]),
            clock=int(pins["WR_CLK"][port]),
        )
        for port in range(number["WR_PORTS"])
    )
    return Macro(name=name, scope=scope, depth=number["SIZE"], width=number["WIDTH"], reads=reads, writes=writes)


def _check_kinds(netlist: Netlist) -> None:
    for kind, group in netlist.groups.items():
        cell = group.cell
        if cell.kind not in ("gate", "flip_flop", "clock_gate"):
            raise fail(f"has {netlist.instance(group, 0)} of type {kind}, which is no gate, flip-flop or clock gate")
        if cell.clear is not None or cell.preset is not None:
            raise fail(f"has {netlist.instance(group, 0)} of type {kind}, whose asynchronous reset is not supported")


def _check_drivers(netlist: Netlist) -> None:
    """Raise where a net that something reads has no driver, or any net has several."""
    driven = [np.array([ZERO, ONE], np.int32), *netlist.inputs.values()]
    driven += [group.outputs.ravel() for group in netlist.groups.values()]
    driven += [port.data for macro in netlist.macros for port in macro.reads]
    count = np.bincount(np.concatenate(driven), minlength=netlist.n_nets)
    readers = [(group.inputs, f"{kind} ") for kind, group in netlist.groups.items()]
    readers += [(macro.inputs, f"macro {macro.name} ") for macro in netlist.macros]
    readers += [(nets, f"port {name} ") for name, nets in netlist.outputs.items()]
    for nets, reader in readers:
        undriven = np.nonzero(count[nets] == 0)
        if len(undriven[0]):
            group = netlist.groups.get(reader.strip())
            where = netlist.instance(group, int(undriven[0][0])) if group is not None else ""
            raise fail(f"leaves a net without a driver: {reader}{where}".rstrip())
    if (count > 1).any():
        net = int(np.argmax(count > 1))
        raise fail(f"has {count[net]} drivers on net {net}")
