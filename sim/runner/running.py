"""Running: a cocotb bench on a build."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import cocotb_tools.config
import find_libpython

from hamming.rtl.environment import environment, module_path
from hamming.sim.runner.builds import Build
from hamming.sim.runner.simulators import WAVES_SUFFIX, SimulationFailed, SimulatorMissing
from hamming.sim.tools import call

__all__ = ["PROGRESS_FILE", "run"]

#: File in a run's folder in which the bench counts what it has done.
PROGRESS_FILE = "progress"

_COVERAGE_FILE = "coverage.dat"

#: What has no initial value, as an external memory, begins with anything (X in Icarus).
_VERILATOR_RUN_ARGS = ["+verilator+rand+reset+2", "+verilator+seed+1"]


def run(
    build: Build,
    bench: str,
    folder: Path,
    *,
    waves: Path | None = None,
    coverage: Path | None = None,
    arguments: Sequence[str] = (),
    progress: Callable[[int], None] | None = None,
) -> None:
    """Run a cocotb bench on a build.

    Parameters
    ----------
    build
        What `build` returned.
    bench
        Python module with the cocotb tests.
    folder
        Where the bench finds its case and leaves its results (`sim.case`), and where `simulation.log` is written.
    waves
        File of the trace: VCD from Verilator, FST from Icarus. The build must be one with waves.
    coverage
        File of the points that were met, as Verilator writes it. The build must be one with coverage.
    arguments
        Further arguments of the simulation, `+NAME=VALUE`.
    progress
        Called now and then with what the bench has counted in `PROGRESS_FILE`.

    Raises
    ------
    SimulationFailed
        The simulator did not get to the bench's end. What a bench found wrong is in its results, no error here.
    """
    log = folder / "simulation.log"
    trace = folder / f"waves{WAVES_SUFFIX[build.simulator]}"
    done = -1

    def tell() -> None:
        nonlocal done
        if progress is not None and (now := _read_count(folder / PROGRESS_FILE)) > done:
            progress(done := now)

    call(
        [*_run_command(build, trace if waves is not None else None), *arguments],
        folder,
        _bench(build, bench, folder),
        log,
        meanwhile=tell,
    )
    for left, wanted in ((trace, waves), (folder / _COVERAGE_FILE, coverage)):
        if wanted is not None and left.exists():
            wanted.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(left, wanted)
    missing = [path.name for path in folder.glob("case_*.json") if not (folder / _result_of(path)).exists()]
    if missing:
        raise SimulationFailed(f"{build.version} ended without a result of {missing[0]}: {_reason(log)} (log: {log})")


def _run_command(build: Build, trace: Path | None) -> list[str]:
    if build.simulator == "verilator":
        traced = [] if trace is None else ["--trace", "--trace-file", trace.name]
        counted = [f"+verilator+coverage+file+{_COVERAGE_FILE}"] if build.coverage else []
        return [str(build.folder / build.top), *traced, *_VERILATOR_RUN_ARGS, *counted]
    library = cocotb_tools.config.lib_entry("vpi", "icarus")
    return ["vvp", "-m", library, str(build.folder / "sim.vvp"), "-none" if trace is None else "-fst"]


def _bench(build: Build, bench: str, folder: Path) -> dict[str, str]:
    """Return the environment by which cocotb, inside the simulator, finds Python and the bench."""
    libraries = str(cocotb_tools.config.libs_dir)
    python = find_libpython.find_libpython()
    if python is None:
        raise SimulatorMissing("cocotb needs Python's shared library, libpython; install it (Debian: libpython3-dev)")
    kept = os.environ.get("LD_LIBRARY_PATH")
    own = {"COCOTB_TRUST_INERTIAL_WRITES": "1"} if build.simulator == "verilator" else {}  # as cocotb's own runner does
    return environment(
        **own,
        LD_LIBRARY_PATH=os.pathsep.join([libraries, *([kept] if kept else [])]),
        GPI_USERS=f"{python};{cocotb_tools.config.pygpi_entry_point()}",
        PYGPI_PYTHON_BIN=sys.executable,
        PYTHONPATH=os.pathsep.join(module_path()),
        TOPLEVEL_LANG="verilog",
        COCOTB_TOPLEVEL=build.top,
        COCOTB_TEST_MODULES=bench,
        COCOTB_RANDOM_SEED="0",
        COCOTB_RESULTS_FILE=str(folder.resolve() / "results.xml"),
        COCOTB_REWRITE_ASSERTION_FILES="",  # pytest's rewriting would cost every run a quarter of a second
        COCOTB_ANSI_OUTPUT="0",
        HAMMING_CASE=str(folder.resolve()),
    )


def _read_count(file: Path) -> int:
    try:
        return int(file.read_text())
    except (OSError, ValueError):  # not yet there, or half written
        return -1


def _result_of(path: Path) -> str:
    return path.name.replace("case_", "result_")


def _reason(log: Path) -> str:
    """Return the exception that ended a bench, or the last line that was printed."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["nothing was printed"]
    return next((line for line in lines if re.match(r"[\w.]*(Error|Exception)\b", line)), lines[-1])
