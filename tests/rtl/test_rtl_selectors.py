"""Both selectors against a sort in plain Python: ties, few keys, no key, every lane count, and their cycles."""
# amaranth: UnusedElaboratable=no

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest

from hamming.golden.spec import AttentionSpec
from hamming.rtl.config import EngineConfig
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.histogram import HistogramSelector
from hamming.rtl.insertion import InsertionSelector
from tests.rtl.harness import RHYTHMS, Beats, run

#: `ahead` is the histogram selector as an FPGA has it;
#: `waiting` the insertion selector with a queue of rows.
SELECTORS = {
    "histogram": HistogramSelector,
    "ahead": HistogramSelector,
    "insertion": InsertionSelector,
    "waiting": InsertionSelector,
}


def dimensions(selector: str, *, d_head: int, n_keys: int, top_k: int, n_lanes: int, **engine: Any) -> Dimensions:
    spec = AttentionSpec.from_logit_scale(d_head=d_head, d_value=1, n_keys=n_keys, top_k=top_k, logit_scale=0.1)
    if selector == "ahead":
        selector = "histogram"
        engine["fabric"] = "luts"
    if selector == "waiting":
        selector = "insertion"
        engine = {"waiting_rows": 4} | engine
    return Dimensions(spec, EngineConfig(selector=selector, n_lanes=n_lanes, **engine))


def kept(levels: Sequence[int], top_k: int) -> list[tuple[int, int]]:
    """Kept keys as (deficit, index) in selection order, by sorting."""
    order = sorted((j for j, level in enumerate(levels) if level), key=lambda j: (-levels[j], j))[:top_k]
    return [(levels[order[0]] - levels[j], j) for j in order]


def rows(dims: Dimensions, queries: Sequence[Sequence[int]]) -> list[dict]:
    """Levels of each query, `n_lanes` a row, filled up with keys that take no part."""
    beats = []
    for levels in queries:
        n_rows = max(1, -(-len(levels) // dims.n_lanes))
        padded = [*levels, *[0] * (n_rows * dims.n_lanes - len(levels))]
        for row in range(n_rows):
            part = padded[row * dims.n_lanes : (row + 1) * dims.n_lanes]
            beats.append({"level": part, "last": int(row == n_rows - 1)})
    return beats


def check(selector: str, dims: Dimensions, queries: Sequence[Sequence[int]], **rhythm) -> Beats:
    """Run the queries through the selector and compare each one's kept keys."""
    expected = [kept(levels, dims.spec.top_k) for levels in queries]
    n_beats = sum(max(1, len(keys)) for keys in expected)
    beats = run(SELECTORS[selector](dims), {"i": rows(dims, queries)}, {"o": n_beats}, **rhythm)
    got: list[list[tuple[int, int]]] = [[]]
    for beat in beats.payloads["o"]:
        if beat.is_empty:
            assert beat.last
            assert not got[-1]
        else:
            got[-1].append((beat.deficit, beat.index))
        if beat.last:
            got.append([])
    assert got.pop() == []
    order = (lambda key: key[1]) if dims.config.selector == "histogram" else (lambda key: (-key[0], -key[1]))
    assert got == [sorted(keys, key=order) for keys in expected]
    return beats


@pytest.mark.parametrize("selector", SELECTORS)
@pytest.mark.parametrize("n_lanes", [1, 2, 4])
def test_every_row_of_four_keys(selector: str, n_lanes: int) -> None:
    """All 4**4 rows of four keys with levels 0 to 3, for each `top_k`, back to back."""
    queries = list(product(range(4), repeat=4))
    for top_k in (1, 2, 3, 4):
        check(selector, dimensions(selector, d_head=2, n_keys=4, top_k=top_k, n_lanes=n_lanes), queries)


@pytest.mark.parametrize(("pause", "stall"), RHYTHMS)
@pytest.mark.parametrize(
    ("n_keys", "top_k", "n_lanes"),
    [(13, 5, 1), (21, 6, 4), (16, 16, 2), (9, 1, 8), (40, 7, 8), (150, 5, 32), (200, 20, 64)],
)
@pytest.mark.parametrize("selector", SELECTORS)
def test_random_rows(
    selector: str, n_keys: int, top_k: int, n_lanes: int, pause: float, stall: float, rng: np.random.Generator
) -> None:
    """Rows of every length; few distinct levels, so that ties at the cut are the rule."""
    dims = dimensions(selector, d_head=5, n_keys=n_keys, top_k=top_k, n_lanes=n_lanes)
    queries: list[list[int]] = [[], [0] * n_keys, [6] * n_keys, [0, 3], list(range(1, 7))[:n_keys]]
    for _ in range(30):
        length = int(rng.choice([n_keys, int(rng.integers(0, n_keys + 1))]))
        queries.append(rng.integers(0, rng.integers(2, 8), length).tolist())
    check(selector, dims, queries, pause=pause, stall=stall)


@pytest.mark.parametrize("selector", ["histogram", "ahead"])
@pytest.mark.parametrize("scan_rows", [1, 2, 4, 8])
def test_histogram_scans_several_rows_at_once(selector: str, scan_rows: int, rng: np.random.Generator) -> None:
    dims = dimensions(selector, d_head=6, n_keys=29, top_k=9, n_lanes=4, scan_rows=scan_rows)
    assert dims.scan_rows == scan_rows
    check(selector, dims, rng.integers(0, 8, (40, 29)).tolist(), stall=0.2)


@pytest.mark.parametrize(
    ("selector", "n_lanes", "n_keys"),
    [
        ("histogram", 1, 48),
        ("histogram", 4, 48),
        ("histogram", 32, 448),
        ("ahead", 1, 48),
        ("ahead", 4, 48),
        ("insertion", 1, 48),
        ("waiting", 1, 48),
    ],
)
def test_no_bubble_between_queries(selector: str, n_lanes: int, n_keys: int, rng: np.random.Generator) -> None:
    """Back to back, queries that see all keys cost what `cycle_terms` says, to the cycle."""
    dims = dimensions(selector, d_head=16, n_keys=n_keys, top_k=6, n_lanes=n_lanes)
    queries = (1 + rng.binomial(16, 0.5, (20, n_keys))).tolist()
    beats = check(selector, dims, queries)
    terms = dims.cycle_terms()
    assert np.ptp(beats.cycles["i"]) == 20 * max(terms["score"], terms["select"]) - 1


def test_counts_of_many_lanes_are_pipelined() -> None:
    """Up to 16 lanes are counted in a cycle; a stage more for each 7 levels of full adders beyond."""
    stages = [
        dimensions("histogram", d_head=8, n_keys=256, top_k=4, n_lanes=n_lanes).count_stages
        for n_lanes in (1, 16, 32, 64, 128)
    ]
    assert stages == [0, 0, 1, 1, 2]


@pytest.mark.parametrize("n_lanes", [32, 128])
def test_pipelined_counts_keep_stored_scores(n_lanes: int, rng: np.random.Generator) -> None:
    """Rows on their way through the count are not stored over those of a query that is still scanned."""
    dims = dimensions("histogram", d_head=6, n_keys=4 * n_lanes, top_k=3 * n_lanes, n_lanes=n_lanes, scan_rows=1)
    queries = [rng.integers(0, 8, n_lanes * int(rng.integers(1, 5))).tolist() for _ in range(24)]
    check("histogram", dims, queries, stall=0.1)


@pytest.mark.parametrize(("pause", "stall"), [(0.0, 0.0), (0.3, 0.3)])
def test_many_scores_at_once(pause: float, stall: float, rng: np.random.Generator) -> None:
    """Of 128 scores the first is found in parts; queries of a row, or of none, come between long ones."""
    dims = dimensions("histogram", d_head=3, n_keys=300, top_k=9, n_lanes=16, scan_rows=8)
    assert dims.reads_ahead
    lengths = [300, 1, 1, 17, 0, 1, 200, *rng.integers(0, 301, 6).tolist(), *rng.integers(0, 40, 6).tolist()]
    dense = [rng.integers(0, 5, n) for n in lengths]
    sparse = [np.where(rng.random(n) < 0.03, rng.integers(2, 5, n), rng.integers(0, 2, n)) for n in lengths]
    queries = [levels.tolist() for pair in zip(dense, sparse, strict=True) for levels in pair]
    check("histogram", dims, queries, pause=pause, stall=stall)


def test_insertion_takes_a_cycle_for_each_key_that_ranks() -> None:
    """Rising scores are the worst case: every key of a row of several lanes goes in."""
    dims = dimensions("insertion", d_head=31, n_keys=32, top_k=4, n_lanes=4)
    beats = check("insertion", dims, [list(range(1, 33))] * 10)
    assert np.ptp(beats.cycles["i"]) <= 10 * dims.cycle_terms()["select"]
    assert np.ptp(beats.cycles["i"]) >= 9 * dims.cycle_terms()["select"]


@pytest.mark.parametrize(("n_lanes", "waiting_rows"), [(2, 8), (4, 16), (8, 16), (32, 32)])
def test_rows_wait_while_the_list_takes_keys(n_lanes: int, waiting_rows: int) -> None:
    """Eight keys in the first rows rank, and no other: scores wait for none of them, and without the queue for most."""
    sizes = {"d_head": 31, "n_keys": 32 * n_lanes, "top_k": 8, "n_lanes": n_lanes}
    query = [20, 30, 24, 24, 31, 24, 30, 30] + [1 + j % 16 for j in range(32 * n_lanes - 8)]
    cycles = [
        np.ptp(check(name, dimensions(name, **sizes, **engine), [query] * 6).cycles["i"])
        for name, engine in (("waiting", {"waiting_rows": waiting_rows}), ("insertion", {}))
    ]
    assert cycles[0] == 6 * 32 - 1 <= cycles[1] - 5 * (8 - max(1, 8 // n_lanes))


@pytest.mark.parametrize("n_lanes", [8, 16, 32])
def test_equal_keys_wait_in_order(n_lanes: int) -> None:
    """Of keys that are all equal the first go in, and of two values the first of the higher, in whatever lanes."""
    dims = dimensions("waiting", d_head=3, n_keys=6 * n_lanes, top_k=9, n_lanes=n_lanes, waiting_rows=4)
    high = [[3 if j % step == step - 1 else 2 for j in range(6 * n_lanes)] for step in (2, 3, n_lanes - 1, n_lanes)]
    queries = [[2] * (6 * n_lanes), *high, [4] * (6 * n_lanes), [0] * (5 * n_lanes) + [1] * n_lanes, [], [1], *high]
    for stall in (0.0, 0.5, 0.9):
        check("waiting", dims, queries, stall=stall)


def test_rows_are_held_against_a_bound_of_their_own(rng: np.random.Generator) -> None:
    """Random scores of 16 lanes: with the list's floor alone rows would take 70 cycles and more, not their 64."""
    dims = dimensions("waiting", d_head=62, n_keys=1024, top_k=8, n_lanes=16, waiting_rows=32)
    beats = check("waiting", dims, (1 + rng.binomial(62, 0.5, (12, 1024))).tolist())
    assert 12 * 64 - 1 <= np.ptp(beats.cycles["i"]) < 12 * 66


def test_a_late_list_does_not_stay_late(rng: np.random.Generator) -> None:
    """The last rows of a query bring many keys: the next one's do not all wait, for want of a floor."""
    dims = dimensions("waiting", d_head=62, n_keys=256, top_k=8, n_lanes=4, waiting_rows=32)
    query = [*rng.integers(1, 40, 208).tolist(), *rng.integers(30, 60, 48).tolist()]
    beats = check("waiting", dims, [query] * 16)
    assert np.ptp(beats.cycles["i"]) < 16 * 75
