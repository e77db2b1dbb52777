"""The engine: wires the components, and computes nothing itself."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import stream, wiring

from hamming.golden.spec import AttentionSpec
from hamming.rtl import payload
from hamming.rtl.agreement import agreement_members
from hamming.rtl.config import EngineConfig
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.division import Division
from hamming.rtl.fetch import KeyFetch
from hamming.rtl.fork import Fork
from hamming.rtl.kept_keys import KeptKeys
from hamming.rtl.key_requests import KeyRequests
from hamming.rtl.loader import RowLoader
from hamming.rtl.locate import Locate
from hamming.rtl.members import engine_members
from hamming.rtl.memory import (
    BankedMemory,
    DualPortMemory,
    key_write_port,
    value_write_port,
)
from hamming.rtl.merge import PartialAdder
from hamming.rtl.normalizer import Normalizer
from hamming.rtl.query_stage import QueryStage
from hamming.rtl.replay import Replay
from hamming.rtl.row_range import RowRange
from hamming.rtl.score import ScoreArray
from hamming.rtl.selector import selector as selector_of
from hamming.rtl.sender import RowSender
from hamming.rtl.share import QueryShare, RowShare
from hamming.rtl.shared_rows import SharedRows
from hamming.rtl.softmax import SoftmaxTable
from hamming.rtl.spare import Spare
from hamming.rtl.stage import Stage
from hamming.rtl.table_queue import TableQueue
from hamming.rtl.totals import Totals
from hamming.rtl.turns import Turns
from hamming.rtl.value_requests import ValueRequests
from hamming.rtl.weighted_sum import WeightedSum

__all__ = ["Engine"]


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
    table_read : In(rtl.softmax.table_read), if the table is loadable and behind AXI
        Reads the softmax table.
    i_query : In(stream of payload.query)
        A query and the number of keys that it sees, `n_keys` if it is above; transferred as its first keys are read.
        With a range also the first of them, and where its sinks begin; transferred before its first keys are read. Of
        several tables also its own. With `n_queries_a_row` above 1 it is a group of as many, each with all of this; a
        group that is not full is filled with queries whose `n_valid` is 0.
    i_mask : In(stream of payload.mask_row), if the configuration has a mask
        For each row of `n_lanes` keys of each query that is read, a 1 for each key to leave out; of a group, for each
        row that is read for any of its queries.
    o_out : Out(stream of payload.out_beat)
        `d_value / n_dividers` beats a query, the queries of a group in their order.
    o_partial : Out(stream of payload.partial), in place of `o_out` if the output is partial
        As many beats.
    o_selected : Out(stream of payload.kept_key), if the configuration exposes the index
        The kept keys, in the selector's order. Must be drained, or the engine waits.
    error : Out(one bit a cause)
        What has been out of range since the last reset (`rtl.errors`).
    key_read, key_write, value_read, value_write : Out(ReadPort, WritePort), if the memory is external
    key_request, key_write, value_request, value_write : Out(streams of payload.read_request, payload.write_...)
    key_response, value_response : In(stream of payload.read_response)
        If the memory is one of requests. A response for each request, in order, in a later cycle. A write is done when
        it is transferred: whatever is asked for from the next cycle on has it.

    start : In(index_bits), if it is an engine of a chain
        The index of the first key that the engine holds; constant. Rows and queries name keys of all engines, and each
        takes its part: all are offered the same ones.
    i_counts, o_counts, i_totals, o_totals : In, Out(streams), if it is an engine of a chain
        By which engines agree on the cut (`rtl.agreement`).
    i_partial, i_selected : In(streams of payload.partial, payload.kept_key), if it is an engine of a chain
        Of the engine before it, of which its own are added, or put behind.

    Raises
    ------
    ValueError
        The configuration does not fit the spec.

    Equals `golden.attention.attend`.
    """

    i_row: stream.Interface
    i_weight: stream.Interface
    table_read: wiring.PureInterface
    i_query: stream.Interface
    i_mask: stream.Interface
    o_out: stream.Interface
    o_selected: stream.Interface
    o_partial: stream.Interface
    start: Signal
    i_partial: stream.Interface
    i_selected: stream.Interface
    error: Signal
    key_request: stream.Interface
    key_response: stream.Interface
    value_request: stream.Interface
    value_response: stream.Interface

    def __init__(self, spec: AttentionSpec, config: EngineConfig):
        if config.n_engines > 1 and not config.chain:
            raise ValueError(
                f"n_engines = {config.n_engines} where one is asked for; leave it out, or add chain = true"
            )
        self.spec = spec
        self.config = config
        self.dims = dims = Dimensions(spec, config)
        super().__init__(engine_members(dims))

    def elaborate(self, platform) -> Module:
        m = Module()
        dims = self.dims.part
        keys, values = self.config.memories
        m.submodules.loader = loader = (RowSender if "request" in (keys, values) else RowLoader)(dims)
        m.submodules.fetch = fetch = KeyFetch(dims)
        if keys != "request":
            m.submodules.turns = turns = Turns(addr_bits=len(fetch.keys.addr))
        score, selector = self._scores(m)
        m.submodules.replay = replay = Replay(dims)
        m.submodules.softmax = softmax = SoftmaxTable(dims)
        m.submodules.weighted_sum = weighted_sum = WeightedSum(dims)
        if not dims.is_partial:
            m.submodules.normalizer = normalizer = Normalizer(dims)

        row_error = self._connect_rows(m, loader)
        locate, query_errors = self._connect_query(m, fetch, softmax)
        if self.config.mask:
            _connect(m, wiring.flipped(self.i_mask), fetch.i_mask)
        if self.config.table == "loadable":
            _connect(m, wiring.flipped(self.i_weight), softmax.i_weight)
            if self.config.bus == "axi":
                wiring.connect(m, wiring.flipped(self.table_read), softmax.read)

        if keys == "request":
            m.submodules.key_requests = key_requests = KeyRequests(dims)
        else:
            m.d.comb += [
                turns.wants_read.eq(1 if dims.has_query_stage else fetch.wants_read),  # sooner said
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
                row_error,
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
        kept = selector
        if selector is not score:
            self._connect_levels(m, score.o, selector)
            if dims.spare_places:
                m.submodules.spare_key = kept = Spare(payload.kept_key(dims), takes_all=dims.has_chains)
                _connect(m, selector.o, kept.i)
        if locate:
            m.submodules.located = located = Stage(payload.kept_key(dims))
            _connect(m, kept.o, locate.i)
            _connect(m, locate.o, located.i)
            kept = located
        self._connect_selected(m, kept, replay)
        if dims.has_table_stage:
            m.submodules.before_tables = stage = Stage(payload.replayed_key(dims), takes_all=dims.has_chains)
            _connect(m, replay.o, stage.i)
            _connect(m, stage.o, softmax.i)
        else:
            _connect(m, replay.o, softmax.i)
        if values == "request":
            _connect(m, softmax.o, value_requests.i)
            _connect(m, value_requests.o, weighted_sum.i)
        else:
            _connect(m, softmax.o, weighted_sum.i)
        if dims.is_partial:
            self._connect_partial(m, selector, weighted_sum)
        else:
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

    def _scores(self, m: Module) -> tuple[Any, Any]:
        """Return what takes requests and keys, and what puts out kept keys: scores and selector, or both in one."""
        dims = self.dims.part
        if dims.n_queries_a_row > 1:
            m.submodules.shared_rows = shared = SharedRows(dims)
            return shared, shared
        m.submodules.score = score = ScoreArray(dims)
        m.submodules.selector = selector = selector_of(self.dims)
        return score, selector

    def _connect_levels(self, m: Module, levels, selector) -> None:
        """Rows of levels go to the selector, past a spare place if there is one."""
        if self.dims.spare_places:
            m.submodules.spare_row = spare = Spare(payload.levels(self.dims), takes_all=self.dims.has_chains)
            _connect(m, levels, spare.i)
            levels = spare.o
        _connect(m, levels, selector.i)

    def _connect_rows(self, m: Module, loader: RowLoader | RowSender) -> Value:
        """Rows go to the loader, of several engines the own ones alone; return the bit of `error`."""
        if self.config.n_engines == 1:
            _connect(m, wiring.flipped(self.i_row), loader.i)
            return loader.error
        m.submodules.row_share = share = RowShare(self.dims)
        _connect(m, wiring.flipped(self.i_row), share.i)
        _connect(m, share.o, loader.i)
        m.d.comb += share.start.eq(self.start)
        return share.error

    def _connect_partial(self, m: Module, selector: Any, weighted_sum: WeightedSum) -> None:
        """Sums are put together, added to those of the engines before, and put out, or divided."""
        m.submodules.totals = totals = Totals(self.dims.part)
        _connect(m, weighted_sum.o, totals.i)
        _connect(m, selector.o_max_level, totals.i_max_level)
        result = totals.o
        if self.config.n_engines > 1:
            for name in agreement_members(self.dims):
                wiring.connect(m, wiring.flipped(getattr(self, name)), getattr(selector, name))
            m.submodules.adder = adder = PartialAdder(self.dims, self.dims.part)
            _connect(m, wiring.flipped(self.i_partial), adder.i_before)
            _connect(m, totals.o, adder.i)
            result = adder.o
        if self.config.output == "partial":
            _connect(m, result, wiring.flipped(self.o_partial))
            return
        m.submodules.division = division = Division(self.dims)
        _connect(m, result, division.i)
        _connect(m, division.o, wiring.flipped(self.o_out))

    def _connect_query(
        self, m: Module, fetch: KeyFetch, softmax: SoftmaxTable
    ) -> tuple[Locate | None, tuple[Value, Value]]:
        """Queries go to the fetch, their tables to the softmax, and which rows they read to where keys are located.

        Returned are the last, if there is such a thing, and the bits of `error` for `n_valid` and for all else.
        """
        dims = self.dims.part
        query, others = wiring.flipped(self.i_query), Cat()
        if self.config.n_engines > 1:
            m.submodules.query_share = share = QueryShare(self.dims)
            _connect(m, query, share.i)
            m.d.comb += share.start.eq(self.start)
            query = share.o
        if self.spec.n_tables > 1:
            m.submodules.table_queue = tables = TableQueue(dims)
            _connect(m, query, tables.i)
            _connect(m, tables.o_table, softmax.i_table)
            query, others = tables.o, tables.error
        if not self.dims.has_row_range:
            if dims.has_query_stage:
                m.submodules.query_stage = stage = QueryStage(dims)
                _connect(m, query, stage.i)
                query = stage.o
            _connect(m, query, fetch.i)
            above = stage.error if dims.has_query_stage else fetch.error
            return None, (above if self.config.n_engines == 1 else share.errors, others)
        m.submodules.row_range = row_range = RowRange(dims)
        if not self.config.range:
            _connect(m, query, row_range.i)
            _connect(m, row_range.o, fetch.i)
            return None, (row_range.errors, others)
        m.submodules.locate = locate = Locate(dims)
        m.submodules.range_fork = fork = Fork()
        _connect(m, query, row_range.i)
        ranged, place = row_range.o, locate.i_place
        m.d.comb += [fork.i_valid.eq(ranged.valid), ranged.ready.eq(fork.i_ready), fetch.i.p.eq(ranged.p)]
        m.d.comb += place.p.begin_row.eq(ranged.p.begin_row)
        if self.spec.n_sinks:
            m.d.comb += [
                place.p.first_row.eq(ranged.p.first >> dims.lane_bits),
                place.p.n_before.eq(ranged.p.n_before),
                place.p.jumps.eq(ranged.p.jumps),
            ]
        _connect_fork(m, fork, fetch.i, place)
        bits = row_range.errors if self.config.n_engines == 1 else share.errors
        return locate, (bits[0], Cat(bits[1:], others))

    def _memories(self, m: Module) -> dict[str, tuple[Any, Any]]:
        """Return the read port and the write port of each memory that has them, inside or outside."""
        dims, found = self.dims.part, {}
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
        replayed = replay.i
        if self.dims.has_chains:
            shape = payload.kept_key(self.dims.part)
            m.submodules.kept_stage = stage = Stage(shape, takes_all=True)
            m.submodules.spare_kept = spare = Spare(shape, takes_all=True)
            _connect(m, stage.o, spare.i)
            _connect(m, spare.o, replay.i)
            replayed = stage.i
        if not self.config.expose_index:
            _connect(m, selector.o, replayed)
            return
        selected = self.o_selected
        if self.config.n_engines > 1:
            m.submodules.kept_keys = kept_keys = KeptKeys(self.dims)
            _connect(m, wiring.flipped(self.i_selected), kept_keys.i_before)
            _connect(m, kept_keys.o, wiring.flipped(self.o_selected))
            m.d.comb += kept_keys.start.eq(self.start)
            selected = kept_keys.i
        m.d.comb += [replayed.p.eq(selector.o.p), selected.p.eq(selector.o.p)]
        m.submodules.fork = fork = Fork()
        m.d.comb += [
            fork.i_valid.eq(selector.o.valid),
            selector.o.ready.eq(fork.i_ready),
        ]
        _connect_fork(m, fork, replayed, selected)


def _connect_fork(m: Module, fork: Fork, *branches) -> None:
    """Connect the handshakes of a fork's branches."""
    for n, branch in enumerate(branches):
        m.d.comb += [branch.valid.eq(fork.o_valid[n]), fork.o_ready[n].eq(branch.ready)]


def _connect(m: Module, source, sink) -> None:
    """Connect two streams of the same signature (`wiring.connect` itself compares widths alone)."""
    if source.signature != sink.signature.flip():
        raise TypeError(f"cannot connect {source.signature!r} to {sink.signature!r}")
    wiring.connect(m, source, sink)
