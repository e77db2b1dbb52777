"""Bench of `Fork`: an offer to two branches that take it when they like, each once."""

from __future__ import annotations

import random

import cocotb
from numpy.typing import NDArray

from hamming.sim.bench import Bench, play_cases

#: Cycles of a case.
_CYCLES = 400


class Branches:
    """Offers at random, each offer until it is taken, and is ready at random; holds the answers against the rule."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._rng = random.Random(bench.fields["seed"])
        self._has_taken = 0
        self._is_offered, self._ready = True, 0
        self._drive()

    def _drive(self) -> None:
        self._bench.dut.i_valid.value = int(self._is_offered)
        self._bench.dut.o_ready.value = self._ready

    def step(self, cycle: int) -> bool:
        """Look at the cycle that ends, and offer and be ready for the next; in a reset, cycles up to 0, all is idle."""
        dut = self._bench.dut
        is_reset = cycle <= 0
        taken = self._has_taken | self._ready
        offers = 0 if is_reset or not self._is_offered else ~self._has_taken & 3
        if int(dut.o_valid.value) != offers:
            self._bench.fail(f"cycle {cycle}: offered to {int(dut.o_valid.value):02b}, expected {offers:02b}")
        if is_reset:
            return False
        if self._is_offered and int(dut.i_ready.value) != (taken == 3):
            self._bench.fail(f"cycle {cycle}: ready is {int(dut.i_ready.value)}, branches have taken {taken:02b}")
        if self._is_offered:
            self._has_taken = 0 if taken == 3 else taken
        if not self._has_taken and (not self._is_offered or taken == 3):
            self._is_offered = self._rng.random() < 0.7
        self._ready = self._rng.randrange(4)
        self._drive()
        return False


async def play(bench: Bench) -> dict[str, NDArray]:
    """Run one case; of its vectors nothing is used."""
    bench.fields["drain"] = _CYCLES
    await bench.run(always=[Branches(bench)])
    return bench.timing()


@cocotb.test()
async def fork(dut) -> None:
    """Play the cases of this run."""
    await play_cases(dut, play)
