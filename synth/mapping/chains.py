"""Chains of buffers, as ABC makes them for nets with many loads, side by side instead.

ABC's `buffer` hands a net on from buffer to buffer, a few loads at each, the critical ones first; where all loads are
equally critical, the last ones come late.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hamming.synth.library.cell_model import CellLibrary
from hamming.synth.mapping.buffers import with_own_connections

__all__ = ["LONGEST_CHAIN", "without_chains"]

#: Buffers in a row that stay as they are.
LONGEST_CHAIN = 2


def without_chains(design: Mapping[str, Any], cells: CellLibrary) -> dict[str, Any]:
    """Return the netlist (`area.Mapped.netlist`) in which buffers of longer chains are all at the chain's source.

    Each buffer keeps its loads. `buffers.with_buffers`, which comes after it, sees to a source that has too many.
    """
    names = {cell.name for cell in cells.cells.values() if cell.is_buffer}
    modules = {name: _module(module, cells, names) for name, module in design["modules"].items()}
    return {**design, "modules": modules}


def _module(module: Mapping[str, Any], cells: CellLibrary, names: set[str]) -> dict[str, Any]:
    result = with_own_connections(module)
    found = {}  # by the net that it drives, a buffer's input: a list that holds the net
    for cell in result["cells"].values():
        if cell["type"] in names:
            model, connections = cells.cells[cell["type"]], cell["connections"]
            found[connections[model.outputs[0]][0]] = connections[model.inputs[0]]
    ways = {net: _way(found, net) for net in found}
    long = {way[-1] for way in ways.values() if len(way) > LONGEST_CHAIN}
    for net, way in ways.items():
        if way[-1] in long:
            found[net][0] = way[-1]
    return result


def _way(found: Mapping[Any, list[Any]], net: Any) -> list[Any]:
    """Return the nets before a buffer's output, back to what no buffer drives."""
    way = []
    while net in found:
        net = found[net][0]
        way.append(net)
    return way
