"""Yosys and ABC as programs: scripts in, logs and netlists out."""

from hamming.synth.yosys.memories import MACRO
from hamming.synth.yosys.process import SynthesisError, run, version

__all__ = ["MACRO", "SynthesisError", "run", "version"]
