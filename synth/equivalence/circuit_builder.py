"""Gates, registers and points in, a `Circuit` out: gates in order, registers with clock, names and initial value.

A clock gate in front of a register becomes a multiplexer that holds the register's value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hamming.synth.equivalence.circuits import ONE, ZERO, Circuit, Gate, Register
from hamming.synth.yosys.process import SynthesisError

__all__ = ["MUX", "CircuitBuilder", "Unsupported"]

#: Truth table of a multiplexer: the second input where the third is 1, else the first.
MUX = 0b11001010


class Unsupported(SynthesisError):
    """A module holds what cannot be proved here; the message is one line."""


class CircuitBuilder:
    """Collects what a module holds, and makes a circuit of it.

    Parameters
    ----------
    name
        Module, for messages.
    last
        Highest number of a net that the module has.

    Attributes
    ----------
    circuit
        Its inputs, outputs and names are set from outside, the rest by `finish`.
    gates
        In any order.
    gated
        Clock and enable of each clock gate, by its output.
    pending
        Registers: held and next value, and clock.
    """

    def __init__(self, name: str, last: int):
        self.name = name
        self.last = last
        self.circuit = Circuit()
        self.gates: list[Gate] = []
        self.gated: dict[int, tuple[int, int]] = {}
        self.pending: list[tuple[int, int, int]] = []

    def error(self, what: str) -> Unsupported:
        """Return the error to raise."""
        return Unsupported(f"module {self.name}: {what}, which cannot be proved")

    def new(self) -> int:
        """Return a net that nothing has yet."""
        self.last += 1
        return self.last

    def gate(self, table: int, *inputs: int) -> int:
        """Add a gate and return its output."""
        output = self.new()
        self.gates.append(Gate(output, inputs, table))
        return output

    def finish(self, module: Mapping[str, Any]) -> None:
        """Give registers their names, clocks and enables; put gates in order."""
        names: dict[int, list[tuple[str, int]]] = {}
        initial: dict[int, int] = {}
        for name, entry in module["netnames"].items():
            start = entry["attributes"].get("init", "")
            for place, bit in enumerate(entry["bits"]):
                names.setdefault(bit, []).append((name, place))
                if isinstance(bit, int):
                    self.circuit.names[name, place] = bit
                if place < len(start) and (value := start[-1 - place]) in "01":
                    initial[bit] = int(value)
        points = {net: point for point, net in self.circuit.inputs.items()}
        clocks = set()
        for held, following, clock in self.pending:
            while clock in self.gated:
                clock, enable = self.gated[clock]
                following = self.gate(MUX, held, following, enable)
            if clock not in points:
                raise self.error(f"the clock of {names.get(held, held)} is made by gates")
            clocks.add(clock)
            if held in self.circuit.registers:
                raise self.error(f"net {held} has two drivers")
            register = Register(following, points[clock], frozenset(names.get(held, ())), initial.get(held))
            self.circuit.registers[held] = register
        if any(net in clocks for gate in self.gates for net in gate.inputs):
            raise self.error("a clock is data too")
        if any(register.next in clocks for register in self.circuit.registers.values()):
            raise self.error("a clock is data too")
        self.circuit.gates = list(self.in_order())

    def in_order(self) -> Iterator[Gate]:
        """Yield the gates that something depends on, each after those that it depends on."""
        known = {ZERO, ONE, *self.circuit.registers, *self.circuit.undefined}
        for net in self.circuit.inputs.values():
            if net in known:
                raise self.error(f"net {net} has two drivers")
            known.add(net)
        driver: dict[int, Gate] = {}
        for gate in self.gates:
            if gate.output in driver or gate.output in known:
                raise self.error(f"net {gate.output} has two drivers")
            driver[gate.output] = gate
        needed = [*self.circuit.outputs.values(), *(r.next for r in self.circuit.registers.values())]
        opened: set[int] = set()
        stack = needed[::-1]
        while stack:
            net = stack[-1]
            if net in known:
                stack.pop()
                continue
            if net not in driver:
                known.add(net)
                self.circuit.undefined.append(net)
                continue
            open_inputs = [source for source in driver[net].inputs if source not in known]
            if not open_inputs:
                known.add(net)
                yield driver[stack.pop()]
            elif net in opened:
                raise self.error("gates form a loop")
            else:
                opened.add(net)
                stack += open_inputs
