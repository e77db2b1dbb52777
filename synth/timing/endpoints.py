"""Where the paths of a netlist end: pins with a setup time, inputs of memories, and ports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hamming.synth.netlist.netlist import CellGroup, Netlist
from hamming.synth.timing.propagation import FALL, RISE, Floats
from hamming.synth.timing.report import Environment

__all__ = ["Ends", "path_ends"]


class Ends(NamedTuple):
    """Where paths end: a pin of the cells of one type, the inputs of a memory, or a port.

    Attributes
    ----------
    prefix, pin
        `synth.checks.opensta` calls them `{prefix}_{row}`, with `/{pin}` where there is a pin.
    net
        Net of each, `(n,)`.
    block
        Index into the netlist's blocks; one more than the last is the ports.
    setup
        ns before the clock edge, rising and falling, `(n, 2)`.
    name
        Name of each in the hierarchy, by row.
    """

    prefix: str
    pin: str
    net: NDArray[np.integer]
    block: NDArray[np.integer]
    setup: Floats
    name: Callable[[int], str]


def path_ends(netlist: Netlist, environment: Environment, slews: Floats) -> Iterator[Ends]:
    """Yield the ends of paths; `slews` are those of every net, `(n_nets, 2)`: rising, falling."""
    yield from _cell_ends(netlist, environment, slews)
    yield from _macro_and_port_ends(netlist, environment)


def _cell_ends(netlist: Netlist, environment: Environment, slews: Floats) -> Iterator[Ends]:
    for group in netlist.groups.values():
        for pin in group.cell.inputs:
            arcs = [arc for arc in group.cell.arcs if arc.to_pin == pin and arc.kind == "setup_rising"]
            if not arcs:
                continue
            nets = group.net(pin)
            clock_slew = np.full(len(nets), environment.clock_slew)
            setup = np.full((len(nets), 2), -np.inf)
            for arc in arcs:
                for edge, table in ((RISE, arc.rise), (FALL, arc.fall)):
                    if table is not None:
                        setup[:, edge] = np.maximum(setup[:, edge], table(slews[nets, edge], clock_slew))

            def name(row: int, group: CellGroup = group, pin: str = pin) -> str:
                return f"{netlist.instance(group, row)}.{pin}"

            yield Ends(group.cell.name, pin, nets, netlist.block_of(group.scope), setup, name)


def _macro_and_port_ends(netlist: Netlist, environment: Environment) -> Iterator[Ends]:
    for number, macro in enumerate(netlist.macros):
        n = len(macro.inputs)
        block = netlist.block_of(np.full(n, macro.scope))
        setup = np.full((n, 2), environment.memory_setup)
        yield Ends(f"write_{number}", "", macro.inputs, block, setup, f"{macro.name}, input {{}}".format)
    for port, nets in netlist.outputs.items():
        block = np.full(len(nets), len(netlist.blocks))
        setup = np.full((len(nets), 2), environment.output_delay)
        yield Ends(f"out_{port}", "", nets, block, setup, f"{port}[{{}}]".format)
