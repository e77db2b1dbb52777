"""How long anything may wait in an epoch, and how long a lone query may take."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from hamming.rtl.design import Design
from hamming.sim.fuzz.epoch import Epoch, masks_of
from hamming.sim.fuzz.findings import Findings
from hamming.sim.fuzz.log import CUT_OFF, Log, Records
from hamming.sim.fuzz.queries import Queries

__all__ = ["hold_waits"]

#: Longest wait, in latencies of the engine: as many queries are on their way at most, and some more.
_MOST_WAITS = 6

#: Cycles that a write to a memory of requests takes, at most, as slow as it is here.
_MOST_WRITE_CYCLES = 200

#: Cycles beyond, for what does not grow with a latency.
_MORE_CYCLES = 64


def hold_waits(design: Design, log: Log, epoch: Epoch, queries: Queries, latency: int, found: Findings) -> None:
    """Nothing waits longer than it may; a lone query with nothing in its way takes the stated latency at most."""
    most = design.dimensions.fold + 1
    if "request" in design.config.memories:
        most *= _MOST_WRITE_CYCLES
    rows = epoch.offers["i_row"]
    for n in np.flatnonzero(rows.end - rows.start >= most)[:3]:
        found.wrong(f"i_row: the row of cycle {rows.start[n]} waits until {rows.end[n]}, longer than {most} cycles")
    if "i_weight" in epoch.offers and (epoch.offers["i_weight"].end > epoch.offers["i_weight"].start).any():
        found.wrong(f"i_weight: an entry waits, after cycle {epoch.begin}")

    length = epoch.end - epoch.begin
    stalled = np.zeros(length + 1, np.int64)  # whether an output, or the mask, keeps the engine waiting
    for name in (name for name in epoch.offers if name.startswith("o_")):
        for start, end in _waits(epoch.offers[name]):
            stalled[start - epoch.begin : end - epoch.begin] = 1
    for name in masks_of(epoch.offers):
        starved = np.ones(length + 1, np.int64)
        for start, end in _spans(epoch.offers[name]):
            starved[start - epoch.begin : end - epoch.begin + 1] = 0
        stalled |= starved
    for start, end in _slow(log, epoch):
        stalled[start - epoch.begin : end - epoch.begin] = 1
    written, later = np.zeros(length + 1, np.int64), 2 * design.dimensions.has_chains  # a row waits in a register there
    for start, end in _spans(rows):
        written[start - epoch.begin : end - epoch.begin + 1 + later] = 1
    free = np.concatenate([[0], np.cumsum(1 - stalled[:length])])
    held = np.concatenate([[0], np.cumsum(stalled[:length] | written[:length])])

    def free_cycles(start: int, end: int) -> int:
        return int(free[min(end, epoch.end - 1) - epoch.begin + 1] - free[start - epoch.begin])

    # A reset leaves the cells of an insertion selector to be shifted out.
    settled = epoch.begin + (design.spec.top_k if design.config.selector == "insertion" else 0)
    most = _MOST_WAITS * latency + _MORE_CYCLES
    most += design.dimensions.waiting_rows * max(design.dimensions.cycle_terms().values())  # rows, each of its query
    offers, taken = epoch.offers["i_query"], most + _rows_wait(design)
    for n in np.flatnonzero(offers.end - offers.start > taken):
        if free_cycles(offers.start[n], offers.end[n]) > taken:
            found.wrong(f"i_query: the query of cycle {offers.start[n]} waits until {offers.end[n]}: a hang")
    before = group_before = epoch.begin  # when the query before, and the last one of the group before, were done
    for n in range(min(len(queries.at), queries.n_complete + 1)):
        is_complete = n < queries.n_complete
        end = int(queries.done[n]) if is_complete else epoch.end - 1
        if free_cycles(max(before, int(queries.at[n])), end) > most:
            found.wrong(f"the query of cycle {queries.at[n]} is not answered by cycle {end}: a hang")
        if is_complete and n % queries.n_group == queries.n_group - 1:
            start = int(queries.offered[n])
            nothing_in_the_way = held[end - epoch.begin + 1] == held[start - epoch.begin]
            if group_before < start and nothing_in_the_way and start >= settled:
                found.count("lone queries")
                group = slice(n + 1 - queries.n_group, n + 1)
                named = np.stack([x[group] for x in (queries.n_valid, queries.first, queries.base)], axis=1).tolist()
                dims = design.dimensions
                stated = dims.latency(max(dims.keys_seen(*one) for one in named), dims.rows_read_for(named))
                if end - start > stated:
                    found.wrong(f"the lone query of cycle {start} takes {end - start} cycles, more than {stated}")
            group_before = end
        before = end


def _rows_wait(design: Design) -> int:
    """Return how long all rows of a query may wait to be asked for, one after the other, before it is transferred.

    As many rows as may be under way can be those of as many queries of a row each, and one is done in the cycles that
    a query takes. An engine that knows the rows beforehand takes a query with its last row, others with the first.
    """
    dims = design.dimensions
    is_asked_for = design.config.memories[0] == "request" and dims.has_row_range
    return dims.part.n_rows * max(dims.cycle_terms().values()) if is_asked_for else 0


def _slow(log: Log, epoch: Epoch) -> list[tuple[int, int]]:
    """Return the cycles, `start <= cycle < end`, of an epoch in which a memory of requests is slow."""
    changes = [(0, 0), *log.slow, (epoch.end, 0)]
    spans = [
        (max(start, epoch.begin), min(end, epoch.end)) for (start, is_slow), (end, _) in pairwise(changes) if is_slow
    ]
    return [(start, end) for start, end in spans if start < end]


def _waits(offers: Records) -> list[tuple[int, int]]:
    """Return the cycles, `start <= cycle < end`, in which beats wait for their `ready`."""
    waits = offers.where((offers.end > offers.start) | (offers.kind == CUT_OFF))
    return [
        (start, end + (kind == CUT_OFF))
        for start, end, kind in zip(waits.start.tolist(), waits.end.tolist(), waits.kind.tolist(), strict=True)
    ]


def _spans(offers: Records) -> list[tuple[int, int]]:
    return list(zip(offers.start.tolist(), offers.end.tolist(), strict=True))
