"""Random mutants of a module of the emitted Verilog, by Yosys' `mutate`: all in one netlist, one at work at a time."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from audit.bench_mutants import PORT
from synth import yosys

__all__ = ["Mutants", "mutate"]

#: Name of the mutated module in what `mutate` returns.
MODULE = "audited"


@dataclass(frozen=True, kw_only=True)
class Mutants:
    """Mutants of a module.

    Attributes
    ----------
    verilog
        The module, flat, named `MODULE`, with a further input `PORT` of `bits` bits: the number of the mutant.
    commands
        Yosys' description of each mutant, of which the first has the number 1.
    bits
        Width of the port.
    """

    verilog: str
    commands: list[str]
    bits: int


def prepare(top: str) -> list[str]:
    """Return the commands that read `engine.v` and leave its module `top`, flat, as `MODULE`: what mutants are made of."""
    return [
        "read_verilog engine.v",
        f"hierarchy -top {top}",
        "proc",
        "flatten",
        "opt_clean",
        "memory_collect",
        f"rename -top {MODULE}",
    ]


def readable(verilog: str) -> str:
    """Return emitted Verilog in which the flags that make simulators run a block once are wires."""
    return re.sub(r"^( *)reg (\\\$auto\$verilog_backend\S+ *= 0;)", r"\1wire \2", verilog, flags=re.MULTILINE)


def mutate(verilog: str, module: str, n_mutants: int, seed: int) -> Mutants:
    """Make mutants of a module.

    A mutant inverts a bit of an input or output of a cell, holds it at 0 or 1, or inverts it where another bit of that
    port is 1 or 0. Yosys samples them evenly over the module.

    Parameters
    ----------
    verilog
        The emitted text of an engine.
    module
        Name in it: `tiny.selector`.
    n_mutants, seed
        How many are drawn (fewer if there are no more), and from what.
    """
    bits = n_mutants.bit_length()
    with tempfile.TemporaryDirectory(prefix="hamming-") as name:
        folder = Path(name)
        (folder / "engine.v").write_text(readable(verilog), encoding="utf-8")
        commands = [
            *prepare(module),
            f"mutate -list {n_mutants} -seed {seed} -ctrl {PORT} {bits} 1 -o mutants.ys",
            "script mutants.ys",
            "opt_clean",
            "write_verilog -noattr mutants.v",
        ]
        yosys.run(commands, folder)
        lines = (folder / "mutants.ys").read_text(encoding="utf-8").splitlines()
        text = (folder / "mutants.v").read_text(encoding="utf-8")
    return Mutants(verilog=text, commands=[_without_control(line) for line in lines], bits=bits)


def _without_control(command: str) -> str:
    return re.sub(r" -ctrl \S+ \d+ \d+", "", command)
