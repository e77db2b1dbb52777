"""The groups of a parsed Liberty file in, models of its cells in ns, fF, fJ and nW out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

import numpy as np

from hamming.synth.library.boolean import Function, parse_function
from hamming.synth.library.cell_model import Arc, Cell, CellLibrary, InternalPower, Pin, Table, WireLoad
from hamming.synth.library.liberty_storage import storage_fields
from hamming.synth.library.liberty_text import Group
from hamming.synth.library.libraries import LibraryError

__all__ = ["ModelReader", "understood"]

_TIME = {"ps": 1e-3, "ns": 1.0, "us": 1e3}
_CAPACITANCE = {"ff": 1.0, "pf": 1e3}
_POWER = {"pW": 1e-3, "nW": 1.0, "uW": 1e3, "mW": 1e6}
_VOLTAGE = {"mV": 1e-3, "V": 1.0}

#: Table axes that this module calls rows; the others are columns.
_ROWS = ("input_net_transition", "input_transition_time", "constrained_pin_transition")
_COLUMNS = ("total_output_net_capacitance", "related_pin_transition")


@contextlib.contextmanager
def understood(group: Group) -> Iterator[None]:
    """Say in which group, of which line, something is not understood."""
    try:
        yield
    except LibraryError:  # of a group inside this one
        raise
    except (KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
        where = f"line {group.line}: the {group.kind} {', '.join(group.arguments)}"
        raise LibraryError(f"{where} is not understood: {error!r}") from error


def _name(group: Group) -> str:
    return group.arguments[0]


def _numbers(values: Iterable[str]) -> list[float]:
    """Return the numbers of a complex attribute, quoted or not."""
    return [float(number) for value in values for number in value.replace(",", " ").split()]


def _unit(text: str, units: dict[str, float]) -> float:
    """Return how many of ours a unit such as `1ns` is."""
    digits = len(text) - len(text.lstrip("0123456789."))
    return float(text[:digits]) * units[text[digits:].strip()]


class ModelReader:
    """Makes models of a group `library`; its units and table templates hold for every cell in it."""

    def __init__(self, library: Group):
        self.group = library
        self.time = _unit(library.text("time_unit", "1ns"), _TIME)
        self.power = _unit(library.text("leakage_power_unit", "1nW"), _POWER)
        number, unit = library.complex.get("capacitive_load_unit", [["1", "pf"]])[-1]
        self.capacitance = float(number) * _CAPACITANCE[unit.lower()]
        # Liberty gives no unit of energy: it is that of capacitance times that of voltage squared.
        self.energy = self.capacitance * _unit(library.text("voltage_unit", "1V"), _VOLTAGE) ** 2
        self.templates = {
            _name(group): group for kind in ("lu_table_template", "power_lut_template") for group in library.all(kind)
        }
        self.axes: dict[tuple[float, ...], np.ndarray] = {}

    def library(self, sha256: str) -> CellLibrary:
        """Return all models; `sha256` is that of the file."""
        group = self.group
        voltage = group.number("nom_voltage", 1.0) * _unit(group.text("voltage_unit", "1V"), _VOLTAGE)
        derate = group.number("slew_derate_from_library", 1.0)
        if derate != 1.0:
            raise ValueError(f"slew_derate_from_library must be 1, not {derate}")
        lower, upper = (group.number(f"slew_{x}_threshold_pct_rise", d) for x, d in (("lower", 20), ("upper", 80)))
        return CellLibrary(
            name=_name(group),
            sha256=sha256,
            voltage=voltage,
            cells={_name(cell): self.cell(cell) for cell in group.all("cell")},
            wire_loads={_name(load): self.wire_load(load) for load in group.all("wire_load")},
            default_wire_load=group.text("default_wire_load") or None,
            slew_thresholds=(lower / 100, upper / 100),
        )

    def wire_load(self, group: Group) -> WireLoad:
        table = sorted(tuple(_numbers(entry)[:2]) for entry in group.complex.get("fanout_length", []))
        return WireLoad(
            name=_name(group),
            capacitance_per_length=group.number("capacitance", 0) * self.capacitance,
            slope=group.number("slope", 0),
            fan_outs=tuple(n for n, _ in table),
            lengths=tuple(length for _, length in table),
        )

    def cell(self, group: Group) -> Cell:
        with understood(group):
            return self._cell(group)

    def _cell(self, group: Group) -> Cell:
        pin_groups = [(name, pin) for pin in group.all("pin") for name in pin.arguments]
        pins = {name: self.pin(name, pin) for name, pin in pin_groups}
        functions = {}
        for name, pin in pin_groups:
            attribute = "function" if "function" in pin else "state_function"
            if attribute in pin and pins[name].direction == "output" and "three_state" not in pin:
                functions[name] = parse_function(pin.text(attribute))
        states = [
            (parse_function(state.text("when")), state.number("value") * self.power)
            for state in group.all("leakage_power")
            if "when" in state
        ]
        whole = [state.number("value") for state in group.all("leakage_power") if "when" not in state]
        default = whole[-1] if whole else self.group.number("default_cell_leakage_power", 0)
        return Cell(
            name=_name(group),
            area=group.number("area", 0),
            pins=pins,
            functions=functions,
            leakage=group.number("cell_leakage_power", default) * self.power,
            leakage_by_state=tuple(states),
            arcs=tuple(arc for name, pin in pin_groups for arc in self.arcs(name, pin)),
            internal_power=tuple(power for name, pin in pin_groups for power in self.internal_powers(name, pin)),
            **storage_fields(group, dict(pin_groups), functions),
        )

    def pin(self, name: str, group: Group) -> Pin:
        direction = group.text("direction")
        own = group.number("capacitance", self.group.number(f"default_{direction}_pin_cap", 0))
        has_limit = "max_capacitance" in group
        return Pin(
            name=name,
            direction=direction,
            capacitance=own * self.capacitance,
            rise_capacitance=group.number("rise_capacitance", own) * self.capacitance,
            fall_capacitance=group.number("fall_capacitance", own) * self.capacitance,
            max_capacitance=group.number("max_capacitance") * self.capacitance if has_limit else None,
        )

    def arcs(self, to_pin: str, pin: Group) -> Iterator[Arc]:
        for timing in pin.all("timing"):
            kind = timing.text("timing_type", "combinational")
            if kind.startswith(("setup", "hold", "recovery", "removal", "non_seq", "min_pulse", "minimum_period")):
                names = {"rise": "rise_constraint", "fall": "fall_constraint"}
            else:
                names = {
                    "rise": "cell_rise",
                    "fall": "cell_fall",
                    "slew_rise": "rise_transition",
                    "slew_fall": "fall_transition",
                }
            tables = {key: self.table(timing, name, self.time) for key, name in names.items()}
            for from_pin in timing.text("related_pin", to_pin).split():
                yield Arc(
                    from_pin=from_pin,
                    to_pin=to_pin,
                    kind=kind,
                    sense=timing.text("timing_sense", "non_unate"),
                    when=_when(timing),
                    **tables,
                )

    def internal_powers(self, name: str, pin: Group) -> Iterator[InternalPower]:
        for power in pin.all("internal_power"):
            both = self.table(power, "power", self.energy)
            rise, fall = (self.table(power, key, self.energy) or both for key in ("rise_power", "fall_power"))
            for related_pin in power.text("related_pin").split() if "related_pin" in power else [None]:
                yield InternalPower(pin=name, related_pin=related_pin, when=_when(power), rise=rise, fall=fall)

    def table(self, parent: Group, name: str, unit: float) -> Table | None:
        groups = parent.all(name)
        if not groups:
            return None
        group = groups[0]
        axes = {}
        if group.arguments and (template := self.templates.get(_name(group))) is not None:
            for number in (1, 2):
                variable = template.text(f"variable_{number}")
                if not variable:
                    continue
                if variable not in _ROWS + _COLUMNS:
                    raise ValueError(f"tables by {variable} are not supported")
                index = (group if f"index_{number}" in group.complex else template).complex[f"index_{number}"]
                axes[variable] = np.array(_numbers(index[-1]))
        values = np.array(_numbers(group.complex["values"][-1])) * unit
        values = values.reshape([len(axis) for axis in axes.values()] or [1])
        if len(axes) == 2 and next(iter(axes)) in _COLUMNS:
            values = values.T
        sides = []
        for variables in (_ROWS, _COLUMNS):
            found = [variable for variable in variables if variable in axes]
            scale = self.capacitance if found == ["total_output_net_capacitance"] else self.time
            sides.append(self._shared(axes[found[0]] * scale if found else np.zeros(1)))
        return Table(sides[0], sides[1], values.reshape(len(sides[0]), len(sides[1])))

    def _shared(self, axis: np.ndarray) -> np.ndarray:
        return self.axes.setdefault(tuple(axis), axis)


def _when(group: Group) -> Function | None:
    return parse_function(group.text("when")) if "when" in group else None
