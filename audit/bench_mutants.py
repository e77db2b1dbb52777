"""Bench of mutants: another bench's cases on one build that carries them all, each mutant until a case finds it."""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock

from hamming.sim import case
from hamming.sim.bench import Bench
from hamming.sim.exchange import Hang

#: Port that names the mutant at work; 0 is none.
PORT = "audit_mutant"


class _HastyBench(Bench):
    """A bench that ends with the first thing that is wrong."""

    async def run(self, others=(), always=()) -> None:
        await super().run([*others, self], always)

    def step(self, cycle: int) -> bool:
        """Break off if something is wrong."""
        if self._n_failures or any(board.n_mismatches for board in self._boards):
            raise Hang("broken off")
        return False


@cocotb.test()
async def mutants(dut: Any) -> None:
    """Play the cases of this run on the mutants of `mutants.json`; `result_0` tells what found each."""
    folder = Path(os.environ["HAMMING_CASE"])
    asked = json.loads((folder / "mutants.json").read_text())
    play = importlib.import_module(asked["bench"]).play
    cases = [case.load(folder, f"case_{n}") for n in range(len(list(folder.glob("case_*.json"))))]
    Clock(dut.clk, 2, unit="step").start(start_high=False)
    found: dict[str, str] = {}
    unbroken: dict[int, Any] = {}
    # Once more without a mutant at the end: nothing that one leaves behind may outlive a reset.
    for mutant in [0, *asked["mutants"], 0]:
        getattr(dut, PORT).value = mutant
        for number, (fields, arrays) in enumerate(cases):
            bench = _HastyBench(dut, fields, arrays, lambda: None)
            try:
                told = await play(bench)
                report = bench.report()
                wrong = [*report["violations"], *report["mismatches"]]
            except Exception as error:  # a bench may stumble over what a mutant does
                wrong = [f"{type(error).__name__}: {error}"]
                told = {}
            times = {name: array for name, array in told.items() if name.startswith("cycles")}
            if mutant == 0:
                unbroken.setdefault(number, times)
            if not wrong and fields.get("last_cycle") is None:
                same = all(np.array_equal(array, unbroken[number][name]) for name, array in times.items())
                wrong = [] if same else ["cycles: they are not those of the design"]
            if wrong:
                found[str(mutant)] = f"case {number}: {wrong[0]}"
                break
    case.save(folder, "result_0", {"found": found})
    for number in range(1, len(cases)):
        case.save(folder, f"result_{number}", {})
