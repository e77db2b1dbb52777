"""A queue of a few words, in registers, and which queue is made of how many."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, ResetSignal, Shape, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hamming.rtl.fifo import Fifo, count, next_place

__all__ = ["MOST_IN_REGISTERS", "ShortQueue", "queue_of"]

#: Words of a queue in registers, at most; a memory is smaller beyond.
MOST_IN_REGISTERS = 32


def queue_of(shape: Any, *, depth: int) -> ShortQueue | Fifo:
    """Return the queue for `depth` words: one in registers, or, beyond `MOST_IN_REGISTERS`, one in a memory."""
    return (ShortQueue if depth <= MOST_IN_REGISTERS else Fifo)(shape, depth=depth)


class ShortQueue(wiring.Component):
    """Holds up to `depth` words in registers, and gives them in the order in which they came.

    `valid` and `ready` are registers' alone: neither end feels the other in the same cycle.

    * **Latency**: 1 cycle.
    * **Throughput**: a word a cycle, unless it is full.
    * Nothing is transferred in reset.

    Parameters
    ----------
    shape
        Of a word.
    depth
        Words that it holds, 2 or more.

    Members
    -------
    i, o : In, Out(stream of shape)
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, shape, *, depth: int):
        self.shape = shape
        self.depth = depth
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.words = words = Memory(shape=Shape.cast(self.shape).width, depth=self.depth, init=[])
        write = words.write_port()
        read = words.read_port(domain="comb")
        n_words = Signal(range(self.depth + 1))
        taken = Signal()
        given = Signal()
        m.d.comb += [
            self.i.ready.eq((n_words != self.depth) & ~ResetSignal()),
            self.o.valid.eq((n_words != 0) & ~ResetSignal()),
            taken.eq(self.i.valid & self.i.ready),
            given.eq(self.o.valid & self.o.ready),
            write.data.eq(self.i.payload),
            write.en.eq(taken),
            self.o.payload.eq(read.data),
        ]
        count(m, n_words, taken, given)
        for port, moves in ((write, taken), (read, given)):
            with m.If(moves):
                m.d.sync += port.addr.eq(next_place(port.addr, self.depth))
        return m
