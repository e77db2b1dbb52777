"""A module of Yosys' JSON, read as a circuit.

Gates of Yosys (`$_AND_` and so on) are taken as they are, cells of a library as the gates that Yosys' `read_liberty`
makes of their functions, and clock gates as their Liberty attributes say. Memories and other modules stay outside.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial, reduce
from typing import Any

from hamming.synth.equivalence.circuit_builder import MUX, CircuitBuilder
from hamming.synth.equivalence.circuits import ONE, ZERO, Circuit, Gate
from hamming.synth.library.cell_model import Cell
from hamming.synth.yosys.memories import MACRO

__all__ = ["read_circuit"]

#: Gates of Yosys: pins, and the truth table with the first pin as the lowest bit of the index.
_GATES = {
    "$_BUF_": ("A", 0b10),
    "$_NOT_": ("A", 0b01),
    "$_AND_": ("AB", 0b1000),
    "$_NAND_": ("AB", 0b0111),
    "$_OR_": ("AB", 0b1110),
    "$_NOR_": ("AB", 0b0001),
    "$_XOR_": ("AB", 0b0110),
    "$_XNOR_": ("AB", 0b1001),
    "$_ANDNOT_": ("AB", 0b0010),
    "$_ORNOT_": ("AB", 0b1011),
    "$_MUX_": ("ABS", MUX),
}

#: Both inputs; whether they are equal.
_AND, _XNOR = 0b1000, 0b1001

#: Parameters of a memory that both sides must share. A register behind a read may be outside, and writes be shared.
_SHARED = ("MEMID", "SIZE", "OFFSET", "WIDTH", "ABITS", "RD_PORTS")

#: Of reads with a register, what must be all 0: no read sees a write of its own cycle, or may see anything then.
_ZERO = ("RD_TRANSPARENCY_MASK", "RD_COLLISION_X_MASK")


def read_circuit(
    name: str,
    modules: Mapping[str, Any],
    cells: Mapping[str, Any],
    clock_gates: Mapping[str, Cell],
) -> Circuit:
    """Read a module.

    Each x, and each net without a driver, is an input of its own, named in `undefined`.

    Parameters
    ----------
    name, modules
        Module, and the modules of Yosys' `write_json`.
    cells
        Modules that `read_liberty` makes of a library's cells.
    clock_gates
        The library's clock gates.

    Raises
    ------
    Unsupported
        There is a cell of another kind, a latch, a reset without clock, a clock that is also data, a loop of gates, or
        a net with two drivers.
    """
    return _Reader(name, modules, cells, clock_gates).circuit


class _Reader(CircuitBuilder):
    def __init__(
        self,
        name: str,
        modules: Mapping[str, Any],
        cells: Mapping[str, Any],
        clock_gates: Mapping[str, Cell],
    ):
        module = modules[name]
        last = max(
            [ONE]
            + [
                bit
                for part in (module["ports"], module["netnames"])
                for entry in part.values()
                for bit in entry["bits"]
                if isinstance(bit, int)
            ]
            + [
                bit
                for cell in module["cells"].values()
                for bits in cell["connections"].values()
                for bit in bits
                if isinstance(bit, int)
            ]
        )
        super().__init__(name, last)
        self.modules = modules
        self.cells = cells
        self.clock_gates = clock_gates
        for port, entry in module["ports"].items():
            points = [(f"{port}[{place}]", bit) for place, bit in enumerate(entry["bits"])]
            if entry["direction"] == "input":
                self.circuit.inputs |= {point: self.net(bit) for point, bit in points}
            elif entry["direction"] == "output":
                self.circuit.outputs |= {point: self.net(bit) for point, bit in points}
            else:
                raise self.error(f"port {port} goes both ways")
        for instance, cell in module["cells"].items():
            pins = {pin: [self.net(bit) for bit in bits] for pin, bits in cell["connections"].items()}
            self.add(instance, cell, pins)
        self.finish(module)

    def net(self, bit: int | str) -> int:
        if isinstance(bit, int):
            return bit
        if bit in "01":
            return int(bit)
        net = self.new()
        self.circuit.undefined.append(net)
        return net

    def add(self, instance: str, cell: Mapping[str, Any], pins: Mapping[str, list[int]]) -> None:
        kind = cell["type"]
        if kind in _GATES:
            names, table = _GATES[kind]
            self.gates.append(Gate(pins["Y"][0], tuple(pins[pin][0] for pin in names), table))
        elif kind == "$_DFF_P_":
            self.pending.append((pins["Q"][0], pins["D"][0], pins["C"][0]))
        elif kind == MACRO:
            self.add_memory(instance, cell["parameters"], pins)
        elif kind in self.clock_gates:
            self.add_clock_gate(self.clock_gates[kind], pins)
        elif kind in self.modules:
            self.circuit.children[instance] = kind
            for port, entry in self.modules[kind]["ports"].items():
                is_output = entry["direction"] == "output"
                side = self.circuit.inputs if is_output else self.circuit.outputs
                nets = pins.get(port) or [self.new() if is_output else self.net("x") for _ in entry["bits"]]
                side |= {f"{instance}.{port}[{place}]": net for place, net in enumerate(nets)}
        elif kind in self.cells:
            self.add_cell(self.cells[kind], pins)
        else:
            raise self.error(f"{instance} is of type {kind}")

    def add_cell(self, model: Mapping[str, Any], pins: Mapping[str, list[int]]) -> None:
        """Put a library's cell in as the gates that it is made of."""
        nets: dict[Any, int] = {"0": ZERO, "1": ONE}
        for pin, entry in model["ports"].items():
            outer = pins[pin][0] if pins.get(pin) else self.new()
            inner = entry["bits"][0]
            if inner in nets:  # an output that is an input, or constant
                self.gates.append(Gate(outer, (nets[inner],), 0b10))
            else:
                nets[inner] = outer
        stored: dict[tuple[int, ...], int] = {}
        for name, cell in model["cells"].items():
            if cell["type"] not in _GATES and cell["type"] != "$_DFF_P_":
                raise self.error(f"a cell of the library holds {cell['type']}")
            for bits in cell["connections"].values():
                for bit in bits:
                    nets.setdefault(bit, self.new())
            inner_pins = {pin: [nets[bit] for bit in bits] for pin, bits in cell["connections"].items()}
            if cell["type"] == "$_DFF_P_":
                # Yosys has a flip-flop for the stored value and one for its complement; the cell stores one bit.
                held = stored.setdefault((inner_pins["C"][0], inner_pins["D"][0]), inner_pins["Q"][0])
                if held != inner_pins["Q"][0]:
                    self.gates.append(Gate(inner_pins["Q"][0], (held,), 0b10))
                    continue
            self.add(name, cell, inner_pins)

    def add_clock_gate(self, cell: Cell, pins: Mapping[str, list[int]]) -> None:
        assert cell.next_state is not None
        assert cell.clock is not None
        enable = self.gate(cell.next_state.table, *(pins[pin][0] for pin in cell.next_state.pins))
        self.gated[pins[cell.outputs[0]][0]] = (pins[cell.clock][0], enable)

    def add_memory(self, instance: str, parameters: Mapping[str, str], pins: Mapping[str, list[int]]) -> None:
        """Leave a memory outside: its array gives data and takes addresses.

        Writes count by what they do: the next content of a word at any address, whatever it holds.
        """
        self.circuit.memories[instance] = tuple(f"{key} {parameters[key]}" for key in _SHARED)
        ports, width, bits, n_writes = (int(parameters[key], 2) for key in ("RD_PORTS", "WIDTH", "ABITS", "WR_PORTS"))
        if (
            "1" in parameters["RD_WIDE_CONTINUATION"] + parameters["WR_WIDE_CONTINUATION"]
            or (n_writes and "0" in parameters["WR_CLK_ENABLE"] + parameters["WR_CLK_POLARITY"])
            or len(set(pins["WR_CLK"])) > 1
            or any(
                parameters["WR_PRIORITY_MASK"][-1 - p * n_writes - q] != "1" for p in range(n_writes) for q in range(p)
            )
        ):
            raise self.error(f"memory {instance} is written in a way of its own")
        self.circuit.outputs |= {f"{instance}.RD_ADDR[{place}]": net for place, net in enumerate(pins["RD_ADDR"])}
        if n_writes:
            self.circuit.outputs[f"{instance}.WR_CLK[0]"] = pins["WR_CLK"][0]
        address = [self.new() for _ in range(bits)]
        word = [self.new() for _ in range(width)]
        self.circuit.inputs |= {f"{instance}.any address[{place}]": net for place, net in enumerate(address)}
        self.circuit.inputs |= {f"{instance}.its word[{place}]": net for place, net in enumerate(word)}
        for port in range(n_writes):
            written = pins["WR_ADDR"][port * bits : (port + 1) * bits]
            is_it = reduce(lambda a, b: self.gate(_AND, a, b), map(partial(self.gate, _XNOR), address, written), ONE)
            for place in range(width):
                enable = self.gate(_AND, pins["WR_EN"][port * width + place], is_it)
                word[place] = self.gate(MUX, word[place], pins["WR_DATA"][port * width + place], enable)
        self.circuit.outputs |= {f"{instance}.its next word[{place}]": net for place, net in enumerate(word)}
        for port in range(ports):
            has_register = parameters["RD_CLK_ENABLE"][-1 - port] == "1"
            if has_register and (
                any("1" in parameters[key] for key in _ZERO)
                or parameters["RD_CLK_POLARITY"][-1 - port] != "1"
                or any(pins[pin][port] != ZERO for pin in ("RD_ARST", "RD_SRST"))
            ):
                raise self.error(f"memory {instance} reads in a way of its own")
            for place in range(port * width, (port + 1) * width):
                data = self.new() if has_register else pins["RD_DATA"][place]
                self.circuit.inputs[f"{instance}.array[{place}]"] = data
                if has_register:
                    held = pins["RD_DATA"][place]
                    taken = self.gate(MUX, held, data, pins["RD_EN"][port])
                    self.pending.append((held, taken, pins["RD_CLK"][port]))
