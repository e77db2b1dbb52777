"""Static timing over a netlist's arrays: arrivals and slews, level by level, all arcs of a level at once.

A *node* is a net with an edge, `2 * net + edge`; edge 0 rises, edge 1 falls.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hamming.synth.library.cell_model import Arc, Cell, Table
from hamming.synth.netlist.netlist import Netlist

__all__ = ["FALL", "RISE", "Arcs", "CellArc", "TableStack", "cell_arcs", "propagate"]

RISE, FALL = 0, 1

Floats = NDArray[np.float64]


class CellArc(NamedTuple):
    """One arc of a cell for one pair of edges; pins by name."""

    from_pin: str
    to_pin: str
    from_edge: int
    to_edge: int
    delay: Table
    slew: Table


def cell_arcs(cell: Cell) -> Iterator[CellArc]:
    """Yield what a transition at an input of a gate, or at the clock of a flip-flop, does to the outputs.

    Arcs that hold in some states of the other inputs alone come one by one.
    """
    for arc in cell.arcs:
        if cell.kind == "gate" and arc.kind.startswith("combinational"):
            edges = {"positive_unate": {(0, 0), (1, 1)}, "negative_unate": {(0, 1), (1, 0)}}
            yield from _edges(arc, edges.get(arc.sense, {(0, 0), (0, 1), (1, 0), (1, 1)}))
        elif cell.kind == "flip_flop" and arc.kind == "rising_edge":
            yield from _edges(arc, {(0, 0), (0, 1)})


def _edges(arc: Arc, edges: set[tuple[int, int]]) -> Iterator[CellArc]:
    for from_edge, to_edge in sorted(edges):
        delay, slew = ((arc.rise, arc.slew_rise), (arc.fall, arc.slew_fall))[to_edge]
        if delay is not None and slew is not None:
            yield CellArc(arc.from_pin, arc.to_pin, from_edge, to_edge, delay, slew)


class TableStack:
    """Many lookup tables in one array, to look up many values in different tables at once."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._tables: list[Table] = []

    def number(self, table: Table) -> int:
        """Return the number by which `table` is known here."""
        if id(table) not in self._numbers:
            self._numbers[id(table)] = len(self._tables)
            self._tables.append(table)
        return self._numbers[id(table)]

    def freeze(self) -> None:
        """Build the arrays; no table may follow."""
        shape = (
            max([2, *(len(table.rows) for table in self._tables)]),
            max([2, *(len(table.columns) for table in self._tables)]),
        )
        n = len(self._tables)
        self._rows, self._columns = (np.full((length, n), np.inf) for length in shape)
        self._values = np.zeros((n, *shape))
        for i, table in enumerate(self._tables):
            values = table.values
            for axis, target in ((table.rows, self._rows), (table.columns, self._columns)):
                target[: max(len(axis), 2), i] = axis if len(axis) > 1 else (0.0, 1.0)
            values = np.repeat(values, 2, axis=0) if len(table.rows) == 1 else values
            values = np.repeat(values, 2, axis=1) if len(table.columns) == 1 else values
            self._values[i, : values.shape[0], : values.shape[1]] = values

    def __call__(self, table: NDArray[np.integer], row: Floats, column: Floats) -> Floats:
        """Interpolate in each `table` (numbers); as `Table` does."""
        i, x = self._place(self._rows, table, row)
        j, y = self._place(self._columns, table, column)
        values = self._values
        low = values[table, i, j] * (1 - x) + values[table, i + 1, j] * x
        high = values[table, i, j + 1] * (1 - x) + values[table, i + 1, j + 1] * x
        return low * (1 - y) + high * y

    @staticmethod
    def _place(axes: Floats, table: NDArray[np.integer], at: Floats) -> tuple[NDArray[np.intp], Floats]:
        # Axes end in infinities where others are longer; the last finite entry opens no interval.
        i = np.zeros(len(at), np.intp)
        for k in range(1, len(axes) - 1):
            i += (at >= axes[k][table]) & np.isfinite(axes[k + 1][table])
        start = axes[i, table]
        return i, (at - start) / (axes[i + 1, table] - start)


@dataclass
class Arcs:
    """Every arc of every gate, sorted by level and by node that it leads to.

    Attributes
    ----------
    from_node, to_node
        Nodes, `(n,)`.
    delay, slew
        Numbers of tables in `tables`, `(n,)`.
    group, row, arc
        Which arc it is: index of the group among the netlist's, cell in it, index into `cell_arcs`.
    starts
        Where each node's arcs begin; `levels` has where each level's nodes begin in `starts`.
    """

    tables: TableStack
    from_node: NDArray[np.int32]
    to_node: NDArray[np.int32]
    delay: NDArray[np.int16]
    slew: NDArray[np.int16]
    group: NDArray[np.int16]
    row: NDArray[np.int32]
    arc: NDArray[np.int16]
    starts: NDArray[np.int64]
    levels: NDArray[np.int64]

    @classmethod
    def of(cls, netlist: Netlist) -> Arcs:
        """Collect a netlist's arcs."""
        tables = TableStack()
        columns: dict[str, list[np.ndarray]] = {name: [] for name in ("level", *_COLUMNS)}
        for number, group in enumerate(netlist.groups.values()):
            if group.cell.kind != "gate":
                continue
            for index, arc in enumerate(cell_arcs(group.cell)):
                n = len(group)
                values = (
                    2 * group.net(arc.from_pin) + arc.from_edge,
                    2 * group.net(arc.to_pin) + arc.to_edge,
                    np.full(n, tables.number(arc.delay)),
                    np.full(n, tables.number(arc.slew)),
                    np.full(n, number),
                    np.arange(n),
                    np.full(n, index),
                )
                columns["level"].append(group.level.astype(np.int64))
                for (name, dtype), value in zip(_COLUMNS.items(), values, strict=True):
                    columns[name].append(value.astype(dtype))
        whole = {name: np.concatenate(parts or [np.zeros(0, np.int64)]) for name, parts in columns.items()}
        key = whole.pop("level") * (2 * netlist.n_nets) + whole["to_node"]
        order = np.argsort(key, kind="stable")
        key = key[order]
        starts = np.flatnonzero(np.diff(key, prepend=-1))
        of_level = key[starts] // (2 * netlist.n_nets)
        levels = np.append(np.flatnonzero(np.diff(of_level, prepend=0)), len(starts))
        tables.freeze()
        sorted_columns = {name: whole[name][order].astype(dtype) for name, dtype in _COLUMNS.items()}
        return cls(tables=tables, starts=starts, levels=levels, **sorted_columns)


_COLUMNS = {
    "from_node": np.int32,
    "to_node": np.int32,
    "delay": np.int16,
    "slew": np.int16,
    "group": np.int16,
    "row": np.int32,
    "arc": np.int16,
}


def propagate(arcs: Arcs, arrival: Floats, slew: Floats, load: Floats) -> NDArray[np.int64]:
    """Fill in the arrival and slew of every node that an arc leads to, in place.

    Nodes where paths start must be filled in before; a node that no path leads to has an arrival of -inf, and takes no
    part. Of several arcs into a node the latest arrival and the longest slew count, whichever arc each is from.

    Parameters
    ----------
    arcs
        Of the netlist.
    arrival, slew
        ns, of each node.
    load
        fF, of each node.

    Returns
    -------
    NDArray
        Arc by which the latest arrival came to each node, -1 where none did.
    """
    by = np.full(len(arrival), -1, np.int64)
    ends = np.append(arcs.starts[1:], len(arcs.from_node))
    for first, last in zip(arcs.levels[:-1], arcs.levels[1:], strict=True):
        starts = arcs.starts[first:last]
        begin, end = starts[0], ends[last - 1]
        here = slice(begin, end)
        source, target = arcs.from_node[here], arcs.to_node[here]
        source_slew, target_load = slew[source], load[target]
        arrivals = arrival[source] + arcs.tables(arcs.delay[here], source_slew, target_load)
        slews = arcs.tables(arcs.slew[here], source_slew, target_load)
        slews[arrivals == -np.inf] = 0.0
        nodes = arcs.to_node[starts]
        latest = np.maximum.reduceat(arrivals, starts - begin)
        arrival[nodes] = latest
        slew[nodes] = np.maximum.reduceat(slews, starts - begin)
        is_latest = (arrivals == np.repeat(latest, np.diff(np.append(starts, end)))) & (arrivals > -np.inf)
        by[target[is_latest]] = begin + np.flatnonzero(is_latest)
    return by
