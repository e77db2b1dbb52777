"""A design → what it did when anything came on every port, held against what it owes whatever comes.

`python -m hamming.sim.fuzz` does it to random engines.
"""

from hamming.sim.fuzz.fuzzing import FuzzReport, fuzz, play

__all__ = ["FuzzReport", "fuzz", "play"]
