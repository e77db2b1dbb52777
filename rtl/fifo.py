"""A queue in a memory."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Shape, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl.memory import DualPortMemory, WritePort

__all__ = ["Fifo", "count", "next_place"]


def next_place(place: Signal, depth: int) -> Value:
    """Return the place after `place` of `depth`, which begin again after the last."""
    return Mux(place == depth - 1, 0, place + 1)


def count(m: Module, number: Signal, more: Value, fewer: Value) -> None:
    """Let a register count up and down; `more` and `fewer`, which come late, only choose."""
    with m.If(more & ~fewer):
        m.d.sync += number.eq(number + 1)
    with m.Elif(fewer & ~more):
        m.d.sync += number.eq(number - 1)


class Fifo(wiring.Component):
    """Hands on what comes in, in order, `depth` payloads inside at most.

    No word of its memory is read and written in one cycle.

    * **Latency**: 2 cycles.
    * **Throughput**: a payload a cycle.
    * A stall holds what is offered; `depth` payloads are taken meanwhile.

    Parameters
    ----------
    shape
        Of a payload.
    depth
        Payloads, 2 or more.

    Members
    -------
    i : In(stream of shape)
    o : Out(stream of shape)
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, shape: Any, *, depth: int):
        self.shape = shape
        self.depth = depth
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform) -> Module:
        m = Module()
        width = Shape.cast(self.shape).width
        m.submodules.words = words = DualPortMemory(WritePort(depth=self.depth, width=width, granularity=width))
        first = Signal(range(self.depth))
        free = Signal(range(self.depth))
        n_stored = Signal(range(self.depth + 1))  # in the memory, but for the one that is offered
        n_inside = Signal(range(self.depth + 1))
        takes, gives, reads, moves = (Signal(name=name) for name in ("takes", "gives", "reads", "moves"))
        m.d.comb += [
            self.i.ready.eq(n_inside != self.depth),
            takes.eq(self.i.valid & self.i.ready),
            gives.eq(self.o.valid & self.o.ready),
            moves.eq(~self.o.valid | self.o.ready),
            reads.eq(moves & (n_stored != 0)),
            words.write.addr.eq(free),
            words.write.data.eq(self.i.payload),
            words.write.en.eq(takes),
            words.read.addr.eq(first),
            words.read.en.eq(reads),
            Value.cast(self.o.payload).eq(words.read.data),
        ]
        count(m, n_stored, takes, reads)
        count(m, n_inside, takes, gives)
        with m.If(takes):
            m.d.sync += free.eq(next_place(free, self.depth))
        with m.If(reads):
            m.d.sync += first.eq(next_place(first, self.depth))
        with m.If(moves):
            m.d.sync += self.o.valid.eq(reads)
        return m
