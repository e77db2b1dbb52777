"""Registers behind block RAM become those that the block has: Yosys leaves them in the fabric."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

__all__ = ["absorb_output_registers"]

#: A cell, and the name of its port.
_Pin = tuple[dict[str, Any], str]


def absorb_output_registers(netlist: dict[str, Any]) -> int:
    """Give block RAMs of an ECP5 the flip-flops behind their outputs, in place; return how many RAMs have them now.

    A block RAM has a register behind its array (`REGMODE` is `OUTREG`), which its `OCEB` enables, whatever else its
    port does. It stands for the flip-flops if each output that is used goes to one of them and nowhere else, and they
    have the read port's clock, one enable, and no set or reset. Blocks of two read ports are left as they are.

    Parameters
    ----------
    netlist
        The flat module, as Yosys' JSON.
    """
    cells = netlist["cells"]
    sinks: dict[int, list[_Pin]] = defaultdict(list)
    names = {id(cell): name for name, cell in cells.items()}
    for cell in cells.values():
        for port, bits in cell["connections"].items():
            for bit in bits:
                if cell["port_directions"][port] == "input" and isinstance(bit, int):
                    sinks[bit].append((cell, port))
    for port in netlist["ports"].values():
        for bit in port["bits"]:
            sinks[bit].append(({"type": "port"}, ""))
    n_absorbed = 0
    for ram in [cell for cell in cells.values() if cell["type"] == "DP16KD"]:
        behind = _behind(ram, sinks)
        if behind is None:
            continue
        registers, enable = behind
        ram["parameters"] |= {"REGMODE_A": "OUTREG", "REGMODE_B": "OUTREG"}
        ram["connections"] |= {port: register["connections"]["Q"] for port, register in registers.items()}
        ram["connections"]["OCEB"] = enable
        for register in registers.values():
            del cells[names[id(register)]]
        n_absorbed += 1
    return n_absorbed


def _behind(ram: Mapping[str, Any], sinks: Mapping[int, list[_Pin]]) -> tuple[dict[str, dict[str, Any]], Any] | None:
    """Return the flip-flop behind each output of a RAM, and what enables them; None if the RAM's own are not as these.

    The enable is as it is connected to the block's, which is active high.
    """
    connections, registers = ram["connections"], {}
    outputs = {port: bits[0] for port, bits in connections.items() if port.startswith("DO") and sinks.get(bits[0])}
    reads_a = int(ram["parameters"]["DATA_WIDTH_B"], 2) != 36 and any(port.startswith("DOA") for port in outputs)
    if not outputs or reads_a or ram["parameters"]["REGMODE_B"] != "NOREG":
        return None
    found = set()
    for port, bit in outputs.items():
        ((register, pin), *others) = sinks[bit]
        if others or register["type"] != "TRELLIS_FF" or pin != "DI":
            return None
        own, parameters = register["connections"], register["parameters"]
        enable = own.get("CE", ["1"]) if parameters["CEMUX"].strip() == "CE" else [parameters["CEMUX"].strip()]
        if parameters["REGSET"] != "RESET" or parameters["CLKMUX"] != "CLK" or own.get("LSR", ["0"]) != ["0"]:
            return None
        registers[port] = register
        found.add((*own["CLK"], *enable))
    clock, enable = found.pop()
    if found or [clock] != connections["CLKB"] or ram["parameters"]["CLKBMUX"] != "CLKB" or enable in ("0", "INV"):
        return None
    return registers, [enable]
