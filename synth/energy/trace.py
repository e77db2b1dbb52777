"""What a simulation of gates saw: the trace of a window of cycles, and each memory's accesses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hamming.synth.energy.lanes import Words
from hamming.synth.yosys.process import SynthesisError

__all__ = ["Accesses", "SimulationError", "Trace"]


class SimulationError(SynthesisError):
    """The netlist gave a wrong answer, or none."""


@dataclass(frozen=True)
class Accesses:
    """Reads and writes of a macro, of `width` bits each."""

    reads: float
    writes: float
    width: int
    depth: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Trace:
    """What was seen over a window of cycles, enough to find every net's value in each.

    Attributes
    ----------
    sources
        Nets that gates do not drive: outputs of flip-flops and macros, and inputs, `(n_sources,)`.
    values
        Their values in each cycle, from the one before the window on, `(n_cycles + 1, n_sources, n_words)`.
    n_streams
        Lanes of a word that count, over all words.
    n_queries
        Queries that began in the window, over all streams.
    accesses
        Of each macro, a query.
    """

    sources: NDArray[np.int32]
    values: Words
    n_streams: int
    n_queries: int
    accesses: Mapping[str, Accesses]

    @property
    def n_cycles(self) -> int:
        """Cycles of the window."""
        return len(self.values) - 1

    @property
    def cycles_a_query(self) -> float:
        """Cycles from one query to the next."""
        return self.n_cycles * self.n_streams / self.n_queries
