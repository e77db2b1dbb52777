"""Builds: emitted Verilog, compiled or found compiled; the cache, by content."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cocotb

from hamming.rtl.cache import cache_folder
from hamming.sim.runner.compilers import PRECOMPILED, compile_verilog, recipe
from hamming.sim.runner.simulators import SimulationFailed, simulator_version
from hamming.sim.tools import nameable_folder

__all__ = ["Build", "build"]

#: Builds kept in the cache; beyond that the ones not used for longest go.
MAX_CACHED_BUILDS = 256


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
    how = recipe(sources, top, simulator, waves=waves, coverage=coverage)
    kind = [str(waves), str(coverage)]
    tools = [simulator, version, PRECOMPILED, *kind, *(f"{name}={value}" for name, value in how.make_variables.items())]
    bench = [top, cocotb.__version__, *how.arguments]
    began = time.monotonic()
    cache = _cache()
    folder = cache / _digest([*tools, *bench, *(text for item in sorted(how.files.items()) for text in item)])
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
                if simulator == "verilator":
                    _bring_runtime(runtime, work)
                compile_verilog(how, place, work)
                if simulator == "verilator":
                    _keep_runtime(work, runtime)
                _keep(work / how.product, folder)
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


def _bring_runtime(runtime: Path, work: Path) -> None:
    """Bring what is the same in all of Verilator's builds, its run-time library, of which compiling takes longest.

    Objects are copied, and dated ahead: make compiles what is older than the makefile, which Verilator is about to
    write. The precompiled header, which is large, is linked.
    """
    if (runtime / PRECOMPILED).is_file():
        (work / PRECOMPILED).symlink_to(runtime / PRECOMPILED)
    ahead = time.time() + 3600
    for file in runtime.glob("verilated*.o"):
        os.utime(shutil.copy(file, work), (ahead, ahead))


def _keep_runtime(work: Path, runtime: Path) -> None:
    objects = [*work.glob("verilated*.o"), *work.glob(PRECOMPILED)]
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
