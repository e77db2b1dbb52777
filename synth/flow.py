"""The Yosys script: from Verilog to cells, in four parts.

Files are named as they lie in the folder where the script runs: `design.v`, `cells.lib`, and `FILES`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from synth.library import Library

__all__ = ["ABC_COMMANDS", "FILES", "MACRO", "MAPPINGS", "elaborate", "map_cells", "set_memories_apart", "to_gates"]

#: How arithmetic becomes cells: `abc` leaves all of it to ABC, `adders` puts the library's full-adder cell wherever
#: three bits are added to two, `ripple` does so in carry-propagate adders as well, which makes them slow. `auto` takes,
#: for each module, the smaller of `abc` and `adders`.
MAPPINGS = ("auto", "abc", "adders", "ripple")

#: ABC's commands: clean up, shrink (with the script known as compress2rs in the middle), collect alternatives, and map
#: for area. Timing plays no part. docs/synthesis.md compares it with Yosys' own script.
ABC_COMMANDS = (
    "strash; &get -n; &fraig -x; &put; dc2; "
    "balance -l; resub -K 6 -l; rewrite -l; resub -K 6 -N 2 -l; refactor -l; resub -K 8 -l; balance -l; "
    "resub -K 8 -N 2 -l; rewrite -l; resub -K 10 -l; rewrite -z -l; resub -K 10 -N 2 -l; balance -l; resub -K 12 -l; "
    "refactor -z -l; resub -K 12 -N 2 -l; rewrite -z -l; balance -l; "
    "dch -f; amap"
)

#: Files beside this one that the script reads.
FILES = tuple(Path(__file__).with_name(name) for name in ("full_adder.v", "ripple_carry.v"))

#: Type of a memory that is a macro. Yosys lets names alone that begin like this.
MACRO = "$__memory_macro"


def elaborate(top: str) -> list[str]:
    """From Verilog to words: adders, multiplexers, registers, memories; nothing is flattened.

    Registers at memories are left outside: they become part of a macro, not of flip-flop storage.
    """
    return [
        "read_verilog design.v",
        f"hierarchy -check -top {top}",
        f"synth -noabc -nordff -top {top} -run begin:fine",
    ]


def set_memories_apart(memories: Iterable[str]) -> list[str]:
    """Make memories, with their read registers, cells that no command looks into, so that the logic around them stays.

    `memories` are named as Yosys selects them, `module/cell`.
    """
    names = " ".join(memories)
    if not names:
        return []
    return [
        f"select -set macros {names}",
        "memory_dff @macros",
        "opt_clean",
        "setattr -set keep 1 @macros",
        f"chtype -set {MACRO} @macros",
    ]


def to_gates(top: str, mappings: Mapping[str, str], library: Library) -> list[str]:
    """From words to gates, with full-adder cells in modules that `mappings` says get them."""
    commands = []
    modules = {mapping: [m for m, chosen in mappings.items() if chosen == mapping] for mapping in MAPPINGS}
    adding = modules["adders"] + modules["ripple"]
    if adding and library.full_adder is not None:
        # Sums of several words become 3:2 compressors, and one carry-propagate adder.
        commands += [f"select -set adding {' '.join(adding)}", "maccmap @adding", "opt @adding"]
        if modules["ripple"]:
            commands += [
                f"select -set rippling {' '.join(modules['ripple'])}",
                "techmap -map ripple_carry.v -map +/techmap.v @rippling t:$alu %i",
            ]
        # The other carry-propagate adders stay words for now, so that no adder is found in their carry trees.
        cell = library.full_adder
        pins = dict(zip(("A", "B", "C", "TOTAL", "CARRY"), (*cell.inputs, cell.total, cell.carry), strict=True))
        defines = " ".join(f"-D {name}={value}" for name, value in {"FA": cell.cell, **pins}.items())
        commands += [
            "techmap @adding t:$fa %i",
            "select -set bitwise t:$and t:$or t:$xor t:$xnor t:$not",
            "simplemap @adding @bitwise %i",
            "opt -full @adding",
            "extract_fa -fa @adding",
            "opt_clean @adding",
            f"techmap -map full_adder.v {defines} @adding t:$fa %i",
            "opt_clean @adding",
        ]
    return [*commands, f"synth -noabc -top {top} -run fine:check"]


def map_cells(abc_commands: str, statistics: str) -> list[str]:
    """From gates to cells, and their numbers to the file `statistics`."""
    # Yosys splits neither a `+script` with commas for blanks nor at semicolons without a blank.
    script = ";".join(command.strip().replace(" ", ",") for command in abc_commands.split(";"))
    return [
        "dfflibmap -liberty cells.lib",
        f"abc -liberty cells.lib -script +{script}",
        "opt_clean -purge",
        f"tee -q -o {statistics} stat -json",
    ]
