"""Models of cells: functions, capacitances, delays, constraints, energies and leakage. `liberty` reads them.

Units are ns, fF, fJ, nW and V, whatever a file's are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from hamming.synth.library.boolean import Function

__all__ = ["Arc", "Cell", "CellLibrary", "Function", "InternalPower", "Pin", "Table", "WireLoad"]


@dataclass(frozen=True, eq=False)
class Table:
    """A lookup table, `values[i, j]` at `rows[i]` and `columns[j]`.

    Of a delay, slew or energy, rows are input slews (ns) and columns loads (fF). Of a setup or hold time, rows are
    slews of the constrained pin and columns slews of the clock. An axis of length 1 does not matter.
    """

    rows: np.ndarray
    columns: np.ndarray
    values: np.ndarray

    def __call__(self, row: np.ndarray | float, column: np.ndarray | float) -> np.ndarray:
        """Interpolate bilinearly, and outside the table go on linearly from its outermost cells."""
        row, column = np.asarray(row, dtype=float), np.asarray(column, dtype=float)
        i, x = _place(self.rows, row)
        j, y = _place(self.columns, column)
        values = self.values
        near = values[i, j]
        if len(self.rows) > 1:
            near = near * (1 - x) + values[i + 1, j] * x
        if len(self.columns) == 1:
            return near + np.zeros_like(column)
        far = values[i, j + 1]
        if len(self.rows) > 1:
            far = far * (1 - x) + values[i + 1, j + 1] * x
        return near * (1 - y) + far * y


def _place(axis: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the interval of `axis` for each x, and where in it x lies (0 to 1 inside)."""
    if len(axis) == 1:
        return np.zeros(x.shape, dtype=np.intp), np.zeros(x.shape)
    i = np.clip(np.searchsorted(axis, x, side="right") - 1, 0, len(axis) - 2)
    return i, (x - axis[i]) / (axis[i + 1] - axis[i])


@dataclass(frozen=True, kw_only=True)
class Pin:
    """A pin; `direction` is `input`, `output`, `inout` or `internal`.

    Attributes
    ----------
    capacitance, rise_capacitance, fall_capacitance
        fF; the latter two are what a driver sees as the pin rises or falls.
    max_capacitance
        Largest load that the pin may drive, fF; None where the file has none.
    """

    name: str
    direction: str
    capacitance: float
    rise_capacitance: float
    fall_capacitance: float
    max_capacitance: float | None


@dataclass(frozen=True, kw_only=True)
class Arc:
    """Timing from one pin to another, where `when` holds (always, if None).

    Attributes
    ----------
    kind
        Liberty's timing type: `combinational`, `rising_edge`, `setup_rising`, `hold_rising`, ...
    sense
        `positive_unate`, `negative_unate` or `non_unate`.
    rise, fall
        Delay (ns) to a rising or falling `to_pin`; for setup and hold, the time (ns) that a rising or falling `to_pin`
        must keep from the clock edge at `from_pin`. None where `to_pin` never does so through this arc.
    slew_rise, slew_fall
        Slew (ns) of `to_pin`, between the library's thresholds.
    """

    from_pin: str
    to_pin: str
    kind: str
    sense: str
    when: Function | None
    rise: Table | None = None
    fall: Table | None = None
    slew_rise: Table | None = None
    slew_fall: Table | None = None


@dataclass(frozen=True, kw_only=True)
class InternalPower:
    """Energy (fJ) that a transition of `pin` costs inside the cell, where `when` holds (always, if None).

    `related_pin` is, for an output, the input that caused the transition; an input that changes no output has none.
    """

    pin: str
    related_pin: str | None
    when: Function | None
    rise: Table | None
    fall: Table | None


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A cell.

    Attributes
    ----------
    name, area
        The area is in the file's unit.
    kind
        `gate`, `flip_flop`, `latch`, `clock_gate`; `other` is what has no two-valued output function: fillers,
        three-state drivers.
    pins
        By name, supplies left out; `inputs` and `outputs` are names in the file's order.
    functions
        Of each output, over inputs and `state`.
    state
        Names of the stored value and its complement in `functions`, empty for a gate.
    next_state
        What is stored, over inputs; for a clock gate, the or of its enables.
    clocked_on
        For a flip-flop, what rises as it stores; for a latch or clock gate, what holds while it is transparent.
    clear, preset
        What makes the stored value 0 or 1, None without.
    clock, data, enable
        Pins: the clock; a flip-flop's or latch's data where that is one pin; a clock gate's enable. None without.
    leakage
        nW, whatever the state; `leakage_by_state` has functions of all pins and the leakage where they hold.
    arcs, internal_power
        Timing and energy.
    """

    name: str
    area: float
    kind: str
    pins: Mapping[str, Pin]
    functions: Mapping[str, Function]
    state: tuple[str, str] | tuple[()] = ()
    next_state: Function | None = None
    clocked_on: Function | None = None
    clear: Function | None = None
    preset: Function | None = None
    clock: str | None = None
    data: str | None = None
    enable: str | None = None
    leakage: float
    leakage_by_state: tuple[tuple[Function, float], ...]
    arcs: tuple[Arc, ...] = field(repr=False)
    internal_power: tuple[InternalPower, ...] = field(repr=False)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the input pins."""
        return tuple(name for name, pin in self.pins.items() if pin.direction == "input")

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the output pins."""
        return tuple(name for name, pin in self.pins.items() if pin.direction == "output")

    @property
    def capacitance(self) -> dict[str, float]:
        """Capacitance of each input, fF."""
        return {name: self.pins[name].capacitance for name in self.inputs}

    @property
    def is_buffer(self) -> bool:
        """Whether it is a gate whose one output is its one input."""
        if self.kind != "gate" or len(self.inputs) != 1 or len(self.outputs) != 1:
            return False
        return self.functions[self.outputs[0]].over(self.inputs) == 0b10


@dataclass(frozen=True, kw_only=True)
class WireLoad:
    """A wire-load model: how long a wire is by its number of sinks.

    Attributes
    ----------
    capacitance_per_length
        fF for each unit of length.
    slope
        Length for each sink beyond the table.
    fan_outs, lengths
        The table. Between entries the length is interpolated.
    """

    name: str
    capacitance_per_length: float
    slope: float
    fan_outs: tuple[float, ...]
    lengths: tuple[float, ...]

    def capacitance(self, fan_out: np.ndarray) -> np.ndarray:
        """Return the capacitance (fF) of wires with so many sinks; one without sinks has none."""
        fan_out = np.asarray(fan_out, dtype=float)
        length = np.interp(fan_out, self.fan_outs, self.lengths)
        beyond, before = fan_out - self.fan_outs[-1], self.fan_outs[0] - fan_out
        length = length + self.slope * (np.maximum(beyond, 0) - np.maximum(before, 0))
        return np.where(fan_out > 0, np.maximum(length, 0) * self.capacitance_per_length, 0.0)


@dataclass(frozen=True, kw_only=True)
class CellLibrary:
    """What a Liberty file says.

    Attributes
    ----------
    name, sha256
        Of the library, and of the file.
    voltage
        V.
    cells
        By name.
    wire_loads
        By name; `default_wire_load` is the file's choice, None without.
    slew_thresholds
        Shares of the supply between which a slew is measured, lower and upper.
    """

    name: str
    sha256: str
    voltage: float
    cells: Mapping[str, Cell] = field(repr=False)
    wire_loads: Mapping[str, WireLoad] = field(repr=False)
    default_wire_load: str | None
    slew_thresholds: tuple[float, float]

    def wire_load(self, name: str | None) -> WireLoad | None:
        """Return a wire-load model by name; `default` is the file's choice, and None is wires without capacitance."""
        if name == "default":
            name = self.default_wire_load
        if name is None:
            return None
        if name not in self.wire_loads:
            raise ValueError(f"wire_load must be default, {', '.join(sorted(self.wire_loads))} or None, not {name!r}")
        return self.wire_loads[name]
