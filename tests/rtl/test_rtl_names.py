"""Names in the Verilog: every Python that the package supports must find the same ones.

Amaranth takes a signal's name from the statement that keeps it, by the bytecode. Python 3.13 compiles a tuple assigned
to a tuple into one store, in which no name is found, and the signal is called `$signal`.
"""
# amaranth: UnusedElaboratable=no

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pytest
from amaranth.back import rtlil

from hamming.rtl.design import Design, load_design, preset_names
from hamming.rtl.engine import Engine
from hamming.rtl.standard.design import ELEMENTS, StandardDesign
from hamming.rtl.standard.engine import StandardEngine
from hamming.rtl.standard.verilog import emit_standard
from hamming.sim.stimulus import random_design

RTL = Path(__file__).parents[2] / "rtl"

#: What takes its name from the statement around it, if it is not given one.
NAMED = re.compile(r"Signal(\.like)?|Memory|.*\.(read|write)_port")


def nameless(text: str) -> list[str]:
    """Return the names in a Verilog or RTLIL text that Amaranth made up for want of one."""
    return re.findall(r"\\?\$sig(?:nal|nature)\w*", text)


def converted(design: Design) -> str:
    """Return what Yosys makes Verilog of, which is there sooner."""
    return rtlil.convert(Engine(design.spec, design.config), name=design.config.name)


def unnamed_in_tuples(source: str) -> list[str]:
    """Return the statements that assign a tuple of new signals without names."""

    def is_unnamed(node: ast.AST) -> bool:
        if not isinstance(node, ast.Call):
            return False
        is_named = any(keyword.arg == "name" for keyword in node.keywords)
        return bool(NAMED.fullmatch(ast.unparse(node.func))) and not is_named

    return [
        ast.unparse(node)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Assign)
        and any(isinstance(target, (ast.Tuple, ast.List)) for target in node.targets)
        and any(is_unnamed(part) for part in ast.walk(node.value))
    ]


@pytest.mark.parametrize("preset", preset_names())
def test_no_signal_of_a_preset_is_without_a_name(preset: str) -> None:
    assert nameless(converted(load_design(preset))) == []


@pytest.mark.parametrize("element", ELEMENTS)
def test_no_signal_of_a_baseline_is_without_a_name(element: str) -> None:
    assert nameless(emit_standard(StandardEngine(StandardDesign.like(load_design("tiny"), element=element)))) == []


@pytest.mark.parametrize("number", range(8))
def test_no_signal_of_a_random_design_is_without_a_name(number: int) -> None:
    design = random_design(np.random.default_rng([77, number]))
    assert nameless(converted(design)) == []


@pytest.mark.parametrize("path", sorted(RTL.rglob("*.py")), ids=lambda path: str(path.relative_to(RTL)))
def test_a_statement_makes_one_signal(path: Path) -> None:
    assert unnamed_in_tuples(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("source", "is_found"),
    [
        ("a, b = Signal(), Signal(3)", True),
        ("a, b = (Signal.like(x) for _ in range(2))", True),
        ("write, read = memory.write_port(), memory.read_port()", True),
        ("a, b = (Signal(name=name) for name in 'ab')", False),
        ("a, b = 1, Const(2)", False),
        ("a = Signal()", False),
    ],
)
def test_what_makes_several_is_found(source: str, is_found: bool) -> None:
    assert bool(unnamed_in_tuples(source)) == is_found
