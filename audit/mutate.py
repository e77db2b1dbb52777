"""Random mutants of a module of the emitted Verilog, by Yosys' `mutate`: all in one netlist, one at work at a time."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hamming.audit.bench_mutants import PORT
from hamming.synth.yosys import process as yosys

__all__ = ["Mutants", "mutate"]

#: Name of the mutated module in what `mutate` returns.
MODULE = "audited"

#: Ports that are left alone: clocks, of which proofs know but one, and those of a memory that Yosys wants as they are.
#: So many more mutants are listed that enough are left.
_LEFT_ALONE = r"-port (CLK|RD_EN|RD_CLK|RD_ARST|RD_SRST|WR_CLK)\b"
_SPARE = 50


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
    """Return the commands that read `engine.v` and leave its module `top`, flat, as `MODULE`.

    Where a branch that is not taken leaves a value open, which only a mutant shows, it is 0.
    """
    return [
        "read_verilog engine.v",
        f"hierarchy -top {top}",
        "proc",
        "flatten",
        "opt_clean",
        "memory_collect",
        "setundef -zero",
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
        yosys.run([*prepare(module), f"mutate -list {n_mutants + _SPARE} -seed {seed} -o list.ys"], folder)
        lines = (folder / "list.ys").read_text(encoding="utf-8").splitlines()
        lines = [line for line in lines if not re.search(_LEFT_ALONE, line)][:n_mutants]
        made = [f"{line} -ctrl {PORT} {bits} {number}" for number, line in enumerate(lines, 1)]
        yosys.run([*prepare(module), *made, "splitnets", "opt_clean", "write_verilog -noattr mutants.v"], folder)
        text = (folder / "mutants.v").read_text(encoding="utf-8")
    # Mutants that are not at work may close loops of wires.
    text = f"/* verilator lint_off UNOPTFLAT */\n{text}"
    return Mutants(verilog=text, commands=lines, bits=bits)
