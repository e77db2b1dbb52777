"""What a fuzzed engine owes, held against what its harness wrote down."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hamming.golden.topk import absent_keys
from hamming.rtl.design import Design
from hamming.sim.fuzz_log import CHANGED, CUT_OFF, Log, Records
from hamming.sim.fuzz_model import Answers, Contents, Table
from hamming.sim.groups import rows_read

__all__ = ["Findings", "check"]

#: Longest wait, in latencies of the engine: as many queries are on their way at most, and some more.
_MOST_WAITS = 6

#: Cycles that a write to a memory of requests takes, at most, as slow as it is here.
_MOST_WRITE_CYCLES = 200

#: Cycles beyond, for what does not grow with a latency.
_MORE_CYCLES = 64


@dataclass
class Findings:
    """What was wrong, and how much was looked at."""

    messages: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def wrong(self, message: str) -> None:
        """Note what is wrong; the first ones in words."""
        self.counts["wrong"] = self.counts.get("wrong", 0) + 1
        if len(self.messages) < 20:
            self.messages.append(message)

    def count(self, name: str, number: int = 1) -> None:
        """Count something that was looked at."""
        self.counts[name] = self.counts.get(name, 0) + int(number)


@dataclass(eq=False)
class Epoch:
    """The time between two resets, `begin <= cycle < end`, and what was offered and taken in it."""

    begin: int
    end: int
    offers: dict[str, Records]
    taken: dict[str, Records]


def check(design: Design, manifest: Mapping[str, Any], log: Log) -> Findings:
    """Hold a run against the contract.

    Whatever was done to the inputs: nothing moves in reset; outputs keep the protocol; queries are answered one by one,
    in order, with as many beats as they must have, and none waits for ever; rows and entries are taken in the cycles
    that are stated. A query of which all visible rows, and the table, are known and were left alone while it was on its
    way has golden's answer. A lone query takes the stated latency at most. `error` is what was out of range.
    """
    found = Findings()
    for cycle in log.moves_in_reset[:5]:
        found.wrong(f"cycle {cycle}: a stream moves in reset")
    for cycle in log.broken[:5]:
        found.wrong(f"cycle {cycle}: a stream of a memory breaks the protocol")
    found.count("resets", len(log.resets))
    for name, stream in log.streams.items():
        for at in np.flatnonzero(log.offers[name].kind == CHANGED) if stream.direction == "output" else ():
            found.wrong(f"{name}: the beat of cycle {log.offers[name].start[at]} did not hold until it was taken")
    contents, tables = Contents(design, log), [Table(design, log, n) for n in range(design.spec.n_tables)]
    answers = Answers(design, log, contents, tables)
    errors = _Errors(design, manifest, log, tables)
    latency = manifest["cycles"]["latency"]["cycles"]
    for epoch in _epochs(log):
        queries = _Queries(design, log, epoch, found)
        _hold_waits(design, log, epoch, queries, latency, found)
        for number in range(queries.n_complete):
            answers.add(queries, number)
        errors.hold(epoch, queries, found)
    answers.finish(found)
    return found


def _epochs(log: Log) -> list[Epoch]:
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


class _Queries:
    """The queries of an epoch, and the beats that belong to each.

    Attributes
    ----------
    at, offered, q, n_valid, first, base, table
        Of each transferred query: cycles of its transfer and of its offer, which are its group's; its bits; what it
        names, in range but for `base`.
    asked
        What it names, as it came.
    seen
        `(n, n_keys)`, True where a key is in its range or one of its sinks.
    done
        Cycle of the last beat of each complete query.
    mask
        `(n, n_keys)`, True where a key is masked out.
    out, selected
        Beats of each complete query: a slice of the epoch's transfers.
    """

    def __init__(self, design: Design, log: Log, epoch: Epoch, found: Findings) -> None:
        spec, dims = design.spec, design.dimensions
        self.epoch = epoch
        given = epoch.taken["i_query"]
        stream = log.streams["i_query"]
        self.n_group = n_group = dims.n_queries_a_row
        self.at, self.offered = (np.repeat(cycles, n_group) for cycles in (given.end, given.start))
        query = stream.field("query")
        self.q = given.bits[:, query.span].reshape(-1, spec.d_head)
        asked = {name: given.field(stream, name) for name in ("n_valid", "first", "base", "table")}
        self.asked = {name: x.ravel() if x.ndim > 1 else np.repeat(x, n_group) for name, x in asked.items()}
        self.n_valid, self.first = (np.minimum(self.asked[name], spec.n_keys) for name in ("n_valid", "first"))
        self.base, self.table = self.asked["base"], np.minimum(self.asked["table"], spec.n_tables - 1)
        absent = absent_keys(spec.n_keys, self.n_valid, None, first=self.first, base=self.base, n_sinks=spec.n_sinks)
        assert absent is not None
        self.seen = ~absent
        found.count("queries", len(self.at))
        ends = []
        n_beats = spec.d_value // dims.n_dividers
        self.out, done = self._packets(log, log.out, n_beats, n_beats, found)
        ends.append(done)
        self.selected: list[slice] = []
        if "o_selected" in epoch.taken:
            self.selected, done = self._packets(log, "o_selected", 1, spec.top_k, found)
            ends.append(done)
        self.n_complete = min(len(self.at), *map(len, ends))
        self.done = np.max([end[: self.n_complete] for end in ends], axis=0) if self.n_complete else np.zeros(0, int)
        self.mask = np.zeros((len(self.at), spec.n_keys), bool)
        n_own = dims.part.spec.n_keys
        for engine, name in enumerate(_masks(epoch.taken)):
            own = slice(engine * n_own, (engine + 1) * n_own)
            self.mask[:, own] = self._mask_of(design, name, self.seen[:, own], found)

    def _packets(
        self, log: Log, name: str, fewest: int, most: int, found: Findings
    ) -> tuple[list[slice], NDArray[np.int64]]:
        beats = self.epoch.taken[name]
        ends = np.flatnonzero(beats.field(log.streams[name], "last"))
        starts = np.concatenate([[0], ends + 1])
        lengths = np.diff(starts)
        for n in np.flatnonzero((lengths < fewest) | (lengths > most))[:5]:
            found.wrong(f"{name}: {lengths[n]} beats in the packet that ends in cycle {beats.end[ends[n]]}")
        if len(beats) - starts[-1] >= most:
            found.wrong(f"{name}: a packet from cycle {beats.end[starts[-1]]} on does not end")
        if len(ends) > len(self.at):
            found.wrong(f"{name}: an answer without a query, in cycle {beats.end[ends[len(self.at)]]}")
        n = min(len(ends), len(self.at))
        if (beats.end[ends[:n]] <= self.at[:n]).any():
            found.wrong(f"{name}: an answer before its query, after cycle {self.epoch.begin}")
        return [slice(a, b + 1) for a, b in zip(starts[:-1].tolist(), ends.tolist(), strict=True)], beats.end[ends]

    def _mask_of(self, design: Design, name: str, seen: NDArray[np.bool_], found: Findings) -> NDArray[np.bool_]:
        """Give each group the beats of the rows that it reads of an engine, and return what they mask of its keys.

        Without a stage before it an engine takes the first with the query.
        """
        dims, n_group, beats = design.dimensions.part, self.n_group, self.epoch.taken[name]
        lanes, n_rows = dims.n_lanes, dims.n_rows
        whole = np.zeros((len(self.at), n_rows * lanes), bool)
        whole[:, : seen.shape[1]] = seen
        is_read = rows_read(whole.reshape(-1, n_group, n_rows, lanes).max(axis=-1))
        at = self.at[::n_group]
        first = np.concatenate([[0], np.cumsum(is_read.sum(axis=-1))])
        have = min(len(at), len(beats))
        inside = first[:-1] < len(beats)
        begins = beats.end[first[:-1][inside]]
        if dims.has_row_range or dims is not design.dimensions:
            is_wrong = (begins <= at[inside]).any()
        else:
            is_wrong = not inside.all() or (begins != at[inside]).any()
        if is_wrong:
            found.wrong(
                f"{name}: a beat is taken without its query, between cycles {self.epoch.begin} and {self.epoch.end}"
            )
        elif len(beats) > first[-1]:
            found.wrong(f"{name}: more beats than queries need, between cycles {self.epoch.begin} and {self.epoch.end}")
        mask = np.zeros(seen.shape, bool)
        for n in range(have):
            bits = beats.bits[first[n] : first[n + 1]]
            rows = np.zeros((n_group, n_rows, lanes), bool)
            rows[:, np.flatnonzero(is_read[n])[: len(bits)]] = bits.reshape(-1, n_group, lanes).swapaxes(0, 1)
            mask[n * n_group : (n + 1) * n_group] = rows.reshape(n_group, -1)[:, : seen.shape[1]]
        return mask


def _masks(streams: Iterable[str]) -> list[str]:
    """Return the streams of masks: of an engine one, of a chain one an engine."""
    return [name for name in streams if name.startswith("i_mask")]


def _hold_waits(design: Design, log: Log, epoch: Epoch, queries: _Queries, latency: int, found: Findings) -> None:
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
    for name in _masks(epoch.offers):
        starved = np.ones(length + 1, np.int64)
        for start, end in _spans(epoch.offers[name]):
            starved[start - epoch.begin : end - epoch.begin + 1] = 0
        stalled |= starved
    for start, end in _slow(log, epoch):
        stalled[start - epoch.begin : end - epoch.begin] = 1
    written = np.zeros(length + 1, np.int64)
    for start, end in _spans(rows):
        written[start - epoch.begin : end - epoch.begin + 1] = 1
    free = np.concatenate([[0], np.cumsum(1 - stalled[:length])])
    held = np.concatenate([[0], np.cumsum(stalled[:length] | written[:length])])

    def free_cycles(start: int, end: int) -> int:
        return int(free[min(end, epoch.end - 1) - epoch.begin + 1] - free[start - epoch.begin])

    # A reset leaves the cells of an insertion selector to be shifted out.
    settled = epoch.begin + (design.spec.top_k if design.config.selector == "insertion" else 0)
    most = _MOST_WAITS * latency + _MORE_CYCLES
    offers = epoch.offers["i_query"]
    for n in np.flatnonzero(offers.end - offers.start > most):
        if free_cycles(offers.start[n], offers.end[n]) > most:
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


class _Errors:
    """The bits of `error`, held against what was out of range."""

    def __init__(self, design: Design, manifest: Mapping[str, Any], log: Log, tables: Sequence[Table]) -> None:
        self._design = design
        self._names = [entry["name"] for entry in manifest["errors"]]
        self._log = log
        self._tables = tables
        self._cycles = [cycle for cycle, _ in log.errors]

    def hold(self, epoch: Epoch, queries: _Queries, found: Findings) -> None:
        """Hold an epoch."""
        spec = self._design.spec
        rises: dict[str, int] = {}
        value = 0
        first, last = (bisect.bisect_left(self._cycles, cycle) for cycle in (epoch.begin, epoch.end))
        for cycle, now in self._log.errors[first:last]:
            if value & ~now:
                found.wrong(f"cycle {cycle}: error is 0x{now:x} after 0x{value:x}: a bit fell without a reset")
            for bit, name in enumerate(self._names):
                if now >> bit & 1:
                    rises.setdefault(name, cycle)
            value = now
        most = {"n_valid": spec.n_keys, "first": spec.n_keys, "base": spec.n_keys - 1, "table": spec.n_tables - 1}
        wrong = {name: np.flatnonzero(queries.asked[name] > most[name]) for name in most if name in self._names}
        if self._design.config.n_engines > 1:
            for name, some in wrong.items():
                self._hold_chain(epoch, queries, name, some, rises.pop(name, None), found)
            wrong = {}
        causes = {name: queries.at[some] for name, some in wrong.items()}
        rows = epoch.taken["i_row"]
        causes["row_index"] = rows.end[rows.field(self._log.streams["i_row"], "index") >= spec.n_keys]
        for name, cycles in self._log.wrongs.items():
            causes[name] = cycles[(cycles >= epoch.begin) & (cycles < epoch.end)]
        if "i_weight" in epoch.taken:
            entries = epoch.taken["i_weight"]
            index = entries.field(self._log.streams["i_weight"], "index")
            is_outside = index > spec.d_head
            is_outside |= entries.field(self._log.streams["i_weight"], "table") >= spec.n_tables
            causes["weight_index"] = entries.end[is_outside]
            self._hold_table(epoch, queries, rises.pop("weight_table", None), found)
        for name, cycles in causes.items():
            expected = int(cycles[0]) + 1 if len(cycles) and cycles[0] + 1 < epoch.end else None
            if rises.get(name) != expected:
                found.wrong(f"error {name} rises in cycle {rises.get(name)}, not {expected} (reset in {epoch.end})")
            found.count(f"error {name}", expected is not None)

    def _hold_chain(
        self, epoch: Epoch, queries: _Queries, name: str, wrong: NDArray[np.int64], rise: int | None, found: Findings
    ) -> None:
        """Engines of a chain tell of a query as the first of them takes it: before it is answered."""
        latest, earliest = epoch.end, epoch.end
        if len(wrong):
            first = int(wrong[0])
            earliest = int(queries.at[first]) + 1
            latest = int(queries.done[first]) if first < queries.n_complete else epoch.end
        found.count(f"error {name}", rise is not None)
        if not earliest <= (epoch.end if rise is None else rise) <= latest:
            found.wrong(f"error {name} rises in cycle {rise}, not in {earliest} to {latest} (reset in {epoch.end})")

    def _hold_table(self, epoch: Epoch, queries: _Queries, rise: int | None, found: Findings) -> None:
        """An entry that is no power of two tells at once; a table that rises, a while after a query used it."""
        walk = self._design.spec.d_head + 4
        entries = epoch.taken["i_weight"]
        is_odd = self._tables[0].is_odd(entries)
        due = [int(cycle) + 1 for cycle in entries.end[is_odd][:1]]
        for n in range(queries.n_complete):
            at, done = int(queries.at[n]), int(queries.done[n])
            if self._tables[queries.table[n]].state(at, done + walk) == "bad":
                due.append(done + walk)
                break
        latest = min(due, default=None)
        if latest is not None and latest < epoch.end:
            found.count("error weight_table")
            if rise is None or rise > latest:
                found.wrong(f"error weight_table rises in cycle {rise}, not by {latest} (reset in {epoch.end})")
        if rise is None or rise - 1 in entries.end[is_odd]:
            return
        if {table.state(max(epoch.begin, rise - walk), rise) for table in self._tables} == {"good"}:
            found.wrong(f"error weight_table rises in cycle {rise}; the table is as it should be")
