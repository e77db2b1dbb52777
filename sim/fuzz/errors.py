"""The bits of `error`, held against what was out of range."""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hamming.rtl.design import Design
from hamming.sim.fuzz.epoch import Epoch
from hamming.sim.fuzz.findings import Findings
from hamming.sim.fuzz.log import Log
from hamming.sim.fuzz.model import Table
from hamming.sim.fuzz.queries import Queries

__all__ = ["Errors"]


class Errors:
    """The bits of `error`, held against what was out of range."""

    def __init__(self, design: Design, manifest: Mapping[str, Any], log: Log, tables: Sequence[Table]) -> None:
        self._design = design
        self._names = [entry["name"] for entry in manifest["errors"]]
        self._log = log
        self._tables = tables
        self._cycles = [cycle for cycle, _ in log.errors]

    def hold(self, epoch: Epoch, queries: Queries, found: Findings) -> None:
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
        self, epoch: Epoch, queries: Queries, name: str, wrong: NDArray[np.int64], rise: int | None, found: Findings
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

    def _hold_table(self, epoch: Epoch, queries: Queries, rise: int | None, found: Findings) -> None:
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
