"""Yosys and ABC as programs: scripts in, logs and netlists out."""

from hamming.synth.yosys.abc_process import abc
from hamming.synth.yosys.memories import MACRO
from hamming.synth.yosys.process import SynthesisError, run, version

__all__ = ["MACRO", "SynthesisError", "abc", "run", "version"]
