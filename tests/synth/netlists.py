"""Small mapped netlists for the tests."""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping, Sequence
from typing import Any

from hamming.rtl.design import Design, load_design
from hamming.rtl.engine import Engine
from hamming.rtl.manifest import manifest
from hamming.rtl.verilog import emit
from hamming.synth.library.cell_model import CellLibrary
from hamming.synth.library.liberty import load_cells
from hamming.synth.library.libraries import load_library
from hamming.synth.mapping.area import map_design
from hamming.synth.netlist.flattening import flatten
from hamming.synth.netlist.netlist import Netlist


@functools.cache
def nangate_cells() -> CellLibrary:
    """Models of nangate45, read from its file."""
    return load_cells(load_library(), cache=False)


def module(cells: Sequence[tuple[str, Mapping[str, Any]]], **ports: tuple[str, list[int]]) -> dict[str, Any]:
    """A module of Yosys' JSON: cells as type and pins, ports as direction and bits."""
    return {
        "ports": {name: {"direction": direction, "bits": bits} for name, (direction, bits) in ports.items()},
        "cells": {
            f"c{number}": {
                "type": kind,
                "parameters": {},
                "connections": {pin: bits if isinstance(bits, list) else [bits] for pin, bits in pins.items()},
            }
            for number, (kind, pins) in enumerate(cells)
        },
    }


def flat(cells: CellLibrary, parts: Sequence[tuple[str, Mapping[str, Any]]], **ports: tuple[str, list[int]]) -> Netlist:
    """A netlist of one module."""
    return flatten({"modules": {"top": module(parts, **ports)}}, "top", cells)


def mapped(verilog: str, top: str, cells: CellLibrary, **options: Any) -> Netlist:
    """A design in cells of nangate45."""
    return flatten(map_design(verilog, top=top, library=load_library(), **options).netlist, top, cells)


def engine(name: str, changes: Sequence[str] = ()) -> tuple[Design, dict[str, Any], dict[str, Any]]:
    """A preset, changed: design, manifest, and modules in cells of nangate45."""
    return copy.deepcopy(_engine(name, tuple(changes)))


@functools.cache
def _engine(name: str, changes: tuple[str, ...]) -> tuple[Design, dict[str, Any], dict[str, Any]]:
    design = load_design(name, changes)
    component = Engine(design.spec, design.config)
    verilog = emit(component, design.config.name)
    json = map_design(verilog, top=design.config.name, library=load_library(), mapping="abc").netlist
    return design, manifest(component, verilog), json
