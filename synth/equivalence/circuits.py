"""A module as gates between points: where values come in, where they go out, and registers, which are both."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

__all__ = ["ONE", "ZERO", "Circuit", "Gate", "Point", "Register", "with_definedness"]

#: Nets that never change; Yosys numbers the nets of a module from 2.
ZERO, ONE = 0, 1

#: A place where a module meets what is outside: a port's bit, a pin of a child or of a memory.
Point = str


class Gate(NamedTuple):
    """`output` is bit `sum(inputs[j] << j)` of `table`."""

    output: int
    inputs: tuple[int, ...]
    table: int


@dataclass
class Register:
    """One bit that takes `next` at each rising edge of the point `clock`.

    `names` are the names of its net, `initial` is 0 or 1, and None where nothing says.
    """

    next: int
    clock: Point
    names: frozenset[tuple[str, int]]
    initial: int | None


@dataclass
class Circuit:
    """A module.

    Attributes
    ----------
    inputs, outputs
        Nets at the points where values come in and go out.
    gates
        In an order in which what drives a gate comes earlier.
    registers
        By the net of what they hold.
    undefined
        Nets that are x.
    names
        Nets by name.
    children, memories
        Modules of the instances inside, and the parameters of memories that both sides must share, by instance.
    """

    inputs: dict[Point, int] = field(default_factory=dict)
    outputs: dict[Point, int] = field(default_factory=dict)
    gates: list[Gate] = field(default_factory=list)
    registers: dict[int, Register] = field(default_factory=dict)
    undefined: list[int] = field(default_factory=list)
    names: dict[tuple[str, int], int] = field(default_factory=dict)
    children: dict[str, str] = field(default_factory=dict)
    memories: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def values(self, nets: dict[int, int], mask: int) -> dict[int, int]:
        """Return the value of every net, where inputs and registers have `nets`: bit `i` is that of case `i`."""
        values = {ZERO: 0, ONE: mask, **nets}
        for output, inputs, table in self.gates:
            values[output] = _evaluate(table, [values[net] for net in inputs], mask)
        return values


def with_definedness(circuit: Circuit) -> tuple[Circuit, dict[int, int]]:
    """Return the circuit with gates that say which nets are defined, and the net that says so for each that may be x.

    This is Verilog's logic of three values: a gate's output is defined if it is the same whatever the inputs are that
    are not.
    """
    defined = dict.fromkeys(circuit.undefined, ZERO)
    gates, last = [], max([ONE, *circuit.inputs.values(), *circuit.registers, *circuit.undefined])
    last = max([last, *(gate.output for gate in circuit.gates)])
    for gate in circuit.gates:
        gates.append(gate)
        unsure = [place for place, net in enumerate(gate.inputs) if net in defined]
        if unsure:
            last += 1
            table = _defined_table(gate, unsure)
            gates.append(Gate(last, (*gate.inputs, *(defined[gate.inputs[place]] for place in unsure)), table))
            defined[gate.output] = last
    return replace(circuit, gates=gates), defined


def _defined_table(gate: Gate, unsure: list[int]) -> int:
    """Return where a gate's output is defined, over its inputs and then whether each of those `unsure` is."""
    table = 0
    for index in range(1 << len(gate.inputs) + len(unsure)):
        open_places = [place for number, place in enumerate(unsure) if not index >> len(gate.inputs) + number & 1]
        cases = {index & (1 << len(gate.inputs)) - 1}
        for place in open_places:
            cases |= {case ^ 1 << place for case in cases}
        table |= (len({gate.table >> case & 1 for case in cases}) == 1) << index
    return table


def _evaluate(table: int, operands: list[int], mask: int) -> int:
    if table == 0b1000 and len(operands) == 2:
        return operands[0] & operands[1]
    if not operands:
        return mask if table & 1 else 0
    half = 1 << (len(operands) - 1)
    low, high = table & ((1 << half) - 1), table >> half
    if low == high:
        return _evaluate(low, operands[:-1], mask)
    if len(operands) == 1:
        return operands[0] if high else ~operands[0] & mask
    last = operands[-1]
    return _evaluate(low, operands[:-1], mask) & ~last | _evaluate(high, operands[:-1], mask) & last
