"""Scoring: one query against a row of keys each cycle."""

from __future__ import annotations

from itertools import pairwise

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl import payload
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.popcount import count_ones

__all__ = ["ScoreArray"]


class ScoreArray(wiring.Component):
    """Levels of `n_lanes` keys a cycle: `matches + 1` of a key that takes part, 0 of one that does not.

    `matches = popcount(~(q ^ k))`, by XNOR and a carry-save tree that is bit-sliced across the lanes. The 1 enters the
    tree as a further word of ones. A level is what the selector compares: keys that are masked out, or at or
    above `n_valid`, rank below every other by the same comparison.

    * **Latency**: `score_stages` cycles. The registers cut the tree into equal parts, or all but the last do, and that
      one holds levels (`Dimensions.registers_levels`).
    * **Throughput**: one row a cycle.
    * A stall holds all stages; before the first result there is nothing to stall, but where `moves_at_once`.

    Parameters
    ----------
    dims
        Sizes of the engine.

    Members
    -------
    i : In(stream of payload.score_request)
        Query, and the lanes that take part.
    keys : In(n_lanes * d_head)
        Row of keys that the request is about, lane 0 lowest; valid with the request.
    o : Out(stream of payload.levels)

    Equals `golden.score.matches`, plus 1.
    """

    i: stream.Interface
    o: stream.Interface
    keys: Signal

    def __init__(self, dims: Dimensions):
        self.dims = dims
        super().__init__(
            {
                "i": In(stream.Signature(payload.score_request(dims))),
                "keys": In(dims.n_lanes * dims.spec.d_head),
                "o": Out(stream.Signature(payload.levels(dims))),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from a request's transfer to its levels being offered."""
        return self.dims.config.score_stages

    def elaborate(self, platform) -> Module:
        m = Module()
        n_lanes, d_head = self.dims.n_lanes, self.dims.spec.d_head

        # All stages move together: when the last one is empty or taken; on an FPGA when it could be.
        n_stages = self.dims.config.score_stages
        valid = [self.i.valid, *(Signal(name=f"valid_{s}") for s in range(1, n_stages + 1))]
        takes_part = [
            self.i.p.takes_part,
            *(Signal(n_lanes, name=f"takes_part_{s}", reset_less=True) for s in range(1, n_stages + 1)),
        ]
        last = [self.i.p.last, *(Signal(name=f"last_{s}", reset_less=True) for s in range(1, n_stages + 1))]
        moves = Signal()
        m.d.comb += [
            moves.eq((~valid[-1] | self.o.ready) if n_stages and not self.dims.moves_at_once else self.o.ready),
            self.i.ready.eq(moves),
            self.o.valid.eq(valid[-1]),
            self.o.p.last.eq(last[-1]),
        ]
        with m.If(moves):
            for registers in (valid, takes_part, last):
                m.d.sync += [after.eq(before) for before, after in pairwise(registers)]

        # Word b holds element b of every lane.
        inverted_query = Signal(d_head)
        m.d.comb += inverted_query.eq(~self.i.p.query)
        same = [Signal(n_lanes, name=f"same_{b}") for b in range(d_head)]
        keys = [Signal(d_head, name=f"key_{lane}") for lane in range(n_lanes)]
        for lane, key in enumerate(keys):
            m.d.comb += key.eq(self.keys[lane * d_head : (lane + 1) * d_head])
        for b, word in enumerate(same):
            lanes = Cat(key[b] for key in keys)
            m.d.comb += word.eq(lanes ^ inverted_query[b].replicate(n_lanes))
        ones = Const(2**n_lanes - 1, n_lanes)
        level = count_ones(m, [*same, ones], n_lanes, enables=[moves] * self.dims.tree_stages, name="level")
        if self.dims.registers_levels:
            counts, level = level, [Signal(n_lanes, name=f"held_{b}", reset_less=True) for b in range(len(level))]
            with m.If(moves):
                m.d.sync += [held.eq(count) for held, count in zip(level, counts, strict=True)]

        words = [Signal(n_lanes, name=f"level_{b}") for b in range(self.dims.level_bits)]
        for word, count in zip(words, level, strict=True):
            m.d.comb += word.eq(count & takes_part[-1])
        for lane in range(n_lanes):
            m.d.comb += self.o.p.level[lane].eq(Cat(word[lane] for word in words))
        return m
