"""Static timing: a netlist and an environment in, the clock period and its paths out."""

from hamming.synth.timing.analysis import Timing, time_design
from hamming.synth.timing.report import Environment, TimingPath, TimingReport

__all__ = ["Environment", "Timing", "TimingPath", "TimingReport", "time_design"]
