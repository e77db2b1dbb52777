"""Energy: a netlist and what it is given to do in; its answers, transitions, and energy by block out."""

from hamming.synth.energy.activity import Activity
from hamming.synth.energy.gatesim import simulate
from hamming.synth.energy.power import measure
from hamming.synth.energy.report import EnergyReport
from hamming.synth.energy.simulator import GateSimulation
from hamming.synth.energy.workload import Workload, engine_workload

__all__ = ["Activity", "EnergyReport", "GateSimulation", "Workload", "engine_workload", "measure", "simulate"]
