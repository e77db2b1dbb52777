"""The engine: wires the components, and computes nothing itself."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from hamming.golden.spec import AttentionSpec
from hamming.rtl import payload
from hamming.rtl.config import Dimensions, EngineConfig
from hamming.rtl.fetch import KeyFetch
from hamming.rtl.fork import Fork
from hamming.rtl.key_requests import KeyRequests
from hamming.rtl.loader import RowLoader
from hamming.rtl.locate import Locate
from hamming.rtl.memory import (
    BankedMemory,
    DualPortMemory,
    ReadPort,
    WritePort,
    key_read_port,
    key_write_port,
    value_read_port,
    value_write_port,
)
from hamming.rtl.normalizer import Normalizer
from hamming.rtl.replay import Replay
from hamming.rtl.row_range import RowRange
from hamming.rtl.score import ScoreArray
from hamming.rtl.selector import selector as selector_of
from hamming.rtl.sender import RowSender
from hamming.rtl.softmax import SoftmaxTable
from hamming.rtl.spare import Spare
from hamming.rtl.table_queue import TableQueue
from hamming.rtl.turns import Turns
from hamming.rtl.value_requests import ValueRequests
from hamming.rtl.weighted_sum import WeightedSum

__all__ = ["Engine", "errors"]


def errors(dims: Dimensions) -> dict[str, str]:
    """Return the causes that the bits of an engine's `error` stand for, lowest bit first, and what each means."""
    spec = dims.spec
    causes = {
        "n_valid": f"a query had an n_valid above n_keys = {spec.n_keys}; it was taken as n_keys",
        "row_index": f"a row had an index of n_keys = {spec.n_keys} or more; it was dropped",
    }
    if dims.config.table == "loadable":
        causes["weight_index"] = f"a table entry had an index above d_head = {spec.d_head}; it was dropped"
        causes["weight_table"] = "a query met a table that rises, or whose first entry is 0; it was used as it is"
        if dims.config.product == "shift":
            causes["weight_table"] += "; or an entry was no power of two, and was stored as the one below it"
        if spec.n_tables > 1:
            causes["weight_index"] = (
                f"a table entry had an index above d_head = {spec.d_head}, or a table of n_tables = {spec.n_tables} or "
                "more; it was dropped"
            )
    if dims.config.range:
        causes["first"] = f"a query had a first above n_keys = {spec.n_keys}; it was taken as n_keys"
        if spec.n_sinks:
            causes["base"] = f"a query had a base of n_keys = {spec.n_keys} or more; it had no sinks"
    if spec.n_tables > 1:
        causes["table"] = f"a query had a table of n_tables = {spec.n_tables} or more; the last one was used"
    for kind, memory in zip(("key", "value"), dims.config.memories, strict=True):
        if memory == "request":
            causes[f"{kind}_response"] = f"a response of the {kind} memory had its error bit set; its data were used"
            causes[f"{kind}_unasked"] = f"a response of the {kind} memory came that nobody asked for; it was dropped"
    return causes


class Engine(wiring.Component):
    """Binary top-k attention: queries in, exactly rounded outputs out, keys and values in memories.

    * **Throughput**: back to back, a query costs the largest of `Dimensions.cycle_terms`, on average.
    * A stall anywhere holds what is before it; nothing is lost and no bit changes.
    * Whatever the inputs are, every query that is transferred is answered, and only what was not as it should be is
      answered otherwise than it should be. What is out of range has a meaning, and sets a bit of `error`.
    * While `rst` is 1 nothing is transferred and nothing is written.

    Parameters
    ----------
    spec
        What is computed, to the last bit.
    config
        How.

    Members
    -------
    i_row : In(stream of payload.key_row)
        A key and its value vector. From its transfer on, every query that is offered sees it. A row that a query in
        flight sees must not be written, or this query's answer may be any; appending always may. A row at `n_keys` or
        above is dropped.
    i_weight : In(stream of payload.weight_entry), if the table is loadable
        The softmax table, complete before the first query. An entry above `d_head` is dropped.
    i_query : In(stream of payload.query)
        A query and the number of keys that it sees, `n_keys` if it is above; transferred as its first keys are read.
        With a range also the first of them, and where its sinks begin; transferred before its first keys are read. Of
        several tables also its own.
    i_mask : In(stream of n_lanes bits), if the configuration has a mask
        For each row of `n_lanes` keys of each query that is read, a 1 for each key to leave out.
    o_out : Out(stream of payload.out_beat)
        `d_value / n_dividers` beats a query.
    o_selected : Out(stream of payload.kept_key), if the configuration exposes the index
        The kept keys, in the selector's order. Must be drained, or the engine waits.
    error : Out(one bit a cause)
        What has been out of range since the last reset (`errors`).
    key_read, key_write, value_read, value_write : Out(ReadPort, WritePort), if the memory is external
    key_request, key_write, value_request, value_write : Out(streams of payload.read_request, payload.write_...)
    key_response, value_response : In(stream of payload.read_response)
        If the memory is one of requests. A response for each request, in order, in a later cycle. A write is done when
        it is transferred: whatever is asked for from the next cycle on has it.

    Raises
    ------
    ValueError
        The configuration does not fit the spec.

    Equals `golden.attention.attend`.
    """

    i_row: stream.Interface
    i_weight: stream.Interface
    i_query: stream.Interface
    i_mask: stream.Interface
    o_out: stream.Interface
    o_selected: stream.Interface
    error: Signal
    key_request: stream.Interface
    key_response: stream.Interface
    value_request: stream.Interface
    value_response: stream.Interface

    def __init__(self, spec: AttentionSpec, config: EngineConfig):
        self.spec = spec
        self.config = config
        self.dims = dims = config.dimensions(spec)

        members = {"i_row": In(stream.Signature(payload.key_row(dims)))}
        if config.table == "loadable":
            members["i_weight"] = In(stream.Signature(payload.weight_entry(dims)))
        members["i_query"] = In(stream.Signature(payload.query(dims)))
        if config.mask:
            members["i_mask"] = In(stream.Signature(dims.n_lanes))
        members["o_out"] = Out(stream.Signature(payload.out_beat(dims)))
        if config.expose_index:
            members["o_selected"] = Out(stream.Signature(payload.kept_key(dims)))
        members["error"] = Out(len(errors(dims)))
        keys, values = config.memories
        if keys != "internal":
            members |= _memory_members("key", keys, key_read_port(dims), key_write_port(dims), payload.write_key(dims))
        if values != "internal":
            write = payload.write_values(dims)
            members |= _memory_members("value", values, value_read_port(dims), value_write_port(dims), write)
        super().__init__(members)

    def elaborate(self, platform) -> Module:
        m = Module()
        dims = self.dims
        keys, values = self.config.memories
        m.submodules.loader = loader = (RowSender if "request" in (keys, values) else RowLoader)(dims)
        m.submodules.fetch = fetch = KeyFetch(dims)
        if keys != "request":
            m.submodules.turns = turns = Turns(addr_bits=len(fetch.keys.addr))
        m.submodules.score = score = ScoreArray(dims)
        m.submodules.selector = selector = selector_of(dims)
        m.submodules.replay = replay = Replay(dims)
        m.submodules.softmax = softmax = SoftmaxTable(dims)
        m.submodules.weighted_sum = weighted_sum = WeightedSum(dims)
        m.submodules.normalizer = normalizer = Normalizer(dims)

        _connect(m, wiring.flipped(self.i_row), loader.i)
        locate, query_errors = self._connect_query(m, fetch, softmax)
        if self.config.mask:
            _connect(m, wiring.flipped(self.i_mask), fetch.i_mask)
        if self.config.table == "loadable":
            _connect(m, wiring.flipped(self.i_weight), softmax.i_weight)

        if keys == "request":
            m.submodules.key_requests = key_requests = KeyRequests(dims)
        else:
            m.d.comb += [
                turns.wants_read.eq(fetch.wants_read),
                turns.read_addr.eq(fetch.keys.addr),
                fetch.may_read.eq(turns.may_read),
                turns.wants_write.eq(loader.wants_write),
                turns.write_addr.eq(loader.keys.addr),
                loader.may_write.eq(turns.may_write),
            ]
        if values == "request":
            m.submodules.value_requests = value_requests = ValueRequests(dims)
        m.d.comb += self.error.eq(
            Cat(
                query_errors[0],
                loader.error,
                softmax.errors if self.config.table == "loadable" else (),
                query_errors[1],
                key_requests.errors if keys == "request" else (),
                value_requests.errors if values == "request" else (),
            )
        )

        if keys == "request":
            _connect(m, fetch.o, key_requests.i)
            _connect(m, key_requests.o, score.i)
            m.d.comb += score.keys.eq(key_requests.keys)
        else:
            _connect(m, fetch.o, score.i)
            m.d.comb += score.keys.eq(fetch.keys.data)
        if dims.spare_row:
            m.submodules.spare_row = spare = Spare(payload.levels(dims))
            _connect(m, score.o, spare.i)
            _connect(m, spare.o, selector.i)
        else:
            _connect(m, score.o, selector.i)
        if locate:
            _connect(m, selector.o, locate.i)
        self._connect_selected(m, locate or selector, replay)
        _connect(m, replay.o, softmax.i)
        if values == "request":
            _connect(m, softmax.o, value_requests.i)
            _connect(m, value_requests.o, weighted_sum.i)
        else:
            _connect(m, softmax.o, weighted_sum.i)
        _connect(m, weighted_sum.o, normalizer.i)
        _connect(m, normalizer.o, wiring.flipped(self.o_out))

        memories = self._memories(m)
        if keys == "request":
            wiring.connect(m, fetch.keys, key_requests.read)
            self._connect_requests(m, "key", key_requests, loader.key_write)
        else:
            wiring.connect(m, fetch.keys, memories["key"][0])
            wiring.connect(m, loader.keys, memories["key"][1])
        if values == "request":
            wiring.connect(m, weighted_sum.values, value_requests.values)
            self._connect_requests(m, "value", value_requests, loader.value_write)
        else:
            wiring.connect(m, weighted_sum.values, memories["value"][0])
            wiring.connect(m, loader.values, memories["value"][1])
        return m

    def _connect_query(
        self, m: Module, fetch: KeyFetch, softmax: SoftmaxTable
    ) -> tuple[Locate | None, tuple[Value, Value]]:
        """Queries go to the fetch, their tables to the softmax, and which rows they read to where keys are located.

        Returned are the last, if there is such a thing, and the bits of `error` for `n_valid` and for all else.
        """
        query, others = wiring.flipped(self.i_query), Cat()
        if self.spec.n_tables > 1:
            m.submodules.table_queue = tables = TableQueue(self.dims)
            _connect(m, query, tables.i)
            _connect(m, tables.o_table, softmax.i_table)
            query, others = tables.o, tables.error
        if not self.config.range:
            _connect(m, query, fetch.i)
            return None, (fetch.error, others)
        m.submodules.row_range = row_range = RowRange(self.dims)
        m.submodules.locate = locate = Locate(self.dims)
        m.submodules.range_fork = fork = Fork()
        _connect(m, query, row_range.i)
        ranged, place = row_range.o, locate.i_place
        m.d.comb += [fork.i_valid.eq(ranged.valid), ranged.ready.eq(fork.i_ready), fetch.i.p.eq(ranged.p)]
        m.d.comb += place.p.begin_row.eq(ranged.p.begin_row)
        if self.spec.n_sinks:
            m.d.comb += [
                place.p.first_row.eq(ranged.p.first >> self.dims.lane_bits),
                place.p.n_before.eq(ranged.p.n_before),
                place.p.jumps.eq(ranged.p.jumps),
            ]
        _connect_fork(m, fork, fetch.i, place)
        return locate, (row_range.errors[0], Cat(row_range.errors[1:], others))

    def _memories(self, m: Module) -> dict[str, tuple[Any, Any]]:
        """Return the read port and the write port of each memory that has them, inside or outside."""
        dims, found = self.dims, {}
        for kind, memory in zip(("key", "value"), self.config.memories, strict=True):
            if memory == "external":
                found[kind] = tuple(wiring.flipped(getattr(self, f"{kind}_{way}")) for way in ("read", "write"))
            elif memory == "internal":
                port = key_write_port(dims) if kind == "key" else value_write_port(dims)
                is_banked = kind == "value" and len(dims.value_bank_depths) > 1
                inside = BankedMemory(port, dims.value_bank_depths) if is_banked else DualPortMemory(port)
                m.submodules[f"{kind}_memory"] = inside
                found[kind] = (inside.read, inside.write)
        return found

    def _connect_requests(self, m: Module, kind: str, requests: KeyRequests | ValueRequests, write: Any) -> None:
        """Connect the streams of a memory of any latency."""
        _connect(m, requests.request, wiring.flipped(getattr(self, f"{kind}_request")))
        _connect(m, wiring.flipped(getattr(self, f"{kind}_response")), requests.response)
        _connect(m, write, wiring.flipped(getattr(self, f"{kind}_write")))

    def _connect_selected(self, m: Module, selector, replay: Replay) -> None:
        """Kept keys go to the replay and, if exposed, out: a transfer to one waits for the other."""
        if not self.config.expose_index:
            _connect(m, selector.o, replay.i)
            return
        m.d.comb += [replay.i.p.eq(selector.o.p), self.o_selected.p.eq(selector.o.p)]
        m.submodules.fork = fork = Fork()
        m.d.comb += [
            fork.i_valid.eq(selector.o.valid),
            selector.o.ready.eq(fork.i_ready),
        ]
        _connect_fork(m, fork, replay.i, self.o_selected)


def _connect_fork(m: Module, fork: Fork, *branches) -> None:
    """Connect the handshakes of a fork's branches."""
    for n, branch in enumerate(branches):
        m.d.comb += [branch.valid.eq(fork.o_valid[n]), fork.o_ready[n].eq(branch.ready)]


def _memory_members(kind: str, memory: str, read: ReadPort, write: WritePort, request: StructLayout) -> dict[str, Any]:
    """Return the members by which a memory is reached that is not inside."""
    if memory == "external":
        return {f"{kind}_read": Out(read), f"{kind}_write": Out(write)}
    return {
        f"{kind}_request": Out(stream.Signature(payload.read_request(read))),
        f"{kind}_response": In(stream.Signature(payload.read_response(read))),
        f"{kind}_write": Out(stream.Signature(request)),
    }


def _connect(m: Module, source, sink) -> None:
    """Connect two streams of the same signature (`wiring.connect` itself compares widths alone)."""
    if source.signature != sink.signature.flip():
        raise TypeError(f"cannot connect {source.signature!r} to {sink.signature!r}")
    wiring.connect(m, source, sink)
