"""Queries that share rows of keys: each has its own scores and selector, and their kept keys come out in turn."""

from __future__ import annotations

from amaranth.hdl import Array, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl import payload
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.fifo import next_place
from hamming.rtl.fork import Fork
from hamming.rtl.score import ScoreArray
from hamming.rtl.selector import selector as selector_of
from hamming.rtl.short_queue import queue_of
from hamming.rtl.spare import Spare

__all__ = ["SharedRows"]


class SharedRows(wiring.Component):
    """Scores a row of keys against `n_queries_a_row` queries, and selects for each of them.

    `n_queries_a_row` times what stands in an engine whose rows are read for one query: `ScoreArray`, selector, and
    spare places if the configuration has them. Each takes a row when it is ready, and the row is done when all have.
    Kept keys come out query by query, in the order of the group. An insertion selector lets keys go in only while the
    last query's leave: those that wait for their turn leave it at once, into a queue of `top_k`.

    * **Latency**: as of `ScoreArray` and the selector; a query's keys wait for those of the queries before it. A
      queue takes a cycle, one in a memory two.
    * **Throughput**: a row a cycle; a kept key a cycle.
    * A stall at the output holds rows once the selectors hold what they can; what went in comes out, whatever follows.

    Parameters
    ----------
    dims
        Sizes of the engine.

    Members
    -------
    i : In(stream of payload.row_request)
        Queries, and the lanes that take part for each.
    keys : In(n_lanes * d_head)
        Row of keys that the requests are about, lane 0 lowest; valid with them.
    o : Out(stream of payload.kept_key)
    """

    i: stream.Interface
    o: stream.Interface
    keys: Signal

    def __init__(self, dims: Dimensions):
        self.dims = dims
        super().__init__(
            {
                "i": In(stream.Signature(payload.row_request(dims))),
                "keys": In(dims.n_lanes * dims.spec.d_head),
                "o": Out(stream.Signature(payload.kept_key(dims))),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        dims = self.dims
        n_queries = dims.n_queries_a_row
        m.submodules.fork = fork = Fork(n_queries)
        m.d.comb += [fork.i_valid.eq(self.i.valid), self.i.ready.eq(fork.i_ready)]

        kept = []
        queries, lanes = (payload.of_each(dims, field) for field in (self.i.p.query, self.i.p.takes_part))
        for n in range(n_queries):
            m.submodules[f"score_{n}"] = score = ScoreArray(dims)
            m.submodules[f"selector_{n}"] = selector = selector_of(dims)
            m.d.comb += [
                score.i.valid.eq(fork.o_valid[n]),
                fork.o_ready[n].eq(score.i.ready),
                score.i.p.query.eq(queries[n]),
                score.i.p.takes_part.eq(lanes[n]),
                score.i.p.last.eq(self.i.p.last),
                score.keys.eq(self.keys),
            ]
            levels = score.o
            if dims.spare_places:
                m.submodules[f"spare_row_{n}"] = spare = Spare(payload.levels(dims), takes_all=dims.has_chains)
                wiring.connect(m, levels, spare.i)
                levels = spare.o
            wiring.connect(m, levels, selector.i)
            kept.append(selector.o)
        for n, one in enumerate(kept):
            if dims.waiting_keys and n > 0:
                m.submodules[f"waiting_{n}"] = waits = queue_of(payload.kept_key(dims), depth=dims.waiting_keys)
            elif dims.spare_places:
                m.submodules[f"spare_key_{n}"] = waits = Spare(payload.kept_key(dims), takes_all=dims.has_chains)
            else:
                continue
            wiring.connect(m, one, waits.i)
            kept[n] = waits.o

        turn = Signal(range(n_queries))
        m.d.comb += [
            self.o.valid.eq(Array(one.valid for one in kept)[turn]),
            self.o.p.eq(Array(one.p.as_value() for one in kept)[turn]),
        ]
        for n, one in enumerate(kept):
            m.d.comb += one.ready.eq(self.o.ready & (turn == n))
        with m.If(self.o.valid & self.o.ready & self.o.p.last):
            m.d.sync += turn.eq(next_place(turn, n_queries))
        return m
