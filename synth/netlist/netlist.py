"""The mapped netlist, flat: nets by number, cells by type, made of the hierarchical JSON that Yosys writes.

Repeated modules are expanded. Clock gates and memory macros are kept apart from gates and flip-flops, and what would
make a simulation or a timing wrong without a word (an undriven net, a loop of gates) is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hamming.synth.library.cell_model import Cell, CellLibrary
from hamming.synth.yosys.process import SynthesisError

__all__ = ["ONE", "TOP_BLOCK", "ZERO", "CellGroup", "Macro", "Netlist", "ReadPort", "WritePort"]

Nets = NDArray[np.int32]

#: Nets that never change. Yosys numbers the nets of a module from 2.
ZERO, ONE = 0, 1

#: Block of what the top holds beside its children, named as in `synth.mapping.area`.
TOP_BLOCK = "(top)"


@dataclass(frozen=True, kw_only=True, eq=False)
class CellGroup:
    """All cells of one type.

    Attributes
    ----------
    cell
        What the library says of them.
    pins
        Inputs, then outputs.
    nets
        Net at each pin, `(n, len(pins))`.
    scope
        Instance of a module that holds each, an index into `Netlist.scopes`, `(n,)`.
    names
        Name in that module.
    level
        For gates: 1 more than the highest level of a gate that drives an input, 1 at least. 0 for other kinds.
    """

    cell: Cell
    pins: tuple[str, ...]
    nets: Nets
    scope: Nets
    names: tuple[str, ...]
    level: Nets

    @property
    def n_inputs(self) -> int:
        """How many of `pins` are inputs."""
        return len(self.cell.inputs)

    @property
    def inputs(self) -> Nets:
        """Nets at the inputs, `(n, n_inputs)`."""
        return self.nets[:, : self.n_inputs]

    @property
    def outputs(self) -> Nets:
        """Nets at the outputs, `(n, n_outputs)`."""
        return self.nets[:, self.n_inputs :]

    def net(self, pin: str) -> Nets:
        """Return the net at a pin of each cell, `(n,)`."""
        return self.nets[:, self.pins.index(pin)]

    def __len__(self) -> int:
        return len(self.nets)


@dataclass(frozen=True, kw_only=True, eq=False)
class ReadPort:
    """Synchronous read of a macro: `data` follows `address` by a cycle where `enable` is 1, else it holds."""

    address: Nets
    enable: int
    data: Nets
    clock: int


@dataclass(frozen=True, kw_only=True, eq=False)
class WritePort:
    """Write of a macro; `enable` has a net for each bit of the word."""

    address: Nets
    enable: Nets
    data: Nets
    clock: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Macro:
    """A memory: `depth` words of `width` bits. Its name is its path without the array's own name."""

    name: str
    scope: int
    depth: int
    width: int
    reads: tuple[ReadPort, ...]
    writes: tuple[WritePort, ...]

    @property
    def inputs(self) -> Nets:
        """Nets at all inputs but the clocks; bits of a word that share a write enable share its pin."""
        parts = [np.append(port.address, np.unique(port.enable)) for port in (*self.reads, *self.writes)]
        return np.concatenate([*parts, *(port.data for port in self.writes)]).astype(np.int32)


@dataclass(frozen=True, kw_only=True, eq=False)
class Netlist:
    """A flat netlist.

    Attributes
    ----------
    top
        Module.
    n_nets
        Nets are numbered from 0; 0 is constant 0 and 1 is constant 1.
    inputs, outputs
        Ports of the top and their nets, lowest bit first.
    groups
        Cells by type.
    macros
        Memories.
    scopes
        Path of each instance of a module that holds cells, the top's is empty.
    """

    top: str
    n_nets: int
    inputs: Mapping[str, Nets]
    outputs: Mapping[str, Nets]
    groups: Mapping[str, CellGroup] = field(repr=False)
    macros: tuple[Macro, ...] = field(repr=False)
    scopes: tuple[tuple[str, ...], ...] = field(repr=False)

    def __len__(self) -> int:
        return sum(map(len, self.groups.values()))

    def of_kind(self, kind: str) -> Iterator[CellGroup]:
        """Yield the groups whose cells are of a kind of `synth.library.cell_model.Cell`."""
        return (group for group in self.groups.values() if group.cell.kind == kind)

    @property
    def blocks(self) -> tuple[str, ...]:
        """Names of the top's children that hold cells, in order of appearance, and `TOP_BLOCK` first."""
        return tuple(dict.fromkeys([TOP_BLOCK, *(path[0] for path in self.scopes if path)]))

    def block_of(self, scope: NDArray[np.integer]) -> NDArray[np.intp]:
        """Return the index into `blocks` of each scope."""
        number = {name: n for n, name in enumerate(self.blocks)}
        of_scope = np.array([number[path[0]] if path else 0 for path in self.scopes], np.intp)
        return of_scope[scope]

    def instance(self, group: CellGroup, row: int) -> str:
        """Return a cell's path, as in `weighted_sum.$abc$12`."""
        return ".".join((*self.scopes[group.scope[row]], group.names[row]))

    def levels(self) -> Iterator[tuple[CellGroup, NDArray[np.intp]]]:
        """Yield rows of groups of gates, level by level: what drives a gate comes in an earlier level."""
        gates = list(self.of_kind("gate"))
        order = [np.argsort(group.level, kind="stable") for group in gates]
        highest = max((int(group.level.max()) for group in gates if len(group)), default=0)
        starts = [np.searchsorted(g.level[o], np.arange(1, highest + 2)) for g, o in zip(gates, order, strict=True)]
        for level in range(highest):
            for group, rows, start in zip(gates, order, starts, strict=True):
                if start[level] < start[level + 1]:
                    yield group, rows[start[level] : start[level + 1]]

    def fan_out(self) -> NDArray[np.int64]:
        """Return the number of pins of cells and macros that each net leads to, `(n_nets,)`; ports do not count."""
        count = np.zeros(self.n_nets, np.int64)
        for nets in self._sinks():
            count += np.bincount(nets.ravel(), minlength=self.n_nets)
        return count

    def _sinks(self) -> Iterator[Nets]:
        for group in self.groups.values():
            yield group.inputs
        for macro in self.macros:
            yield macro.inputs
            yield np.array([port.clock for port in (*macro.reads[:1], *macro.writes[:1])][:1], np.int32)

    def pin_capacitance(self, *, macro_pin: float = 1.0, edge: str | None = None) -> NDArray[np.float64]:
        """Return the capacitance (fF) of the pins on each net, `(n_nets,)`.

        Parameters
        ----------
        macro_pin
            That of a macro's pin, fF. The default is about that of a flip-flop's data pin; what an access costs beyond
            it belongs to the memory.
        edge
            `rise` or `fall` for the pins' capacitance to that edge; None for that without an edge.
        """
        name = "capacitance" if edge is None else f"{edge}_capacitance"
        total = np.zeros(self.n_nets)
        for group in self.groups.values():
            for place, pin in enumerate(group.pins[: group.n_inputs]):
                count = np.bincount(group.nets[:, place], minlength=self.n_nets)
                total += count * getattr(group.cell.pins[pin], name)
        for macro in self.macros:
            total += macro_pin * np.bincount(macro.inputs, minlength=self.n_nets)
        return total

    def load(
        self, cells: CellLibrary, *, wire_load: str | None = "default", macro_pin: float = 1.0, edge: str | None = None
    ) -> NDArray[np.float64]:
        """Return what a driver of each net sees, fF: pins and the wire by its fan-out, `(n_nets,)`.

        Nets of clocks are included like others; `clock_nets` says which they are.
        """
        total = self.pin_capacitance(macro_pin=macro_pin, edge=edge)
        model = cells.wire_load(wire_load)
        if model is not None:
            total += model.capacitance(self.fan_out())
        return total

    def clock_nets(self) -> NDArray[np.bool_]:
        """Return which nets are clocks, gated or not, `(n_nets,)`."""
        found = np.zeros(self.n_nets, bool)
        for group in self.groups.values():
            if group.cell.clock is not None:
                found[group.net(group.cell.clock)] = True
        for macro in self.macros:
            found[[port.clock for port in (*macro.reads, *macro.writes)]] = True
        return found

    def constant_nets(self) -> NDArray[np.bool_]:
        """Return which nets are the constants, `(n_nets,)`."""
        found = np.zeros(self.n_nets, bool)
        found[[ZERO, ONE]] = True
        return found


def fail(message: str) -> SynthesisError:
    """Return an error about a netlist."""
    return SynthesisError(f"the mapped netlist {message}")
