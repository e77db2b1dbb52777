"""What a design is given while its gates are simulated, and what it must answer.

A *stream* here is one of many copies of the design that run side by side, each with keys, values and queries of its
own; the streams of a design's ports are called channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hamming.golden.attention import attend
from hamming.golden.checks import require_choice, require_int
from hamming.golden.fixture import MINILM_LAYERS, load_minilm
from hamming.golden.spec import AttentionSpec
from hamming.golden.values import quantize
from hamming.rtl.design import Design
from hamming.sim.payloads import Stream, read_streams
from hamming.sim.steps import Steps
from hamming.sim.stimulus import Vectors

__all__ = ["VECTORS", "Workload", "engine_workload", "real_vectors", "to_bits"]

Bits = NDArray[np.uint8]

#: Where vectors come from: a real transformer (`golden.fixture`), or uniform ones.
VECTORS = ("real", "random")


@dataclass(frozen=True, kw_only=True, eq=False)
class Workload:
    """Stimulus and answers, for each of `n_streams` copies of a design.

    Attributes
    ----------
    channels
        Streams of the design, from its manifest.
    n_streams
        How many copies.
    inputs
        Payloads for input channels, in order, `(n_streams, n, bits)`; other input channels stay idle. Each is offered
        as soon as the one before is taken.
    beforehand
        The same for input channels of which all is taken before anything is offered at `inputs`: a table's entries.
    expected
        Payloads of output channels, likewise. Outputs are always taken; a channel that is not here is not looked at.
    query
        The input channel of which each transfer is a query, or a group of `queries_a_transfer`.
    constants
        Inputs that stay the same, by port.
    memories
        Contents of macros by name, `(n_streams, depth, width)`; others are 0.
    description
        What the vectors are, in words.
    """

    channels: Mapping[str, Stream]
    n_streams: int
    inputs: Mapping[str, Bits] = field(repr=False)
    beforehand: Mapping[str, Bits] = field(repr=False, default_factory=dict)
    expected: Mapping[str, Bits] = field(repr=False)
    query: str = "i_query"
    queries_a_transfer: int = 1
    constants: Mapping[str, int] = field(default_factory=dict)
    memories: Mapping[str, Bits] = field(repr=False)
    description: str

    @property
    def n_transfers(self) -> int:
        """Transfers of queries of each stream."""
        return self.inputs[self.query].shape[1]

    @property
    def n_queries(self) -> int:
        """Queries of each stream."""
        return self.n_transfers * self.queries_a_transfer


def to_bits(words: list[int], width: int) -> Bits:
    """Return `(n, width)` of integers, lowest bit first."""
    n_bytes = -(-width // 8)
    data = np.frombuffer(b"".join(word.to_bytes(n_bytes, "little") for word in words), np.uint8)
    return np.unpackbits(data.reshape(len(words), n_bytes), axis=1, bitorder="little")[:, :width]


def real_vectors(
    *, d_head: int, d_value: int, n_keys: int, n_queries: int, n_streams: int, value_bits: int
) -> tuple[Bits, Bits, NDArray[np.int64]]:
    """Return queries `(n_streams, n_queries, d_head)`, keys and values of a real transformer (`golden.fixture`).

    Its heads have 32 elements and 128 tokens. Wider ones are made of neighbouring heads, side by side; more keys of the
    tokens of neighbouring heads, one after the other. Streams take heads in turn, and begin at different tokens.
    """
    layers = [load_minilm(layer) for layer in MINILM_LAYERS]
    q, k = (np.concatenate([getattr(layer, name) for layer in layers]) for name in ("q", "k"))
    v = np.concatenate([quantize(layer.v, value_bits).integers for layer in layers])
    width = -(-max(d_head, d_value) // q.shape[2])
    n_heads, n_tokens = len(q) // width, q.shape[1]
    q, k, v = (
        a[: n_heads * width].reshape(n_heads, width, n_tokens, -1).swapaxes(1, 2).reshape(n_heads, n_tokens, -1)
        for a in (q, k, v)
    )
    n_joined = -(-n_keys // n_tokens)
    stream = np.arange(n_streams)
    heads = (stream[:, None] + np.arange(n_joined)) % n_heads
    first = stream // n_heads * 17 % n_tokens
    token = (first[:, None] + np.arange(n_queries)) % n_tokens
    keys = k[heads].reshape(n_streams, -1, k.shape[2])[:, :n_keys, :d_head]
    values = v[heads].reshape(n_streams, -1, v.shape[2])[:, :n_keys, :d_value]
    queries = q[heads[:, :1], token][..., :d_head]
    return queries.astype(np.uint8), keys.astype(np.uint8), values.astype(np.int64)


def engine_workload(
    design: Design,
    manifest: Mapping[str, Any],
    *,
    vectors: str = "real",
    n_queries: int = 8,
    n_streams: int = 64,
    seed: int = 0,
) -> Workload:
    """Return full-rate queries for an engine, over all its keys; of several softmax tables they take each in turn.

    Parameters
    ----------
    design, manifest
        The engine.
    vectors
        One of `VECTORS`.
    n_queries
        Of each stream; groups, where queries share rows of keys.
    n_streams
        A multiple of 64.
    seed
        Of random vectors.
    """
    require_choice("vectors", vectors, VECTORS)
    require_int("n_queries", n_queries, 1)
    require_int("n_streams", n_streams, 1)
    spec, rng = design.spec, np.random.default_rng(seed)
    n_queries *= design.config.n_queries_a_row
    sizes = {"d_head": spec.d_head, "d_value": spec.d_value, "n_keys": spec.n_keys}
    if vectors == "real":
        q, k, v = real_vectors(**sizes, n_queries=n_queries, n_streams=n_streams, value_bits=spec.value_bits)
    else:
        q = rng.integers(0, 2, (n_streams, n_queries, spec.d_head), np.uint8)
        k = rng.integers(0, 2, (n_streams, spec.n_keys, spec.d_head), np.uint8)
        half = 1 << (spec.value_bits - 1)
        v = rng.integers(-half, half, (n_streams, spec.n_keys, spec.d_value), np.int64)
    channels = read_streams(manifest["streams"])
    n_valid = np.full((1, n_queries), spec.n_keys)
    table = np.arange(n_queries) % spec.n_tables if spec.n_tables > 1 else None
    out, query, keys, values = [], [], [], []
    n_beats = design.spec.d_value // design.dimensions.n_dividers
    for stream in range(n_streams):
        one = slice(stream, stream + 1)
        own = Vectors(q=q[one], k=k[one], v=v[one], n_valid=n_valid, table=None if table is None else table[None])
        steps = Steps(design, own, rng)
        result = attend(spec, q[stream], k[stream], v[stream], table=table)
        beats = {
            "value": result.out.reshape(n_queries * n_beats, -1),
            "is_empty": np.repeat(result.is_empty, n_beats),
            "last": np.arange(n_queries * n_beats) % n_beats == n_beats - 1,
        }
        out.append(to_bits(channels["o_out"].encode(**beats), channels["o_out"].bits))
        query.append(to_bits(channels["i_query"].encode(**steps.queries()), channels["i_query"].bits))
        keys.append(to_bits(steps.key_rows(), design.dimensions.n_lanes * spec.d_head))
        values.append(to_bits(steps.value_slices(), design.dimensions.n_macs * spec.value_bits))
    inputs, beforehand = {"i_query": np.stack(query)}, {}
    if design.config.mask:  # of no key
        n_rows = design.dimensions.n_rows
        inputs["i_mask"] = np.zeros((n_streams, query[0].shape[0] * n_rows, channels["i_mask"].bits), np.uint8)
    if design.config.table == "loadable":
        entries = _table_entries(spec, channels["i_weight"])
        beforehand["i_weight"] = np.broadcast_to(entries, (n_streams, *entries.shape))
    value_memories = design.dimensions.value_memories
    banks = np.split(np.stack(values), np.cumsum(list(value_memories.values()))[:-1], axis=1)
    return Workload(
        channels=channels,
        n_streams=n_streams,
        inputs=inputs,
        beforehand=beforehand,
        queries_a_transfer=design.config.n_queries_a_row,
        expected={"o_out": np.stack(out)},
        memories={"key_memory": np.stack(keys)} | dict(zip(value_memories, banks, strict=True)),
        description=f"{vectors} vectors, seed {seed}" if vectors == "random" else "vectors of all-MiniLM-L6-v2",
    )


def _table_entries(spec: AttentionSpec, channel: Stream) -> Bits:
    """Return the payloads that load the spec's tables."""
    table, index = np.divmod(np.arange(spec.n_tables * (spec.d_head + 1)), spec.d_head + 1)
    beats = {"index": index, "weight": np.ravel(spec.tables)} | ({"table": table} if spec.n_tables > 1 else {})
    return to_bits(channel.encode(**beats), channel.bits)
