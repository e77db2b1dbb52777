"""What a bench of the engine sends and expects: rows, tables, queries and masks, outputs and kept keys, as beats."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hamming.golden.softmax import weigh
from hamming.golden.spec import AttentionSpec
from hamming.golden.topk import absent_keys
from hamming.golden.weighted_sum import weighted_sum
from hamming.rtl.config import EngineConfig
from hamming.sim.groups import rows_read
from hamming.sim.payloads import Stream, pack_rows

__all__ = [
    "beyond_range",
    "in_groups",
    "mask_beats",
    "masks_of_engines",
    "out_beats",
    "partial_beats",
    "row_schedule",
    "selected_beats",
    "table_beats",
    "with_dropped_rows",
]

#: Tables that are loaded one over the other, of which the last one counts.
_TABLES = 6


def out_beats(stream: Stream, out: NDArray, is_empty: NDArray) -> list[int]:
    """Return the beats of `o_out`: a query's elements in order, `n_dividers` a beat."""
    value = out.reshape(-1, stream.field("value").length or 1)
    n_beats = len(value) // max(1, is_empty.size)
    is_last = np.arange(len(value)) % n_beats == n_beats - 1
    return stream.encode(value=value, is_empty=np.repeat(is_empty.ravel(), n_beats), last=is_last)


def partial_beats(
    stream: Stream,
    spec: AttentionSpec,
    q: NDArray,
    k: NDArray,
    v: NDArray,
    index: NDArray[np.int64],
    deficit: NDArray[np.int64],
    table: NDArray[np.int64] | None,
) -> list[int]:
    """Return the beats of `o_partial`: a query's sums, offset, `n_dividers` a beat, and what it shares."""
    weight = weigh(deficit.astype(np.int64), spec.tables, table)
    acc, weight_sum = weighted_sum(spec, np.where(index >= 0, weight, 0), index, v)
    is_empty = index[..., 0] < 0
    best = np.take_along_axis(k.astype(np.int64), np.maximum(index[..., :1], 0), axis=-2)
    max_level = np.where(is_empty, 0, (best == q).sum(axis=-1) + 1)
    acc = (acc + (weight_sum << (spec.value_bits - 1))[..., None]).reshape(-1, stream.field("acc").length or 1)
    n_beats = len(acc) // max(1, is_empty.size)
    shared = {"weight_sum": weight_sum, "max_level": max_level, "is_empty": is_empty}
    is_last = np.arange(len(acc)) % n_beats == n_beats - 1
    return stream.encode(
        acc=acc, **{name: np.repeat(array.ravel(), n_beats) for name, array in shared.items()}, last=is_last
    )


def selected_beats(stream: Stream, index: NDArray, deficit: NDArray) -> list[int]:
    """Return the beats of `o_selected` in the contract's order: kept keys, or one empty beat."""
    index, deficit = (array.reshape(-1, array.shape[-1]) for array in (index, deficit))
    is_beat = index >= 0
    is_empty = ~is_beat & (np.arange(index.shape[1]) == 0) & (index[:, :1] < 0)
    is_beat |= is_empty
    is_last = np.arange(index.shape[1]) == is_beat.sum(axis=1)[:, None] - 1
    return stream.encode(
        index=np.maximum(index, 0)[is_beat],
        deficit=np.maximum(deficit, 0)[is_beat],
        is_empty=is_empty[is_beat],
        last=is_last[is_beat],
    )


def row_schedule(
    n_valid: NDArray, n_keys: int, *, append: bool, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return in which order each head's rows are written, and how many rows in all each query waits for.

    Within what the schedule leaves open the order is random.
    """
    n_heads = len(n_valid)
    seen = np.maximum.accumulate(n_valid, axis=1) if append else np.full(n_valid.shape, n_keys)
    order = np.empty((n_heads, n_keys), np.int64)
    for head in range(n_heads):
        wave = np.searchsorted(np.unique(seen[head]), np.arange(n_keys), side="right")
        order[head] = np.lexsort((rng.random(n_keys), wave))
    return order, seen + n_keys * np.arange(n_heads)[:, None]


def table_beats(
    stream: Stream, spec: AttentionSpec, rng: np.random.Generator, *, product: str = "multiply", beyond: bool = False
) -> list[int]:
    """Return the beats of `i_weight`: every entry of every table, in random order, written over something else.

    With `beyond`, what is written over may be no power of two for `product = "shift"`, and entries come between whose
    index is above `d_head`, or whose table is none.
    """
    n_entries = spec.n_tables * (spec.d_head + 1)
    table, deficit = np.divmod(np.concatenate([rng.permutation(n_entries) for _ in range(_TABLES)]), spec.d_head + 1)
    weight = np.asarray(spec.tables)[table, deficit]
    n_before = len(weight) - n_entries
    weight[:n_before] = rng.integers(0, 2**spec.weight_bits, n_before)
    if product == "shift" and not beyond:
        weight[:n_before] = 1 << rng.integers(0, spec.weight_bits, n_before)
    most = (1 << stream.field("index").bits) - 1
    if beyond and most > spec.d_head:
        places = rng.integers(0, len(deficit) + 1, 4)
        deficit = np.insert(deficit, places, rng.integers(spec.d_head + 1, most + 1, len(places)))
        weight = np.insert(weight, places, rng.integers(0, 2**spec.weight_bits, len(places)))
        table = np.insert(table, places, rng.integers(0, spec.n_tables, len(places)))
    if beyond and spec.n_tables < 1 << spec.table_bits:
        places = rng.integers(0, len(deficit) + 1, 4)
        deficit = np.insert(deficit, places, rng.integers(0, spec.d_head + 1, len(places)))
        weight = np.insert(weight, places, rng.integers(0, 2**spec.weight_bits, len(places)))
        table = np.insert(table, places, rng.integers(spec.n_tables, 1 << spec.table_bits, len(places)))
    return stream.encode(index=deficit, weight=weight, table=table)


def with_dropped_rows(
    stream: Stream,
    spec: AttentionSpec,
    head: NDArray[np.int64],
    n_needed: NDArray[np.int64],
    beats: list[int],
    rng: np.random.Generator,
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[int]]:
    """Put beats of rows among others whose index is `n_keys` or more, if there is such an index.

    Returned are the head of each beat, and how many each query waits for, of which `n_needed` is without them.
    """
    most = (1 << stream.field("index").bits) - 1 if "index" in (field.name for field in stream.fields) else 0
    if most < spec.n_keys:
        return head, n_needed, beats
    places = np.sort(rng.integers(0, len(beats), max(1, len(beats) // 8)))
    dropped = stream.encode(
        index=rng.integers(spec.n_keys, most + 1, len(places)),
        key=rng.integers(0, 2, (len(places), spec.d_head)),
        value=rng.integers(-(1 << spec.value_bits - 1), 1 << spec.value_bits - 1, (len(places), spec.d_value)),
    )
    whole = list(beats)
    for place, beat in zip(places[::-1], dropped, strict=True):
        whole.insert(place, beat)
    # A query that waits for n rows now waits for those inserted before them, too.
    return np.insert(head, places, head[places]), n_needed + np.searchsorted(places, n_needed), whole


def beyond_range(
    stream: Stream, spec: AttentionSpec, named: dict[str, NDArray[np.int64]], rng: np.random.Generator
) -> dict[str, NDArray[np.int64]]:
    """Return what queries name, with something out of range that means the same, half of the time."""
    has_no_sink = named["base"] >= np.minimum(named["first"], named["n_valid"])
    lowest = {
        "n_valid": (spec.n_keys + 1, named["n_valid"] == spec.n_keys),
        "first": (spec.n_keys + 1, named["first"] == spec.n_keys),
        "base": (spec.n_keys, has_no_sink),
        "table": (spec.n_tables, named["table"] == spec.n_tables - 1),
    }
    asked = dict(named)
    for field in stream.fields:
        if field.name in lowest and lowest[field.name][0] < 1 << field.bits:
            low, may_be = lowest[field.name]
            beyond = rng.integers(low, 1 << field.bits, may_be.size)
            asked[field.name] = np.where(may_be & (rng.random(may_be.size) < 0.5), beyond, named[field.name])
    return asked


def in_groups(array: NDArray, n_group: int) -> NDArray:
    """Return what each query has as what each group of `n_group` has."""
    return array if n_group == 1 else array.reshape(-1, n_group, *array.shape[1:])


def masks_of_engines(
    config: EngineConfig,
    n_keys: int,
    spec: AttentionSpec,
    named: dict[str, NDArray[np.int64]],
    mask: NDArray[np.bool_] | None,
    rng: np.random.Generator,
) -> list[list[int]]:
    """Return the beats of each engine's mask, of which each holds its part of the keys."""
    n_own = spec.n_keys // config.n_engines
    found = []
    for start in range(0, spec.n_keys, n_own):
        n_here = min(max(0, n_keys - start), n_own)
        own = named | {name: np.clip(named[name] - start, 0, n_own) for name in ("n_valid", "first")}
        own["base"] = named["base"] - start  # of sinks that may begin in an engine before
        part = None if mask is None else mask[..., start : start + n_own]
        found.append(mask_beats(config, n_here, spec, own, part, rng))
    return found


def mask_beats(
    config: EngineConfig,
    n_keys: int,
    spec: AttentionSpec,
    named: dict[str, NDArray[np.int64]],
    mask: NDArray[np.bool_] | None,
    rng: np.random.Generator,
) -> list[int]:
    """Return the beats of `i_mask`: each row of keys that is read, with anything for keys that a query does not see."""
    n_lanes, n_group = config.n_lanes, config.n_queries_a_row
    n_queries, n_rows = named["n_valid"].size, max(1, -(-n_keys // n_lanes))
    bits = rng.integers(0, 2, (n_queries, n_rows * n_lanes), np.uint8)
    absent = absent_keys(n_keys, named["n_valid"], None, first=named["first"], base=named["base"], n_sinks=spec.n_sinks)
    seen = np.zeros(bits.shape, bool)
    seen[:, :n_keys] = ~absent  # type: ignore[operator]
    masked = np.zeros((n_queries, n_keys), bool) if mask is None else mask.reshape(n_queries, n_keys)
    bits[:, :n_keys] = np.where(seen[:, :n_keys], masked, bits[:, :n_keys])
    is_beat = rows_read(seen.reshape(-1, n_group, n_rows, n_lanes).max(axis=-1))
    return pack_rows(bits.reshape(-1, n_group, n_rows, n_lanes).swapaxes(1, 2).reshape(*is_beat.shape, -1)[is_beat])
