"""Switching energy and leakage by OpenSTA (`sta`, optional), as a check on `synth.energy.power`.

OpenSTA 2.0.17 keeps an activity that is given for an input of the design, and computes one of its own for every output
of a gate. So each net of the netlist is handed to it with an inverter in the place of its driver, whose input is an
input of the design; the cells that the net leads to are as they are. What the inverter spends on switching is then what
the net's capacitance costs at the net's own activity. Its internal power is not used: it counts each transition twice.
Its leakage is the library's figure for any state.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hamming.synth.checks.opensta import run_sta
from hamming.synth.energy.activity import Activity
from hamming.synth.library.cell_model import CellLibrary
from hamming.synth.library.libraries import Library
from hamming.synth.netlist.netlist import ONE, Netlist
from hamming.synth.yosys.process import SynthesisError

__all__ = ["OpenStaPower", "power_with_opensta"]


@dataclass(frozen=True, kw_only=True, eq=False)
class OpenStaPower:
    """What OpenSTA says.

    Attributes
    ----------
    nets
        Nets that were compared: no clocks, and none that leads to a memory or out, where loads are our assumption.
    switching
        Energy of each, fJ a cycle.
    leakage
        Of all cells, nW.
    """

    nets: NDArray[np.int64]
    switching: NDArray[np.float64]
    leakage: float


def power_with_opensta(
    netlist: Netlist,
    cells: CellLibrary,
    library: Library,
    activity: Activity,
    *,
    wire_load: str | None = "default",
    inverter: str = "INV_X1",
) -> OpenStaPower:
    """Let OpenSTA compute what nets switch, at the activity that was simulated, and what cells leak.

    Raises
    ------
    SynthesisError
        `sta` is not installed, or does not do what it is told.
    """
    outside = [macro.inputs for macro in netlist.macros] + list(netlist.outputs.values())
    compared = ~netlist.clock_nets()
    compared[[*range(ONE + 1), *(net for nets in outside for net in nets.tolist())]] = False
    model = cells.wire_load(wire_load)
    # Activity is in transitions a clock cycle, of 1 ns.
    moves = (activity.rises + activity.falls) / activity.n_samples
    ones = activity.ones / activity.n_samples
    commands = ["read_liberty cells.lib", "read_verilog design.v", "link_design star", "set_wire_load_mode top"]
    commands += [f'set_wire_load_model -name "{model.name}"'] if model else []
    commands += [
        "create_clock -name clock -period 1.0 [get_ports clk]",
        "set_input_delay 0 -clock clock [get_ports p*]",
        *(
            f"set_power_activity -input_ports [get_ports p{net}] -activity {moves[net]:.9f} -duty {1 - ones[net]:.9f}"
            for net in np.flatnonzero(~netlist.clock_nets())
        ),
        "report_power -instances [get_cells *] -digits 12",
    ]
    files = {"design.v": "\n".join(_star(netlist, cells, inverter))}
    log = run_sta(commands, files, library, has_wires=model is not None)
    rows = re.findall(r"^ *\S+ +(\S+) +(\S+) +\S+ (drive|cell)_(\d+)$", log, re.MULTILINE)
    drive = {int(number): float(watts) for watts, _, kind, number in rows if kind == "drive"}
    leaks = [float(watts) for _, watts, kind, _ in rows if kind == "cell"]
    nets = np.flatnonzero(compared)
    if len(leaks) != len(netlist) or not set(drive) >= set(nets.tolist()):
        raise SynthesisError("OpenSTA did not report every cell", log[-20_000:])
    # 1 W for 1 ns is 1e6 fJ.
    return OpenStaPower(
        nets=nets, switching=1e6 * np.array([drive[net] for net in nets.tolist()]), leakage=1e9 * sum(leaks)
    )


def _star(netlist: Netlist, cells: CellLibrary, inverter: str) -> Iterator[str]:
    """Yield a module in which every net is driven by an inverter from an input `p5`, and cells drive nothing."""
    clocks = netlist.clock_nets()
    nets = np.flatnonzero(~clocks).tolist()
    pin, out = cells.cells[inverter].inputs[0], cells.cells[inverter].outputs[0]
    yield f"module star(clk, {', '.join(f'p{net}' for net in nets)});"
    yield "input clk;"
    for net in nets:
        yield f"input p{net};"
        yield f"wire n{net};"
        yield f"{inverter} drive_{net} (.{pin}(p{net}), .{out}(n{net}));"
    number = 0
    for kind, group in netlist.groups.items():
        for row in group.inputs.tolist():
            pins = zip(group.cell.inputs, row, strict=True)
            ports = ", ".join(f".{name}({'clk' if clocks[net] else f'n{net}'})" for name, net in pins)
            yield f"{kind} cell_{number} ({ports});"
            number += 1
    yield "endmodule"
