"""The time between two resets: what was offered in it, and what was taken."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from hamming.sim.fuzz.log import Log, Records

__all__ = ["Epoch", "epochs_of", "masks_of"]


@dataclass(eq=False)
class Epoch:
    """The time between two resets, `begin <= cycle < end`, and what was offered and taken in it."""

    begin: int
    end: int
    offers: dict[str, Records]
    taken: dict[str, Records]


def epochs_of(log: Log) -> list[Epoch]:
    """Return the epochs of a run, in order."""
    bounds = list(zip(log.begins.tolist(), log.resets[-len(log.begins) :].tolist(), strict=True))
    parts: dict[str, list[Records]] = {}
    for name, offers in log.offers.items():
        cuts = np.searchsorted(offers.end, [end for pair in bounds for end in pair])
        parts[name] = [offers.where(slice(a, b)) for a, b in zip(cuts[::2], cuts[1::2], strict=True)]  # type: ignore
    return [
        Epoch(begin, end, offers, {name: one.where(one.kind == 1) for name, one in offers.items()})
        for n, (begin, end) in enumerate(bounds)
        for offers in [{name: parts[name][n] for name in parts}]
    ]


def masks_of(streams: Iterable[str]) -> list[str]:
    """Return the streams of masks: of an engine one, of a chain one an engine."""
    return [name for name in streams if name.startswith("i_mask")]
