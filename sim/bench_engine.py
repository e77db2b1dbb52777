"""Bench of the engine: rows, table, queries and masks in; outputs and kept keys against the golden model."""

from __future__ import annotations

from collections.abc import Callable

import cocotb
import numpy as np
from numpy.typing import NDArray

from hamming.golden.spec import AttentionSpec
from hamming.golden.weighted_sum import normalize
from hamming.rtl.config import EngineConfig
from hamming.sim.bench import Bench, play_cases
from hamming.sim.engine_beats import (
    beyond_range,
    in_groups,
    masks_of_engines,
    out_beats,
    partial_beats,
    row_schedule,
    selected_beats,
    table_beats,
    with_dropped_rows,
)
from hamming.sim.harness import monitor
from hamming.sim.payloads import Stream
from hamming.sim.streams import Gate, Sink, Source


async def play(bench: Bench) -> dict[str, NDArray]:
    """Run one case: heads one after the other, each with its own keys and values, through one engine.

    Arrays of the case: `q` (n_heads, n_queries, d_head), `k`, `v`, `n_valid` (n_heads, n_queries), optionally `mask`,
    and `first`, `base` and `table`, shaped like `n_valid`; `expected_out`, `expected_is_empty`, and of the kept keys
    `expected_index` (-1 where fewer), `expected_deficit`.
    Fields: `spec`, `engine`, and `append`: a query waits only for the rows that it sees, and rows are written while
    earlier queries are in flight, as in decoding. Otherwise a head's queries wait for all of its rows. With `beyond`,
    inputs are out of range now and then: `n_valid` for all keys is more than that, as is `first` for none, `base` for
    no sinks, and `table` for the last one; there are rows and entries of tables whose index is too large. Of an engine
    whose queries share rows, `n_queries` is a multiple of `n_queries_a_row`.

    Arrays of the result, shaped as golden's: `out`, `index` (where exposed), `is_empty`; and `cycles`, of each query
    from the completion of the one before, or its first offer if that is later, to its own completion. Of memories of
    requests, `words_read`, in the order of `memory_streams`.
    """
    spec = AttentionSpec.from_dict(bench.fields["spec"])
    config = EngineConfig.from_dict(bench.fields["engine"])
    q, k, v, n_valid = (bench.arrays[name] for name in ("q", "k", "v", "n_valid"))
    out_expected, is_empty, index_expected, deficit = (
        bench.arrays[f"expected_{name}"] for name in ("out", "is_empty", "index", "deficit")
    )
    n_heads, n_keys = k.shape[:2]
    n_queries = n_valid.shape[1]
    rng = np.random.default_rng(bench.fields["seed"])

    out_name = "o_out" if "o_out" in bench.streams else "o_partial"
    stream = bench.streams[out_name]
    if out_name == "o_out":
        answers = out_beats(stream, out_expected, is_empty)
    else:
        answers = partial_beats(stream, spec, q, k, v, index_expected, deficit, bench.arrays.get("table"))
    out, out_board = bench.sink(out_name, answers, packet="query", counts=True)
    sinks, selected_board = [out], None
    if config.expose_index:
        selected, selected_board = bench.sink(
            "o_selected",
            selected_beats(bench.streams["o_selected"], index_expected, deficit),
            packet="query",
            compare_as=as_set(bench.streams["o_selected"]),
        )
        sinks.append(selected)

    # A head's rows overwrite those of the head before, once all its queries are through.
    order, n_needed = row_schedule(n_valid, n_keys, append=bench.fields["append"], rng=rng)
    head, index = np.repeat(np.arange(n_heads), n_keys), order.ravel()
    bench.quiet_in_reset = bench.streams
    beyond = bench.fields.get("beyond", False)
    row_beats = bench.streams["i_row"].encode(index=index, key=k[head, index], value=v[head, index])
    n_offered = n_needed.ravel()
    named = {name: bench.arrays.get(name, np.zeros_like(n_valid)).ravel() for name in ("first", "base", "table")}
    named = {"n_valid": n_valid.ravel()} | named
    asked = named
    if beyond:
        head, n_offered, row_beats = with_dropped_rows(bench.streams["i_row"], spec, head, n_offered, row_beats, rng)
        asked = beyond_range(bench.streams["i_query"], spec, named, rng)
    rows = bench.source("i_row", row_beats, [Gate(sink, (head * n_queries).tolist()) for sink in sinks])
    n_beat = config.queries_a_beat
    n_offered = n_offered.reshape(-1, n_beat).max(axis=1)
    gates = [Gate(rows, n_offered.tolist())]
    entries: list[int] = []
    if config.table == "loadable":
        entries = table_beats(bench.streams["i_weight"], spec, rng, product=config.product, beyond=beyond)
        gates.append(Gate(bench.source("i_weight", entries), [len(entries)] * len(n_offered)))
    beats = {name: in_groups(x, n_beat) for name, x in ({"query": q.reshape(-1, spec.d_head)} | asked).items()}
    queries = bench.source("i_query", bench.streams["i_query"].encode(**beats), gates)
    if config.mask:
        masks = masks_of_engines(config, n_keys, spec, named, bench.arrays.get("mask"), rng)
        for name, beats in zip([name for name in bench.streams if name.startswith("i_mask")], masks, strict=True):
            bench.source(name, beats)

    await bench.run()

    if bench.fields.get("last_cycle") is None:
        check_errors(bench, spec, config, asked, row_beats, entries)
    bench.coverage["row_beside_query"] = n_rows_beside_queries(rows, queries, out, n_beat)
    got = stream.decode(out_board.payloads)
    value = got["value"] if out_name == "o_out" else divided(spec, got)
    results = {
        "out": _shaped(value, (n_heads, n_queries, spec.d_value)),
        "is_empty": _shaped(got["is_empty"][:: spec.d_value // value.shape[1]].astype(bool), n_valid.shape),
        "cycles": _shaped(cycles(queries, out, n_beat), n_valid.shape),
    }
    if memories := bench.fields.get("memory_streams"):
        monitors = [getattr(bench.dut, monitor(memory["request"])) for memory in memories.values()]
        results["words_read"] = np.array([int(one.n_transfers.value) for one in monitors])
    if selected_board is not None:
        selected_keys = kept_indices(bench.streams["o_selected"], selected_board.payloads, spec.top_k)
        results["index"] = _shaped(selected_keys, (n_heads, n_queries, spec.top_k))
    return results


def divided(spec: AttentionSpec, beats: dict[str, NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return the quotients of beats of `o_partial`."""
    acc = beats["acc"] - (beats["weight_sum"] << (spec.value_bits - 1))[:, None]
    return normalize(spec, acc, beats["weight_sum"])


def as_set(stream: Stream) -> Callable[[list[int]], list[int]]:
    """Return what makes kept keys comparable: selectors put them out in orders of their own.

    The contract's order is by deficit, then index.
    """
    last = 1 << stream.field("last").offset

    deficit, index = (stream.field(name) for name in ("deficit", "index"))
    above_deficit, above_index = ((1 << field.bits) - 1 for field in (deficit, index))

    def rank(beat: int) -> tuple[int, int]:
        return beat >> deficit.offset & above_deficit, beat >> index.offset & above_index

    def canonical(beats: list[int]) -> list[int]:
        return sorted((beat & ~last for beat in beats), key=rank)

    return canonical


def kept_indices(stream: Stream, payloads: list[int], top_k: int) -> NDArray[np.int64]:
    """Return `(n_queries, top_k)` of the received beats of `o_selected`: the contract's order, -1 where fewer."""
    beats = stream.decode(payloads)
    query = np.cumsum(beats["last"]) - beats["last"]
    order = np.lexsort((beats["index"], beats["deficit"], query))
    query, index, is_empty = query[order], beats["index"][order], beats["is_empty"][order]
    place = np.arange(len(query)) - np.searchsorted(query, query)
    fits = (place < top_k) & (is_empty == 0)
    kept = np.full((int(beats["last"].sum()) + 1, top_k), -1, np.int64)
    kept[query[fits], place[fits]] = index[fits]
    return kept[:-1]


def check_errors(
    bench: Bench,
    spec: AttentionSpec,
    config: EngineConfig,
    asked: dict[str, NDArray[np.int64]],
    rows: list[int],
    entries: list[int],
) -> None:
    """Hold the port `error` against what was sent."""
    index = bench.streams["i_row"].decode(rows).get("index", np.zeros(1, np.int64))
    expected = {
        "n_valid": bool(np.any(asked["n_valid"] > spec.n_keys)),
        "row_index": bool(np.any(index >= spec.n_keys)),
    }
    if config.table == "loadable":
        sent = bench.streams["i_weight"].decode(entries)
        is_inside = sent["index"] <= spec.d_head
        if spec.n_tables > 1:
            is_inside &= sent["table"] < spec.n_tables
        weight = sent["weight"][is_inside]
        expected["weight_index"] = not np.all(is_inside)
        expected["weight_table"] = config.product == "shift" and bool(np.any(weight & (weight - 1)))
    if config.range:
        expected["first"] = bool(np.any(asked["first"] > spec.n_keys))
        if spec.n_sinks:
            expected["base"] = bool(np.any(asked["base"] >= spec.n_keys))
    if spec.n_tables > 1:
        expected["table"] = bool(np.any(asked["table"] >= spec.n_tables))
    for name in bench.fields.get("memory_streams") or ():
        memory, kind = getattr(bench.dut, f"{name}_memory"), name.partition("_")[0]  # of a chain, a memory an engine
        for what, count in (("response", memory.n_wrongs), ("unasked", memory.n_strays)):
            expected[f"{kind}_{what}"] = expected.get(f"{kind}_{what}", False) or bool(int(count.value))
    got = bench.error()
    for bit, (name, is_set) in enumerate(expected.items()):
        if got >> bit & 1 != is_set:
            bench.fail(f"error: bit {bit}, {name}, is {got >> bit & 1}, not {int(is_set)}")
    if got >> len(expected):
        bench.fail(f"error: bits of memories are set, {got:b}")


def cycles(queries: Source, out: Sink, n_beat: int) -> NDArray[np.int64]:
    """Return each completed query's cycles, from the completion before it or its first offer to its own completion."""
    completed = np.asarray(out.packet_at, np.int64)
    offered = np.repeat(np.asarray(queries.offered_at, np.int64), n_beat)[: len(completed)]
    before = np.concatenate([[0], completed[:-1]])[: len(completed)]
    return completed - np.maximum(before, offered)


def n_rows_beside_queries(rows: Source, queries: Source, out: Sink, n_beat: int) -> int:
    """Count rows that were written while a query was on its way."""
    offered = np.repeat(np.asarray(queries.offered_at, np.int64), n_beat)[: out.count]
    completed = np.asarray(out.packet_at[: len(offered)], np.int64)
    written = np.asarray(rows.transferred_at, np.int64)
    # Queries complete in order, so those on their way are those offered and not yet completed.
    n_offered = np.searchsorted(offered, written, side="right")
    n_completed = np.searchsorted(completed, written, side="right")
    return int(np.count_nonzero(n_offered > n_completed))


def _shaped(array: NDArray, shape: tuple[int, ...]) -> NDArray:
    """Return `array` in a shape of which it may fill less, or more, if the engine is wrong."""
    filled = np.zeros(int(np.prod(shape)), array.dtype)
    flat = array.ravel()[: filled.size]
    filled[: flat.size] = flat
    return filled.reshape(shape)


@cocotb.test()
async def engine(dut) -> None:
    """Play the cases of this run."""
    await play_cases(dut, play)
