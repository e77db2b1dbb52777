"""Bench of `Turns`: who wants which word, at random, and who may have it."""

from __future__ import annotations

import random

import cocotb
from numpy.typing import NDArray

from hamming.sim.bench import Bench, play_cases

#: Cycles of a case.
_CYCLES = 400


class Sides:
    """Wants words at random, at times the same for long, and holds what each side may against the rule."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._rng = random.Random(bench.fields["seed"])
        self._inputs = {
            name: getattr(bench.dut, name) for name in ("wants_read", "wants_write", "read_addr", "write_addr")
        }
        self._most = (1 << len(bench.dut.read_addr)) - 1
        # From the reset on, both want one word.
        self._given = dict.fromkeys(self._inputs, 1)
        self._reader_waited = False
        for port in self._inputs.values():
            port.value = 1

    def step(self, cycle: int) -> bool:
        """Look at the cycle that ends, and want something in the next."""
        given, dut = self._given, self._bench.dut
        meet = given["wants_read"] and given["wants_write"] and given["read_addr"] == given["write_addr"]
        expected = (not meet or self._reader_waited, not meet or not self._reader_waited)
        got = (bool(dut.may_read.value), bool(dut.may_write.value))
        if got != expected:
            self._bench.fail(f"cycle {cycle}: reader and writer may {got}, expected {expected}")
        self._reader_waited = bool(meet) and not self._reader_waited
        if self._rng.random() < 0.7:
            same = self._rng.randint(0, self._most)
            near = same ^ (1 << self._rng.randrange(self._most.bit_length()))
            self._given = {
                "wants_read": int(self._rng.random() < 0.8),
                "wants_write": int(self._rng.random() < 0.8),
                "read_addr": same,
                "write_addr": near if self._rng.random() < 0.4 else same,
            }
            for name, port in self._inputs.items():
                port.value = self._given[name]
        return False


async def play(bench: Bench) -> dict[str, NDArray]:
    """Run one case; of its vectors nothing is used."""
    bench.fields["drain"] = _CYCLES
    await bench.run([Sides(bench)])
    return bench.timing()


@cocotb.test()
async def turns(dut) -> None:
    """Play the cases of this run."""
    await play_cases(dut, play)
