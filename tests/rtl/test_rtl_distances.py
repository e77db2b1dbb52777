"""Levels that become distances from their row's maximum, where the baseline selects keys."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hamming.golden.standard import StandardSpec
from hamming.rtl.standard.design import StandardDesign
from hamming.rtl.standard.distances import Distances
from tests.rtl.harness import RHYTHMS, run

SPEC = StandardSpec(d_head=3, d_value=4, n_keys=19, score_shift=9, weights=(255, 90, 41, 9, 0), top_k=5)
DESIGN = StandardDesign(spec=SPEC, n_lanes=4)


def queries(rng: np.random.Generator) -> list[list[tuple[list[int], list[int]]]]:
    """Rows of levels, and which lanes take part: from the first to the last of a query's keys, or none."""
    found = []
    for n_valid in [0, 1, 4, 5, 19, 0, 0, 3, *rng.integers(0, 20, 30).tolist()]:
        most = 2**SPEC.level_bits - 1
        base = int(rng.choice([0, 3, most - 4, *rng.integers(0, most - 4, 2)]))
        rows = []
        for first in range(0, max(n_valid, 1), 4):
            near, far = rng.integers(base, base + 5, 4), rng.integers(0, base + 5, 4)
            levels = np.where(rng.random(4) < 0.7, near, far)
            rows.append((levels.tolist(), [int(first + lane < n_valid) for lane in range(4)]))
        found.append(rows)
    return found


@pytest.mark.parametrize(("pause", "stall"), RHYTHMS)
def test_levels_become_distances(pause: float, stall: float) -> None:
    asked = queries(np.random.default_rng(0))
    words, taken, expected = [], [], []
    for rows in asked:
        seen = [level for levels, parts in rows for level, part in zip(levels, parts, strict=True) if part]
        maximum = max(seen, default=0)
        taken.append({"maximum": maximum, "last_row": len(rows) - 1, "is_empty": not seen})
        for number, (levels, parts) in enumerate(rows):
            word = sum(level << n * SPEC.level_bits for n, level in enumerate(levels))
            words.append(word | sum(part << (4 * SPEC.level_bits + n) for n, part in enumerate(parts)))
            near = [5 - min(maximum - level, 4) if part else 0 for level, part in zip(levels, parts, strict=True)]
            expected.append((near, number == len(rows) - 1))
    n_read = 0

    def read(address: int) -> int:
        nonlocal n_read
        assert address == n_read % DESIGN.score_rows
        n_read += 1
        return words[n_read - 1]

    component: Any = Distances(DESIGN)
    beats = run(
        component, {"i": taken}, {"o": len(expected)}, pause=pause, stall=stall, seed=3, memories={"scores": read}
    )
    assert [([beat.level[n] for n in range(4)], bool(beat.last)) for beat in beats.payloads["o"]] == expected
    assert n_read == len(words)
    if not pause and not stall:  # a row a cycle, 2 cycles after the read with which its query is taken
        cycles = beats.cycles["o"]
        assert cycles == list(range(cycles[0], cycles[0] + len(expected)))
        assert cycles[0] == beats.cycles["i"][0] + 2
