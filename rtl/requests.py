"""Requests: beats wait for their words from a memory of any latency, many at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from amaranth.hdl import Module, ResetSignal, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl import payload
from hamming.rtl.fifo import Fifo, next_place
from hamming.rtl.memory import DualPortMemory, ReadPort, WritePort

__all__ = ["Requests"]


class Requests(wiring.Component):
    """Asks for a word for each beat, and offers the beat again once its word is here.

    Each word that is asked for has a place kept for it, so that a response is taken whenever it comes. One that no
    request asked for is dropped, and sets an error.

    * **Latency**: 2 cycles, or 1 more than from the request's transfer to the response's, if that is longer.
    * **Throughput**: a beat a cycle, as long as no beat's word takes more than `outstanding - 2` cycles to come.
    * A stall holds what is offered, and its word; meanwhile `outstanding` beats are taken, and all their words.

    Parameters
    ----------
    layout
        Of a beat.
    port
        The memory as its reader sees it: how many words, and how wide.
    outstanding
        Beats inside at most.
    reads
        Whether a beat needs a word. None: each does.

    Members
    -------
    i : In(stream of layout)
    address : In(address bits)
        Of the word for the beat that is offered.
    request : Out(stream of payload.read_request)
    response : In(stream of payload.read_response)
        One for each request, in order, in a later cycle than the request. Always ready.
    o : Out(stream of layout)
        The same beats, each offered when its word is here.
    word : In(ReadPort)
        `en` takes the word of the beat that is offered, and goes with its transfer alone; `data` is the last word that
        was taken, from the next cycle on.
    errors : Out(2)
        Since the last reset: a response said that it is wrong; there was one that no request asked for.
    """

    i: stream.Interface
    address: Signal
    request: stream.Interface
    response: stream.Interface
    o: stream.Interface
    word: wiring.PureInterface
    errors: Signal

    def __init__(
        self,
        layout: Any,
        port: ReadPort,
        *,
        outstanding: int,
        reads: Callable[[Any], Value | int] | None = None,
    ):
        self.layout = layout
        self.port = port
        self.outstanding = outstanding
        self.reads = reads or (lambda beat: 1)
        super().__init__(
            {
                "i": In(stream.Signature(layout)),
                "address": In(port.members["addr"].shape),
                "request": Out(stream.Signature(payload.read_request(port))),
                "response": In(stream.Signature(payload.read_response(port))),
                "o": Out(stream.Signature(layout)),
                "word": In(ReadPort(depth=outstanding, width=port.width)),
                "errors": Out(2),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        depth = self.outstanding
        m.submodules.beats = beats = Fifo(self.layout, depth=depth)
        width = self.port.width
        m.submodules.words = words = DualPortMemory(WritePort(depth=depth, width=width, granularity=width))

        # A beat goes into the queue with the transfer of its request; the queue's places are the words' places.
        needs = Signal()
        waits = Signal()
        asks = Signal()
        m.d.comb += [
            needs.eq(self.reads(self.i.p)),
            self.request.valid.eq(self.i.valid & needs & beats.i.ready & ~ResetSignal()),
            self.request.p.address.eq(self.address),
            waits.eq(needs & ~self.request.ready),
            beats.i.valid.eq(self.i.valid & ~waits),
            beats.i.p.eq(self.i.p),
            self.i.ready.eq(beats.i.ready & ~waits),
            asks.eq(self.request.valid & self.request.ready),
        ]

        n_asked = Signal(range(depth + 1))  # words that are still to come
        n_here = Signal(range(depth + 1))  # words that have come
        comes = Signal()
        stores = Signal()
        takes = Signal()
        m.d.comb += [
            self.response.ready.eq(~ResetSignal()),
            comes.eq(self.response.valid & self.response.ready),
            stores.eq(comes & (n_asked != 0)),
            takes.eq(self.word.en),
        ]
        m.d.sync += [n_asked.eq(n_asked + asks - stores), n_here.eq(n_here + stores - takes)]
        with m.If(stores & self.response.p.error):
            m.d.sync += self.errors[0].eq(1)
        with m.If(comes & ~stores):
            m.d.sync += self.errors[1].eq(1)

        first = Signal(range(depth))
        free = Signal(range(depth))
        with m.If(stores):
            m.d.sync += free.eq(next_place(free, depth))
        with m.If(takes):
            m.d.sync += first.eq(next_place(first, depth))
        m.d.comb += [
            words.write.addr.eq(free),
            words.write.data.eq(self.response.p.data),
            words.write.en.eq(stores),
            words.read.addr.eq(first),
            words.read.en.eq(takes),
            self.word.data.eq(words.read.data),
        ]

        lacks = Signal()
        is_here = Signal()
        m.d.comb += [
            lacks.eq(self.reads(beats.o.p)),
            is_here.eq(~lacks | (n_here != 0)),
            self.o.valid.eq(beats.o.valid & is_here),
            self.o.p.eq(beats.o.p),
            beats.o.ready.eq(self.o.ready & is_here),
        ]
        return m
