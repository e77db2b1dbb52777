"""The Yosys script: from Verilog to cells, in four parts.

Files are named as they lie in the folder where the script runs: `design.v`, `cells.lib`, and `FILES`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from hamming.synth.library.libraries import Library

__all__ = [
    "ABC_COMMANDS",
    "FAST_ABC_COMMANDS",
    "FILES",
    "MAPPINGS",
    "MIN_GATED",
    "elaborate",
    "environment",
    "map_cells",
    "to_gates",
]

#: How arithmetic becomes cells: `abc` leaves all of it to ABC, `adders` puts the library's full-adder cell wherever
#: three bits are added to two, `ripple` does so in carry-propagate adders as well, which makes them slow. `auto` takes,
#: for each module, the smaller of `abc` and `adders`.
MAPPINGS = ("auto", "abc", "adders", "ripple")

_SHRINK = (
    "strash; &get -n; &fraig -x; &put; dc2; "
    "balance -l; resub -K 6 -l; rewrite -l; resub -K 6 -N 2 -l; refactor -l; resub -K 8 -l; balance -l; "
    "resub -K 8 -N 2 -l; rewrite -l; resub -K 10 -l; rewrite -z -l; resub -K 10 -N 2 -l; balance -l; resub -K 12 -l; "
    "refactor -z -l; resub -K 12 -N 2 -l; rewrite -z -l; balance -l; "
)

#: ABC's commands: clean up, shrink (with the script known as compress2rs in the middle), collect alternatives, and map
#: for area. Timing plays no part. docs/synthesis.md compares it with Yosys' own script.
ABC_COMMANDS = _SHRINK + "dch -f; amap"

#: The same, but mapped for delay.
FAST_ABC_COMMANDS = _SHRINK + "dch -f; &get -n; &nf; &put"

#: What follows for a clock: buffers where a net has many loads, and gates as large as the delay, in ps, asks for.
_FOR_A_CLOCK = "; topo; buffer -N 16 -S 200; topo; upsize -D {0}; dnsize -D {0}"

#: Share of the clock period that ABC is told: the rest is for flip-flops and for paths that go on in another module.
_SHARE_OF_PERIOD = 0.5

#: Fewest flip-flops with one enable that get a clock gate.
MIN_GATED = 4

#: Files beside this one that the script reads.
FILES = tuple(Path(__file__).with_name(name) for name in ("full_adder.v", "ripple_carry.v"))

#: Load, in fF, at the outputs of a module: three or four gates.
OUTPUT_LOAD_FF = 5.0


def elaborate(top: str) -> list[str]:
    """From Verilog to words: adders, multiplexers, registers, memories; nothing is flattened.

    Registers at memories are left outside: they become part of a macro, not of flip-flop storage.
    """
    return [
        "read_verilog design.v",
        f"hierarchy -check -top {top}",
        f"synth -noabc -nordff -top {top} -run begin:fine",
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


def map_cells(
    abc_commands: str,
    statistics: str,
    *,
    library: Library,
    clock_ns: float | None = None,
    clock_gating: bool = True,
    fast: Iterable[str] = (),
) -> list[str]:
    """From gates to cells, and their numbers to the file `statistics`.

    Parameters
    ----------
    abc_commands
        What ABC does.
    statistics
        File.
    library
        Its driving cell stands before a module's inputs where there is a clock.
    clock_ns
        Period that gates are sized for; None: the smallest gates.
    clock_gating
        Whether flip-flops that share an enable get a clock gate, where the library has one.
    fast
        Modules for which ABC does `FAST_ABC_COMMANDS` instead.
    """
    options, ending = "", ""
    if clock_ns is not None:
        delay = round(1000 * _SHARE_OF_PERIOD * clock_ns)
        ending = _FOR_A_CLOCK.format(delay)
        options = f"-constr environment.txt -D {delay} "

    def abc(commands: str, modules: str = "") -> str:
        # Yosys splits neither a `+script` with commas for blanks nor at semicolons without a blank.
        script = ";".join(command.strip().replace(" ", ",") for command in (commands + ending).split(";"))
        return f"abc -liberty cells.lib {options}-script +{script}{modules}"

    has_gates = clock_gating and library.has_clock_gate
    fast = " ".join(fast)
    return [
        *([f"clockgate -liberty cells.lib -min_net_size {MIN_GATED}"] if has_gates else []),
        "dfflibmap -liberty cells.lib",
        *(
            [f"select -set fast {fast}", abc(FAST_ABC_COMMANDS, " @fast"), "select -set others * @fast %d"]
            if fast
            else []
        ),
        abc(abc_commands, " @others" if fast else ""),
        "opt_clean -purge",
        f"tee -q -o {statistics} stat -json",
    ]


def environment(library: Library) -> str:
    """Return what ABC is told of the world around a module: the file `environment.txt`."""
    return f"set_driving_cell {library.buffer}\nset_load {OUTPUT_LOAD_FF}\n"
