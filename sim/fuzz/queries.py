"""The queries of an epoch, and the beats of masks, outputs and selections that belong to each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hamming.golden.topk import absent_keys
from hamming.rtl.design import Design
from hamming.sim.fuzz.epoch import Epoch, masks_of
from hamming.sim.fuzz.findings import Findings
from hamming.sim.fuzz.log import Log
from hamming.sim.groups import rows_read

__all__ = ["Queries"]


class Queries:
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
        for engine, name in enumerate(masks_of(epoch.taken)):
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
        if dims.has_row_range or dims.has_query_stage or dims is not design.dimensions:
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
