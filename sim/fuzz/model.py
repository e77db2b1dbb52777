"""What a fuzzed engine's memories hold at any time, as far as it is known, and the answers that follow."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hamming.golden.score import matches
from hamming.golden.softmax import weigh
from hamming.golden.topk import select
from hamming.golden.weighted_sum import normalize, weighted_sum
from hamming.rtl.design import Design
from hamming.sim.fuzz.log import CHANGED, TRANSFERRED, Log, Records

__all__ = ["Answers", "Contents", "Table"]

#: Queries that golden is asked for together.
_BATCH = 128


class Contents:
    """The rows, as the log's offers of `i_row` leave them, up to some cycle.

    A transfer writes the key, and the value vector if nothing else stood in its place since the transfer before. An
    offer that is not transferred may have written parts of the value vector, and nothing else; but where keys are
    written by requests, its key, too, and then what is said of value vectors holds for keys.

    Attributes
    ----------
    key, value
        `(n_keys, d_head)` and `(n_keys, d_value)`.
    has_key, has_value
        Whether they are known.
    key_at, value_at
        The last cycle in which they may have been written.
    """

    def __init__(self, design: Design, log: Log) -> None:
        spec = design.spec
        stream = log.streams["i_row"]
        offers = log.offers["i_row"]
        self._keys = offers.bits[:, stream.field("key").span]
        self._values = offers.field(stream, "value")
        index = offers.field(stream, "index")
        self._offers = list(
            zip(index.tolist(), offers.kind.tolist(), offers.start.tolist(), offers.end.tolist(), strict=True)
        )
        self._resets = log.resets.tolist()
        self._next = self._n_resets = 0
        self._is_mixed = False
        self._n_keys = spec.n_keys
        self._keys_are_sent = design.config.memories[0] == "request"
        self.key = np.zeros((spec.n_keys, spec.d_head), np.uint8)
        self.value = np.zeros((spec.n_keys, spec.d_value), np.int64)
        self.has_key, self.has_value = np.zeros(spec.n_keys, bool), np.zeros(spec.n_keys, bool)
        self.key_at, self.value_at = np.full(spec.n_keys, -1), np.full(spec.n_keys, -1)

    def go_to(self, cycle: int) -> None:
        """Take in every offer that begins by `cycle`."""
        while self._next < len(self._offers):
            index, kind, start, end = self._offers[self._next]
            if start > cycle:
                return
            while self._n_resets < len(self._resets) and self._resets[self._n_resets] <= start:
                self._n_resets += 1
                self._is_mixed = False
            if index < self._n_keys:
                self.value_at[index] = end
                self.has_value[index] = kind == TRANSFERRED and not self._is_mixed
                if self._keys_are_sent:
                    self.has_key[index] = False
                if kind == TRANSFERRED:
                    self.key[index], self.value[index] = self._keys[self._next], self._values[self._next]
                    self.has_key[index] = not (self._keys_are_sent and self._is_mixed)
                    self.key_at[index] = end
            self._is_mixed = kind == CHANGED
            self._next += 1


class Table:
    """A softmax table: the spec's, or what the log's entries make of it.

    Parameters
    ----------
    design, log
        Of the run.
    number
        Which of the spec's tables it is.
    """

    def __init__(self, design: Design, log: Log, number: int = 0) -> None:
        spec = design.spec
        self._is_shift = design.config.product == "shift"
        self._stream = log.streams.get("i_weight")
        self._d_head, self._n_tables = spec.d_head, spec.n_tables
        times = [-1]
        self._times = np.array(times)
        self._tables: list[NDArray[np.int64] | None] = [np.asarray(spec.tables[number], np.int64)]
        self._states = ["good"]
        if self._stream is None:
            return
        entries = log.taken("i_weight")
        entries = entries.where(entries.field(self._stream, "table") == number)
        index = entries.field(self._stream, "index")
        weight = self._stored(entries.field(self._stream, "weight"))
        table = np.full(spec.d_head + 1, -1)
        self._tables[0], self._states[0] = None, "unknown"
        for place, entry, cycle in zip(index.tolist(), weight.tolist(), entries.end.tolist(), strict=True):
            if place > spec.d_head:
                continue
            table = table.copy()
            table[place] = entry
            times.append(cycle)
            is_known = bool((table >= 0).all())
            is_good = is_known and table[0] > 0 and bool((np.diff(table) <= 0).all())
            self._states.append("good" if is_good else "bad" if is_known else "unknown")
            self._tables.append(table if is_known else None)
        self._times = np.array(times)

    def _stored(self, weight: NDArray[np.int64]) -> NDArray[np.int64]:
        if not self._is_shift:
            return weight
        return np.where(weight > 0, 1 << np.log2(np.maximum(weight, 1)).astype(np.int64), 0)

    def is_odd(self, entries: Records) -> NDArray[np.bool_]:
        """Say of entries whether they are stored as something else."""
        assert self._stream is not None
        weight = entries.field(self._stream, "weight")
        is_inside = entries.field(self._stream, "index") <= self._d_head
        is_inside &= entries.field(self._stream, "table") < self._n_tables
        return is_inside & (self._stored(weight) != weight)

    def _versions(self, start: int, end: int) -> tuple[int, int]:
        """Return the numbers of the version before `start`, and of that after `end`."""
        first, last = np.searchsorted(self._times, [start, end + 1])
        return int(first) - 1, int(last) - 1

    def of(self, start: int, end: int) -> tuple[int, NDArray[np.int64] | None]:
        """Return the table of these cycles and its number; None if it is not known or was written in one of them."""
        first, last = self._versions(start, end)
        return last, self._tables[last] if first == last else None

    def state(self, start: int, end: int) -> str:
        """Return whether the table was good, or bad, in all of these cycles; `unknown` otherwise."""
        first, last = self._versions(start, end)
        states = set(self._states[first : last + 1])
        if states == {"bad"} and first == last:
            return "bad"
        return "good" if states == {"good"} else "unknown"


class Answers:
    """Complete queries, of which golden knows the answer if what they saw is known and was left alone."""

    def __init__(self, design: Design, log: Log, contents: Contents, tables: Sequence[Table]) -> None:
        self._spec = design.spec
        # Sums of any table are as large as those of the largest.
        largest = (2**design.spec.weight_bits - 1,) * (design.spec.d_head + 1)
        self._any_table = dataclasses.replace(design.spec, weights=largest)
        self._streams, self._out = log.streams, log.out
        self._contents, self._tables = contents, tables
        self._waiting: list[dict[str, Any]] = []
        self._wrong: list[str] = []
        self._counts = {"selections compared": 0, "outputs compared": 0, "wrong answers": 0}

    def add(self, queries: Any, number: int) -> None:
        """Take a complete query in; in the order of their completion."""
        at, done = int(queries.at[number]), int(queries.done[number])
        self._contents.go_to(done)
        contents = self._contents
        seen = queries.seen[number] & ~queries.mask[number]
        if not (contents.has_key & (contents.key_at < at))[seen].all():
            return
        version, table = self._tables[queries.table[number]].of(at, done)
        epoch = queries.epoch
        out = epoch.taken[self._out].where(queries.out[number])
        stream = self._streams[self._out]
        told = {field.name: out.field(stream, field.name) for field in stream.fields}
        one = {
            "cycle": at,
            "q": queries.q[number],
            "seen": seen,
            "key": contents.key.copy(),
            "value": contents.value.copy(),
            "has_value": contents.has_value & (contents.value_at < at),
            "table": table,
            "version": version,
            "is_empty": told.pop("is_empty"),
            "told": told,
        }
        if queries.selected:
            kept = epoch.taken["o_selected"].where(queries.selected[number])
            fields = [kept.field(self._streams["o_selected"], name) for name in ("deficit", "index", "is_empty")]
            one["selected"] = sorted(zip(*(field.tolist() for field in fields), strict=True))
        self._waiting.append(one)
        if len(self._waiting) >= _BATCH:
            self._compare()

    def finish(self, found: Any) -> None:
        """Compare what is left, and report."""
        self._compare()
        for name, number in self._counts.items():
            found.count(name, number)
        for message in self._wrong:
            found.wrong(message)

    def _compare(self) -> None:
        if not self._waiting:
            return
        batch, self._waiting = self._waiting, []
        spec = self._spec
        q, key, value = (np.stack([one[name] for one in batch]) for name in ("q", "key", "value"))
        absent = ~np.stack([one["seen"] for one in batch])
        scores = matches(q[:, None], key)
        kept = select(scores, spec.top_k, absent[:, None])
        weight = np.zeros(kept.index.shape, np.int64)
        for n, one in enumerate(batch):
            if one["table"] is not None:
                weight[n] = weigh(kept.deficit[n], [one["table"]])
        acc, total = weighted_sum(self._any_table, weight, kept.index, value)
        quotient = normalize(spec, acc, total)[:, 0]
        for n, one in enumerate(batch):
            index, deficit = kept.index[n, 0], kept.deficit[n, 0]
            is_empty = bool(index[0] < 0)
            self._counts["selections compared"] += 1
            self._hold(one, "is_empty", set(one["is_empty"].tolist()), {int(is_empty)})
            if "selected" in one:
                some = [(int(d), int(i), 0) for d, i in zip(deficit, index, strict=True) if i >= 0]
                self._hold(one, "o_selected", one["selected"], some or [(0, 0, 1)])
            if one["table"] is None or not one["has_value"][index[index >= 0]].all():
                continue
            self._counts["outputs compared"] += 1
            if self._out == "o_partial":
                expected = {
                    "acc": acc[n, 0] + (total[n, 0] << spec.value_bits - 1),
                    "weight_sum": total[n],
                    "max_level": np.array([0 if is_empty else 1 + scores[n, 0, index[0]]]),
                }
            elif not is_empty and total[n, 0] == 0:
                expected = {"value": np.full(spec.d_value, 2 ** (spec.out_bits - 1) - 1)}
            else:
                expected = {"value": quotient[n]}
            for name, array in expected.items():
                told = one["told"][name].reshape(-1)
                each = array if len(told) == len(array) else np.repeat(array, len(told))  # a sum of all is in each beat
                self._hold(one, f"{self._out} {name}", told.tolist(), each.tolist())

    def _hold(self, one: dict[str, Any], what: str, got: Any, expected: Any) -> None:
        if got == expected:
            return
        self._counts["wrong answers"] += 1
        if len(self._wrong) < 10:
            self._wrong.append(f"query of cycle {one['cycle']}, {what}: expected {expected}, got {got}"[:300])
