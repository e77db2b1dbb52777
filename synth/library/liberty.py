"""Reads cell models from Liberty files.

`liberty_text` parses the text, `libraries` says where files are, `cell_model` what is in the models.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hamming.synth import cache as result_cache
from hamming.synth.library import boolean, cell_file, cell_model, liberty_text
from hamming.synth.library.boolean import Function, parse_function
from hamming.synth.library.cell_model import Arc, Cell, CellLibrary, InternalPower, Pin, Table, WireLoad
from hamming.synth.library.liberty_text import Group, LibertyError
from hamming.synth.library.libraries import Library, LibraryError

__all__ = [
    "Arc",
    "Cell",
    "CellLibrary",
    "Function",
    "InternalPower",
    "Pin",
    "Table",
    "WireLoad",
    "load_cells",
    "read_library",
]

_TIME = {"ps": 1e-3, "ns": 1.0, "us": 1e3}
_CAPACITANCE = {"ff": 1.0, "pf": 1e3}
_POWER = {"pW": 1e-3, "nW": 1.0, "uW": 1e3, "mW": 1e6}
_VOLTAGE = {"mV": 1e-3, "V": 1.0}

#: Table axes that this module calls rows; the others are columns.
_ROWS = ("input_net_transition", "input_transition_time", "constrained_pin_transition")
_COLUMNS = ("total_output_net_capacitance", "related_pin_transition")


def load_cells(library: Library, *, cache: bool = True) -> CellLibrary:
    """Read the cell models of a library.

    Parameters
    ----------
    library
        From `libraries.load_library`.
    cache
        Whether models that were read before may be taken from the cache, and new ones left there.

    Raises
    ------
    LibraryError
        The file is no Liberty file, or holds what is not understood.
    """
    modules = (__file__, cell_model.__file__, cell_file.__file__, boolean.__file__, liberty_text.__file__)
    code = [Path(module).read_bytes() for module in modules]
    request = {"library": library.sha256, "code": hashlib.sha256(b"".join(code)).hexdigest()}
    if cache and (known := result_cache.load("cells", request)):
        with contextlib.suppress(KeyError, IndexError, TypeError, ValueError):  # what is not as it was left
            return cell_file.from_json(known)
    try:
        text = library.path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise LibraryError(f"cannot read {str(library.path)!r}: {error.strerror}") from error
    cells = read_library(text, library.sha256)
    if cache:
        result_cache.store("cells", request, cell_file.to_json(cells))
    return cells


def read_library(text: str, sha256: str) -> CellLibrary:
    """Return the models in a Liberty file's text.

    Raises
    ------
    LibraryError
        The text is no Liberty file, or holds what is not understood.
    """
    try:
        library = liberty_text.parse(text)
    except LibertyError as error:
        raise LibraryError(f"no Liberty file: {error}") from error
    if library.kind != "library":
        raise LibraryError(f"a Liberty file holds a library, not {library.kind!r}")
    with _understood(library):
        return _Reader(library).library(sha256)


@contextlib.contextmanager
def _understood(group: Group) -> Iterator[None]:
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


class _Reader:
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
        with _understood(group):
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
            **_sequential(group, dict(pin_groups), functions),
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


def _sequential(group: Group, pins: dict[str, Group], functions: dict[str, Function]) -> dict[str, Any]:
    """Return the fields of `Cell` that say what it stores, and its kind."""

    def marked(attribute: str) -> list[str]:
        return [name for name, pin in pins.items() if pin.text(attribute, "").lower() == "true"]

    def function(storage: Group, name: str) -> Function | None:
        return parse_function(storage.text(name)) if name in storage else None

    if "clock_gating_integrated_cell" in group:
        clock, enable = marked("clock_gate_clock_pin")[0], marked("clock_gate_enable_pin")[0]
        states = [name for name, pin in pins.items() if pin.text("direction") == "internal"]
        if group.text("clock_gating_integrated_cell").startswith("latch_posedge") and states:
            return {
                "kind": "clock_gate",
                "state": (states[0], ""),
                "next_state": parse_function(" | ".join([enable, *marked("clock_gate_test_pin")])),
                "clocked_on": parse_function(f"!{clock}"),
                "clock": clock,
                "enable": enable,
            }
        return {"kind": "other"}
    outputs = [name for name, pin in pins.items() if pin.text("direction") == "output"]
    kinds = {"ff": ("flip_flop", "next_state", "clocked_on"), "latch": ("latch", "data_in", "enable")}
    storages = [storage for kind in kinds for storage in group.all(kind)]
    if not outputs or set(outputs) != set(functions) or len(storages) > 1:
        return {"kind": "other"}
    if not storages:
        return {"kind": "gate"}
    storage = storages[0]
    kind, data, clock = kinds[storage.kind]
    next_state, clocked_on = function(storage, data), function(storage, clock)
    return {
        "kind": kind,
        "state": tuple(storage.arguments),
        "next_state": next_state,
        "clocked_on": clocked_on,
        "clear": function(storage, "clear"),
        "preset": function(storage, "preset"),
        "clock": clocked_on.pins[0] if clocked_on is not None else None,
        "data": next_state.pins[0] if next_state is not None and len(next_state.pins) == 1 else None,
    }
