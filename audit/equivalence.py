"""Whether a mutant is one at all: a proof by Yosys and ABC that a mutated module gives what the unbroken one gives."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hamming.audit.mutate import MODULE, Mutants, prepare, readable
from hamming.audit.unreachable import outputs
from hamming.synth.yosys import abc
from hamming.synth.yosys import process as yosys

__all__ = ["is_equivalent"]

#: Seconds that ABC may take for a mutant.
_SECONDS = 4

#: A name in Verilog, plain or escaped; not the `b` of 1'b0.
_WORD = r"(?<![\w'])[A-Za-z_]\w*|\\\S+(?= )"

#: What a word means depends on: the part of its port's name, and that of the port that says so.
_DEPENDS = {"payload": "valid", "addr": "en", "data": "en"}


def is_equivalent(verilog: str, module: str, mutants: Mutants, number: int, assumed: Sequence[str] = ()) -> bool:
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
    assumed
        Verilog over the wires of the unbroken module (`audit.assumptions`): equal must be what comes while these hold.
    """
    command = mutants.commands[number - 1].replace(f"-module {MODULE}", "-module mutant")
    wires = _wires(verilog, module, assumed)
    with tempfile.TemporaryDirectory(prefix="hamming-") as name:
        folder = Path(name)
        (folder / "engine.v").write_text(readable(verilog), encoding="utf-8")
        (folder / "miter.v").write_text(_miter(mutants.verilog, wires, assumed), encoding="utf-8")
        yosys.run(
            [
                *prepare(module),
                f"copy {MODULE} mutant",
                command,
                *(f"expose {MODULE}/w:{name}" for _, name in wires),
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
                "setundef -undriven -init -zero",  # a word that was read starts alike in both
                "aigmap",
                "write_aiger -zinit miter.aig",
            ],
            folder,
        )
        if assumed:
            abc("read miter.aig; constr -N 1; scorr -c; scorr -c -F 2; fold; write_aiger reduced.aig", folder)
        else:
            abc("&r miter.aig; &scorr; &scorr -F 2; &w reduced.aig", folder)
        # Where induction has made the output 0, there is nothing left to search.
        if outputs(folder / "reduced.aig") == [0]:
            return True
        return "Property proved" in abc(f"read reduced.aig; pdr -T {_SECONDS}", folder)


def _wires(verilog: str, module: str, assumed: Sequence[str]) -> list[tuple[str, str]]:
    """Return the wires, with their bits, that are in `assumed`, but for the module's ports."""
    start = re.search(rf"^module \\?{re.escape(module)} ?\(", verilog, re.MULTILINE)
    assert start is not None
    text = verilog[start.start() : verilog.index("endmodule", start.start())]
    names = dict.fromkeys(name for one in assumed for name in re.findall(_WORD, one))
    found = []
    for name in names:
        if re.search(rf"^  (input|output) (\[\d+:0\] )?{re.escape(name)} ?;", text, re.MULTILINE):
            continue
        declared = re.search(rf"^  (?:wire|reg) (\[\d+:0\] )?{re.escape(name)} ?(;|= )", text, re.MULTILINE)
        if declared is None:
            raise ValueError(f"module {module} has no wire {name}")
        found.append((declared[1] or "", name))
    return found


def _miter(verilog: str, wires: Sequence[tuple[str, str]], assumed: Sequence[str]) -> str:
    """Return a module of both: its output is 1 where they differ, its next one where an assumption fails."""
    found = re.findall(r"^  (input|output) (\[\d+:0\] )?(\S+) *;", verilog, re.MULTILINE)
    ports = [(direction, bits, name) for direction, bits, name in found if name != "audit_mutant"]
    names = {name for _, _, name in ports}
    inputs = [(bits, name) for direction, bits, name in ports if direction == "input"]
    outputs = [(bits, name) for direction, bits, name in ports if direction == "output"]
    lines = [f"module miter({', '.join(name for _, name in inputs)}, wrong);"]
    lines += [f"  input {bits}{name};" for bits, name in inputs]
    # An output of the unbroken module has its own name here.
    lines += [f"  wire {bits}{name} ;" for bits, name in (*outputs, *wires)]
    lines += [f"  wire {bits}{name}__mutant;" for bits, name in outputs]
    given = [f".{name}({name})" for _, name in inputs]
    unbroken = [*given, *(f".{name} ({name} )" for _, name in (*outputs, *wires))]
    mutant = [*given, *(f".{name}({name}__mutant)" for _, name in outputs)]
    lines += [f"  {MODULE} unbroken ({', '.join(unbroken)});", f"  mutant mutated ({', '.join(mutant)});"]
    differences = []
    for _, name in outputs:
        stream, _, part = name.rpartition("__")
        guard = f"{stream}__{_DEPENDS[part]}" if part in _DEPENDS else ""
        difference = f"{name} != {name}__mutant"
        differences.append(f"(|{guard} && {difference})" if guard in names else f"({difference})")
    bits = [" || ".join(differences), *(["!(" + " && ".join(f"({one})" for one in assumed) + ")"] if assumed else [])]
    lines += [f"  output [{len(bits) - 1}:0] wrong;", f"  assign wrong = {{ {', '.join(reversed(bits))} }};"]
    return "\n".join([*lines, "endmodule", ""])
