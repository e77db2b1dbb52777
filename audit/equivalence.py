"""Whether a mutant is one at all: a proof by Yosys and ABC that a mutated module gives what the unbroken one gives."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from hamming.audit.mutate import MODULE, Mutants, prepare, readable
from hamming.audit.unreachable import abc, outputs
from hamming.synth.yosys import process as yosys

__all__ = ["is_equivalent"]

#: Seconds that ABC may take for a mutant.
_SECONDS = 4

#: What a word means depends on: the part of its port's name, and that of the port that says so.
_DEPENDS = {"payload": "valid", "addr": "en", "data": "en"}


def is_equivalent(verilog: str, module: str, mutants: Mutants, number: int) -> bool:
    """Return whether a mutant is proved equal: from power-up on, under all inputs, in every cycle.

    Module and mutant, with their memories as registers, get the same inputs, any at all. Compared are all outputs in
    every cycle, but for a payload that is not valid, and an address or a word that is not enabled. False means no more
    than that there is no proof.

    Parameters
    ----------
    verilog, module
        As of `audit.mutate.mutate`.
    mutants
        What it returned.
    number
        Of the mutant, from 1 on.
    """
    command = mutants.commands[number - 1].replace(f"-module {MODULE}", "-module mutant")
    with tempfile.TemporaryDirectory(prefix="hamming-") as name:
        folder = Path(name)
        (folder / "engine.v").write_text(readable(verilog), encoding="utf-8")
        (folder / "miter.v").write_text(_miter(mutants.verilog), encoding="utf-8")
        yosys.run(
            [
                *prepare(module),
                f"copy {MODULE} mutant",
                command,
                "read_verilog miter.v",
                "hierarchy -top miter",
                "flatten",
                "opt_clean",
                "memory_map",
                "async2sync",
                "dffunmap",
                "techmap",
                "opt -nodffe -nosdff",
                "dffunmap",
                "setundef -undriven -zero",
                "aigmap",
                "write_aiger -zinit miter.aig",
            ],
            folder,
        )
        abc(folder, "&r miter.aig; &scorr; &scorr -F 2; &w reduced.aig")
        # Where induction has made the output 0, there is nothing left to search.
        if outputs(folder / "reduced.aig") == [0]:
            return True
        return "Property proved" in abc(folder, f"read reduced.aig; pdr -T {_SECONDS}")


def _miter(verilog: str) -> str:
    """Return a module of both, whose output is 1 where they differ."""
    found = re.findall(r"^  (input|output) (\[\d+:0\] )?(\S+) *;", verilog, re.MULTILINE)
    ports = [(direction, bits, name) for direction, bits, name in found if name != "audit_mutant"]
    names = {name for _, _, name in ports}
    inputs = [(bits, name) for direction, bits, name in ports if direction == "input"]
    outputs = [(bits, name) for direction, bits, name in ports if direction == "output"]
    lines = [f"module miter({', '.join(name for _, name in inputs)}, differ);"]
    lines += [f"  input {bits}{name};" for bits, name in inputs]
    lines += [f"  wire {bits}{name}__{one};" for bits, name in outputs for one in "ab"]
    for module, one in ((MODULE, "a"), ("mutant", "b")):
        wires = [f".{name}({name})" for _, name in inputs] + [f".{name}({name}__{one})" for _, name in outputs]
        lines.append(f"  {module} audit_{one} ({', '.join(wires)});")
    differences = []
    for _, name in outputs:
        stream, _, part = name.rpartition("__")
        guard = f"{stream}__{_DEPENDS[part]}" if part in _DEPENDS else ""
        difference = f"{name}__a != {name}__b"
        differences.append(f"(|{guard}__a && {difference})" if guard in names else f"({difference})")
    lines += ["  output differ;", f"  assign differ = {' || '.join(differences)};", "endmodule", ""]
    return "\n".join(lines)
