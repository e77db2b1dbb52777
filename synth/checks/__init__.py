"""The same figures by the programs of others: OpenSTA, Icarus Verilog, ABC"s timer."""

from hamming.synth.checks.abc_timer import time_with_abc
from hamming.synth.checks.opensta import time_with_opensta
from hamming.synth.checks.opensta_power import power_with_opensta

__all__ = ["power_with_opensta", "time_with_abc", "time_with_opensta"]
