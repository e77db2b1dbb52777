"""Kept keys of several engines as one stream: those of the engines before, then the engine's own."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, ResetSignal, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl import payload
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.fifo import Fifo
from hamming.rtl.short_queue import ShortQueue

__all__ = ["KeptKeys", "waiting_keys"]


def waiting_keys(dims: Dimensions) -> int:
    """Return how many keys of an engine can wait for those before them: those of two queries, and an empty one each."""
    return 2 * dims.spec.top_k + 2


class KeptKeys(wiring.Component):
    """Puts an engine's kept keys behind those of the engines before it, query by query.

    A query of which neither keeps a key is one beat with `is_empty`. The engine's own keys of two queries wait here, so
    that its scan goes on meanwhile.

    * **Latency**: 3 cycles from the engine's own key, 1 from another's.
    * **Throughput**: a key a cycle.
    * No neighbour feels a stall in the same cycle (`ShortQueue`). Nothing is transferred in reset.

    Parameters
    ----------
    dims
        Sizes of all engines together.

    Members
    -------
    start : In(index_bits)
        The index of the first key that the engine holds; the same in all cycles.
    i_before : In(stream of payload.kept_key)
        Of the engines before; of none, an empty query in every cycle.
    i : In(stream of payload.kept_key of one engine)
        The engine's own.
    o : Out(stream of payload.kept_key)
    """

    start: Signal
    i_before: stream.Interface
    i: stream.Interface
    o: stream.Interface

    def __init__(self, dims: Dimensions):
        self.dims = dims
        super().__init__(
            {
                "start": In(dims.spec.index_bits),
                "i_before": In(stream.Signature(payload.kept_key(dims))),
                "i": In(stream.Signature(payload.kept_key(dims.part))),
                "o": Out(stream.Signature(payload.kept_key(dims))),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        layout = payload.kept_key(self.dims.part)
        m.submodules.waiting = waiting = Fifo(layout.size, depth=waiting_keys(self.dims.part))
        m.d.comb += [
            waiting.i.valid.eq(self.i.valid),
            waiting.i.payload.eq(self.i.payload),
            self.i.ready.eq(waiting.i.ready),
        ]
        given = payload.kept_key(self.dims)
        m.submodules.keys = keys = ShortQueue(given, depth=2)
        wiring.connect(m, keys.o, wiring.flipped(self.o))
        before, own, key = self.i_before, layout(waiting.o.payload), given(keys.i.payload)
        is_own = Signal()  # the engine's keys' turn
        skips = Signal()
        both = before.valid & waiting.o.valid & ~is_own
        m.d.comb += [
            skips.eq(both & before.p.is_empty & ~own.is_empty & ~ResetSignal()),
            keys.i.valid.eq(Mux(is_own, waiting.o.valid, both & ~skips)),
            before.ready.eq(waiting.o.valid & ~is_own & (skips | keys.i.ready)),
            waiting.o.ready.eq(keys.i.ready & (is_own | (before.valid & before.p.last & own.is_empty))),
        ]
        with m.If(is_own):
            m.d.comb += [
                key.index.eq(own.index + self.start),
                key.deficit.eq(own.deficit),
                key.last.eq(own.last),
            ]
        with m.Else():
            m.d.comb += [key.eq(before.p), key.last.eq(before.p.last & own.is_empty)]
        with m.If(before.valid & before.ready & before.p.last):
            m.d.sync += is_own.eq(~own.is_empty)
        with m.If(is_own & waiting.o.valid & waiting.o.ready & own.last):
            m.d.sync += is_own.eq(0)
        return m
