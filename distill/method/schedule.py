"""The stages of a distillation: how attention goes from soft to binary, step by step."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["STAGES", "Phase", "Schedule", "Stage", "learning_rate"]


@dataclass(frozen=True)
class Stage:
    """One stage: the mode of attention, how its sharpness moves, and what is compared.

    `sharpness` goes from the first to the second, the same factor each step. `compares_attention` says whether maps of
    attention are compared, beside outputs; `by_layer` that each layer is trained by itself (`method.transfer`).
    """

    name: str
    mode: str
    sharpness: tuple[float, float] = (1.0, 1.0)
    compares_attention: bool = True
    by_layer: bool = False


#: The transfer, and HAD's four (arXiv 2502.01770). A teacher's only one is `float`, which compares nothing.
STAGES = (
    Stage("transfer_soft", "tanh", (5.0, 1.0), compares_attention=False, by_layer=True),
    Stage("transfer_sharp", "tanh", (1.0, 0.05), compares_attention=False, by_layer=True),
    Stage("transfer_sign", "sign", compares_attention=False, by_layer=True),
    Stage("soft", "tanh", (5.0, 1.0)),
    Stage("sharp", "tanh", (1.0, 0.05)),
    Stage("sign", "sign"),
    Stage("final", "sign", compares_attention=False),
)
FLOAT = Stage("float", "float", compares_attention=False)


@dataclass(frozen=True)
class Phase:
    """Where a step lies: its stage, and the sharpness that the attention has in it."""

    stage: Stage
    sharpness: float


class Schedule:
    """Stages of given lengths, one after the other.

    Parameters
    ----------
    steps
        Steps of each stage by its name; stages of no steps are left out.
    """

    def __init__(self, steps: Mapping[str, int]) -> None:
        known = {stage.name: stage for stage in (*STAGES, FLOAT)}
        self.stages = [(known[name], count) for name, count in steps.items() if count]
        self._ends = list(itertools.accumulate(count for _, count in self.stages))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, step: int) -> Phase:
        if not 0 <= step < len(self):
            raise IndexError(f"step must be 0 to {len(self) - 1}, not {step}")
        number = bisect.bisect_right(self._ends, step)
        stage, count = self.stages[number]
        done = (step - (self._ends[number] - count)) / max(1, count - 1)
        first, last = stage.sharpness
        return Phase(stage, first * (last / first) ** done)


def learning_rate(step: int, steps: int, warmup: float) -> float:
    """Share of the full learning rate: a straight rise over the first `warmup` of all steps, then half a cosine."""
    rising = warmup * steps
    if step < rising:
        return (step + 1) / (rising + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))
