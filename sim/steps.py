"""What passes between the engine's components for given vectors, by the golden model's steps."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hamming.golden.score import matches
from hamming.golden.softmax import weigh
from hamming.golden.topk import Selection, absent_keys, select
from hamming.golden.weighted_sum import normalize, weighted_sum
from hamming.rtl.design import Design
from hamming.rtl.digits import largest_negated
from hamming.sim.groups import rows_read
from hamming.sim.payloads import pack_rows
from hamming.sim.stimulus import Vectors

__all__ = ["Steps"]

Beats = dict[str, NDArray]


class Steps:
    """The beats of each stream along the data path, as fields by name (layouts of `rtl.payload`).

    Parameters
    ----------
    design
        Spec and configuration.
    vectors
        Queries of one head, with a leading axis of 1; in whole groups, where they share rows.
    rng
        Fills what a contract leaves open: index and deficit of an empty query's beat.
    """

    def __init__(self, design: Design, vectors: Vectors, rng: np.random.Generator) -> None:
        if len(vectors.q) != 1:
            raise ValueError(f"the vectors must be of one head, not {len(vectors.q)}")
        self.design = design
        self.spec = design.spec
        self.dims = design.dimensions
        self.q, self.k, self.v, self.n_valid = (getattr(vectors, name)[0] for name in ("q", "k", "v", "n_valid"))
        self.first, self.base, self.table = (vectors.named(name)[0] for name in ("first", "base", "table"))
        self.mask = np.zeros((len(self.q), len(self.k)), bool) if vectors.mask is None else vectors.mask[0]
        self._rng = rng

    @cached_property
    def _seen(self) -> NDArray[np.bool_]:
        """Which keys each query's range and sinks have, `(n_queries, n_keys)`."""
        limits = {"first": self.first, "base": self.base, "n_sinks": self.spec.n_sinks}
        absent = absent_keys(len(self.k), self.n_valid, None, **limits)
        assert absent is not None
        return ~absent

    @cached_property
    def _is_read(self) -> NDArray[np.bool_]:
        """Which rows of keys each group reads, `(n_groups, n_rows)`."""
        n_lanes, n_rows = self.dims.n_lanes, self.dims.n_rows
        whole = np.zeros((len(self.q), n_rows * n_lanes), bool)
        whole[:, : len(self.k)] = self._seen
        return rows_read(whole.reshape(-1, self.dims.n_queries_a_row, n_rows, n_lanes).max(axis=-1))

    @cached_property
    def group_of_row(self) -> NDArray[np.int64]:
        """Group of each row of keys that is read; its query, if rows are not shared."""
        return np.nonzero(self._is_read)[0]

    def _of_groups(self, array: NDArray) -> NDArray:
        """Return `(n_groups, n_queries_a_row, ...)` of `(n_queries, ...)`; as it is, if rows are not shared."""
        n_group = self.dims.n_queries_a_row
        return array if n_group == 1 else array.reshape(-1, n_group, *array.shape[1:])

    @cached_property
    def row(self) -> NDArray[np.int64]:
        """Number of each row that is read."""
        return np.nonzero(self._is_read)[1]

    @property
    def _ends_query(self) -> NDArray[np.bool_]:
        return np.append(np.diff(self.group_of_row) != 0, True)

    @cached_property
    def _takes_part(self) -> NDArray[np.bool_]:
        """Which lanes of each row that is read take part."""
        return self._lanes(self._seen & ~self.mask)

    def _lanes(self, of_keys: NDArray) -> NDArray:
        """Return `(rows read[, n_queries_a_row], n_lanes)` of `(n_queries, n_keys)`, 0 beyond the last key."""
        n_lanes, n_rows = self.dims.n_lanes, self.dims.n_rows
        whole = np.zeros((len(self.q), n_rows * n_lanes), of_keys.dtype)
        whole[:, : len(self.k)] = of_keys
        whole = self._of_groups(whole.reshape(-1, n_rows, n_lanes))
        return whole[self.group_of_row, ..., self.row, :]

    def key_rows(self) -> list[int]:
        """Return the words of the key memory: `n_lanes` keys each, lane 0 lowest."""
        bits = np.zeros((self.dims.n_rows * self.dims.n_lanes, self.spec.d_head), np.uint8)
        bits[: len(self.k)] = self.k
        return pack_rows(bits.reshape(self.dims.n_rows, -1))

    def value_slices(self) -> list[int]:
        """Return the words of the value memory: slices of `n_macs` elements, offset by `2**(value_bits - 1)`."""
        n_bits = self.spec.value_bits
        offset = np.zeros((self.spec.n_keys, self.spec.d_value), np.int64)
        offset[: len(self.v)] = self.v + (1 << (n_bits - 1))
        bits = (offset[..., None] >> np.arange(n_bits) & 1).astype(np.uint8)
        return pack_rows(bits.reshape(self.spec.n_keys * self.dims.fold, -1))

    def queries(self) -> Beats:
        """Return the queries."""
        return {name: self._of_groups(getattr(self, found)) for name, found in self._query_fields().items()}

    def _query_fields(self) -> dict[str, str]:
        fields = {"query": "q", "n_valid": "n_valid"}
        if self.design.config.range:
            fields["first"] = "first"
            if self.spec.n_sinks:
                fields["base"] = "base"
        if self.spec.n_tables > 1:
            fields["table"] = "table"
        return fields

    def tables(self) -> Beats:
        """Return the table of each query."""
        return {"payload": self.table}

    def ranged(self) -> Beats:
        """Return what `RowRange` makes of the queries. Where no sink is of account, its fields are 0."""
        n_lanes, n_sinks = self.dims.n_lanes, self.spec.n_sinks
        place = np.arange(self.dims.n_rows)
        beats = {
            "query": self._of_groups(self.q),
            "n_valid": self._of_groups(self.n_valid),
            "first": self._of_groups(self.first),
            "begin_row": np.argmax(self._is_read, axis=1),
            "last_row": np.where(self._is_read, place, 0).max(axis=1),
        }
        if n_sinks:
            has_sinks = self.base < np.minimum(self.first, self.n_valid)
            sink_end = np.where(has_sinks, self.base + n_sinks, 0)
            sink_row = np.maximum(sink_end - 1, 0) // n_lanes
            jumps = has_sinks & (self.first < self.n_valid) & (sink_row < self.first // n_lanes)
            n_before = (self._is_read & (place <= sink_row[:, None])).sum(axis=1)
            beats |= {
                "base": np.where(has_sinks, self.base, 0),
                "sink_end": sink_end,
                "sink_row": np.where(jumps, sink_row, 0),
                "n_before": np.where(jumps, n_before, 0),
                "jumps": jumps,
            }
        return beats

    def places(self) -> Beats:
        """Return where each query's rows lie."""
        beats = self.ranged()
        fields = {"begin_row": beats["begin_row"]}
        if self.spec.n_sinks:
            fields |= {"first_row": np.minimum(self.first // self.dims.n_lanes, self.dims.n_rows - 1)}
            fields |= {name: beats[name] for name in ("n_before", "jumps")}
        return fields

    def masks(self) -> Beats:
        """Return the masks, with anything for keys that a query does not see."""
        seen = self._lanes(self._seen)
        masked = np.where(seen, self._lanes(self.mask), self._rng.integers(0, 2, seen.shape))
        return {"payload": masked.astype(np.uint8).reshape(len(masked), -1)}

    def requests(self) -> Beats:
        """Return what `KeyFetch` asks `ScoreArray`."""
        query = self._of_groups(self.q)[self.group_of_row]
        return {"query": query, "takes_part": self._takes_part.astype(np.uint8), "last": self._ends_query}

    def levels(self) -> Beats:
        """Return what `ScoreArray` answers."""
        level = self._lanes(matches(self.q, self.k).astype(np.int64) + 1)
        return {"level": np.where(self._takes_part, level, 0), "last": self._ends_query}

    @cached_property
    def _selection(self) -> Selection:
        return select(matches(self.q, self.k), self.spec.top_k, ~self._seen | self.mask)

    @cached_property
    def _kept(self) -> Beats:
        index, deficit = self._selection
        if self.design.config.selector == "histogram":  # by index, absent ones last
            order = np.argsort(np.where(index < 0, self.spec.n_keys, index), axis=1)
        else:  # lowest rank first
            n_kept = (index >= 0).sum(axis=1)[:, None]
            place = np.arange(index.shape[1])
            order = np.where(place < n_kept, n_kept - 1 - place, place)
        index, deficit = (np.take_along_axis(array, order, axis=1) for array in (index, deficit))
        is_empty = (index < 0) & (np.arange(index.shape[1]) == 0)
        is_beat = (index >= 0) | is_empty
        is_last = np.arange(index.shape[1]) == is_beat.sum(axis=1)[:, None] - 1
        return {
            "query": np.broadcast_to(np.arange(len(index))[:, None], index.shape)[is_beat],
            "index": np.where(is_empty, 0, index)[is_beat],
            "deficit": np.where(is_empty, 0, deficit)[is_beat],
            "is_empty": is_empty[is_beat],
            "last": is_last[is_beat],
        }

    def kept(self) -> Beats:
        """Return the kept keys, in the selector's order."""
        return {name: array for name, array in self._kept.items() if name != "query"}

    def counted(self) -> Beats:
        """Return what the selector puts out: its indices count the rows that were read."""
        row, lane = np.divmod(self._kept["index"], self.dims.n_lanes)
        number = np.cumsum(self._is_read, axis=1) - 1
        index = number[self._kept["query"] // self.dims.n_queries_a_row, row] * self.dims.n_lanes + lane
        return self.kept() | {"index": np.where(self._kept["is_empty"], 0, index)}

    def replayed(self) -> Beats:
        """Return what `Replay` makes of it: each query's kept keys, once a slice."""
        query = self._kept["query"]
        n_kept = np.bincount(query)
        first = np.searchsorted(query, np.arange(len(n_kept)))
        # A query's pass begins at its first beat again, `fold` times.
        start = np.repeat(first, self.dims.fold)
        length = np.repeat(n_kept, self.dims.fold)
        place = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
        beat = np.repeat(start, length) + place
        slice_number = np.repeat(np.tile(np.arange(self.dims.fold), len(n_kept)), length)
        return {name: array[beat] for name, array in self.kept().items()} | {"slice": slice_number}

    def weighted(self) -> Beats:
        """Return what `SoftmaxTable` makes of it."""
        beats = self.replayed()
        deficit = beats.pop("deficit")
        weight = weigh(deficit[:, None], self.spec.tables, self.table[self.replayed_query()])[:, 0]
        return beats | {"weight": np.where(beats["is_empty"], 0, weight)}

    def replayed_query(self) -> NDArray[np.int64]:
        """Return the query of each beat of `replayed`."""
        beats = self.replayed()
        ends = beats["last"] & (beats["slice"] == self.dims.fold - 1)
        return np.cumsum(ends) - ends

    @cached_property
    def _sums(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        index, deficit = self._selection
        return weighted_sum(self.spec, weigh(deficit, self.spec.tables, self.table), index, self.v)

    def whole_sums(self) -> Beats:
        """Return what `WeightedSum` makes of it, in one part: nothing in `carry` and `negated`."""
        acc, weight_sum = self._sums
        fold = self.dims.fold
        flags = self._flags(fold)
        # Of offset values; an empty query's weights sum to 1, and nothing else of it is anything but 0.
        acc = (acc + (weight_sum << (self.spec.value_bits - 1))[:, None]).reshape(-1, self.dims.n_macs)
        weight_sum = np.repeat(np.maximum(weight_sum, 1), fold)
        return {
            "acc": np.where(flags["is_empty"][:, None], 0, acc),
            "carry": np.zeros_like(acc),
            "negated": np.zeros_like(weight_sum),
            **self._offset(weight_sum),
            **flags,
        }

    def sum_parts(self) -> Beats:
        """Return `whole_sums` in parts, as `payload.sum_parts` has them, at random; empty slices are whole."""
        beats = self.whole_sums()
        is_filled = ~beats["is_empty"]
        negated = self._rng.integers(
            0, self.spec.top_k * largest_negated(self.design.config.product, self.spec.weight_bits) + 1, len(is_filled)
        )
        carry = self._rng.integers(0, 1 << len(self.dims.kept_carries), beats["acc"].shape)
        beats["negated"] = negated * is_filled
        beats["carry"] = carry * is_filled[:, None]
        beats["offset_carry"] = self._rng.integers(0, 2, len(is_filled)) * is_filled * (beats["offset"] > 0)
        beats["offset"] = beats["offset"] + beats["negated"] - beats["offset_carry"]
        beats["acc"] = (beats["acc"] - self._missing(beats)) % (1 << self.spec.acc_bits)
        return beats

    def put_together(self, beats: Beats) -> Beats:
        """Undo `sum_parts`."""
        beats = {"negated": np.zeros_like(beats["low"])} | beats  # a field of no bits is not there
        return beats | {
            "acc": (beats["acc"] + self._missing(beats)) % (1 << self.spec.acc_bits),
            "carry": np.zeros_like(beats["acc"]),
            "negated": np.zeros_like(beats["negated"]),
            "offset": beats["offset"] + beats["offset_carry"] - beats["negated"],
            "offset_carry": np.zeros_like(beats["negated"]),
        }

    def _offset(self, weight_sum: NDArray[np.int64]) -> Beats:
        n_low = self.spec.out_frac_bits + 1
        return {
            "low": weight_sum & ((1 << n_low) - 1),
            "offset": weight_sum >> n_low,
            "offset_carry": np.zeros_like(weight_sum),
        }

    def _missing(self, beats: Beats) -> NDArray[np.int64]:
        """Return what `acc` lacks of the sums, by the formula of `payload.sum_parts`."""
        carry = beats.get("carry", np.zeros_like(beats["acc"]))
        places = [(carry >> i & 1) << column for i, column in enumerate(self.dims.kept_carries)]
        return sum(places, np.zeros_like(carry)) - ((1 << self.spec.value_bits) - 1) * beats["negated"][:, None]

    def outputs(self) -> Beats:
        """Return what `Normalizer` makes of it."""
        n = self.dims.n_dividers
        return {"value": normalize(self.spec, *self._sums).reshape(-1, n), **self._flags(self.spec.d_value // n)}

    def _flags(self, n_beats: int) -> Beats:
        """Return the flags of a query's `n_beats` beats."""
        is_empty = self._selection.index[:, 0] < 0
        return {
            "is_empty": np.repeat(is_empty, n_beats),
            "last": np.arange(len(is_empty) * n_beats) % n_beats == n_beats - 1,
        }
