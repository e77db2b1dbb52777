"""Replay: a query's kept keys, once for each slice of the value vector."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hamming.rtl import payload
from hamming.rtl.dimensions import Dimensions

__all__ = ["Replay"]


class Replay(wiring.Component):
    """Repeats each query's kept keys `fold` times, pass `s` for slice `s` of the value vector.

    The first pass begins while keys still arrive. In the last pass the next query's keys take the places of those that
    have left, all but its last one, which waits for the pass's end. So there is but one query whose number of keys
    and emptiness must be known, and neither is stored with the keys. With one slice there is nothing to repeat, and a
    register is all there is.

    * **Latency**: 1 cycle.
    * **Throughput**: a key a cycle; `fold * n` cycles for a query of `n` kept keys.
    * A stall holds the key that is offered, and the keys that would take the places of those not yet gone.

    Parameters
    ----------
    dims
        Sizes of the engine.

    Members
    -------
    i : In(stream of payload.kept_key)
    o : Out(stream of payload.replayed_key)
        `last` ends each pass.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, dims: Dimensions):
        self.dims = dims
        super().__init__(
            {
                "i": In(stream.Signature(payload.kept_key(dims))),
                "o": Out(stream.Signature(payload.replayed_key(dims))),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        listed = self._list_ahead if self.dims.has_chains else self._list
        key = payload.kept_key(self.dims)(self._register(m) if self.dims.fold == 1 else listed(m))
        m.d.comb += [
            self.o.p.index.eq(key.index),
            self.o.p.deficit.eq(key.deficit),
            self.o.p.is_empty.eq(key.is_empty),
            self.o.p.last.eq(key.last),
        ]
        return m

    def _register(self, m: Module) -> Signal:
        key = Signal(self.i.payload.shape().size, reset_less=True)
        m.d.comb += self.i.ready.eq(~self.o.valid | self.o.ready)
        with m.If(self.i.ready):
            m.d.sync += [self.o.valid.eq(self.i.valid), key.eq(self.i.payload)]
        return key

    def _list(self, m: Module) -> Value:
        # Each query is written from place 0 on. Once its last key is in (`is_whole`, at `end`), the writer is at the
        # next query, while the reader is at this one until its last pass ends.
        depth = max(2, self.dims.spec.top_k)
        read, write, end = (Signal(range(depth), name=name) for name in ("read", "write", "end"))
        is_whole = Signal()
        is_empty = Signal()
        pass_number = Signal(range(self.dims.fold))

        key = Cat(self.i.p.index, self.i.p.deficit)
        m.submodules.list = words = Memory(shape=len(key), depth=depth, init=[])
        write_port = words.write_port()
        read_port = words.read_port(domain="comb")

        taken = Signal()
        given = Signal()
        is_last = Signal()
        ends = Signal()
        is_final = pass_number == self.dims.fold - 1
        m.d.comb += [
            self.o.valid.eq(is_whole | (read != write)),
            self.o.p.slice.eq(pass_number),
            given.eq(self.o.valid & self.o.ready),
            is_last.eq(is_whole & (read == end)),
            ends.eq(given & is_last & is_final),
            self.i.ready.eq(~is_whole | ends | (is_final & (write < read) & ~self.i.p.last)),
            taken.eq(self.i.valid & self.i.ready),
            write_port.addr.eq(write),
            write_port.data.eq(key),
            write_port.en.eq(taken),
            read_port.addr.eq(read),
        ]
        _read_on(m, given, is_last, is_final, read, pass_number)
        with m.If(ends):
            m.d.sync += is_whole.eq(0)
        with m.If(taken):
            m.d.sync += write.eq(Mux(self.i.p.last, 0, write + 1))
            with m.If(self.i.p.last):
                m.d.sync += [is_whole.eq(1), end.eq(write), is_empty.eq(self.i.p.is_empty)]
        return Cat(read_port.data, is_whole & is_empty, is_last)

    def _list_ahead(self, m: Module) -> Value:
        """Do the same with registers that say whether there is a key, and whether it is a pass's last.

        A query's last key waits until the pass has ended, and a place that is free is found to be so a cycle later.
        """
        depth = max(2, self.dims.spec.top_k)
        read, write = (Signal(range(depth), name=name) for name in ("read", "write"))
        # The places before: where a counter comes from that is not at 0.
        write_before, end_before = (Signal.like(write, name=name) for name in ("write_before", "end_before"))
        has_key, is_whole, is_last, is_single, is_empty = (
            Signal(name=name) for name in ("has_key", "is_whole", "is_last", "is_single", "is_empty")
        )
        has_room = Signal()
        pass_number = Signal(range(self.dims.fold))

        key = Cat(self.i.p.index, self.i.p.deficit)
        m.submodules.list = words = Memory(shape=len(key), depth=depth, init=[])
        write_port = words.write_port()
        read_port = words.read_port(domain="comb")

        taken, ends_query, given, ends = (Signal(name=name) for name in ("taken", "ends_query", "given", "ends"))
        is_final = pass_number == self.dims.fold - 1
        m.d.comb += [
            self.o.valid.eq(has_key),
            self.o.p.slice.eq(pass_number),
            given.eq(has_key & self.o.ready),
            ends.eq(given & is_last & is_final),
            self.i.ready.eq(~is_whole | (has_room & ~self.i.p.last)),
            taken.eq(self.i.valid & self.i.ready),
            ends_query.eq(taken & self.i.p.last),
            write_port.addr.eq(write),
            write_port.data.eq(key),
            write_port.en.eq(taken),
            read_port.addr.eq(read),
        ]
        m.d.sync += has_room.eq(is_final & Mux(taken, write + 1 < read, write < read))
        _read_on(m, given, is_last, is_final, read, pass_number)
        with m.If(taken):
            m.d.sync += [write.eq(Mux(self.i.p.last, 0, write + 1)), write_before.eq(write)]

        with m.If(ends):
            m.d.sync += [is_whole.eq(0), has_key.eq(taken | (write != 0))]
        with m.Elif(taken):
            m.d.sync += has_key.eq(1)
        with m.Elif(given & ~is_whole):
            m.d.sync += has_key.eq(read != write_before)
        with m.If(ends_query):
            m.d.sync += [
                is_whole.eq(1),
                end_before.eq(write_before),
                is_single.eq(write == 0),
                is_empty.eq(self.i.p.is_empty),
                is_last.eq(Mux(given, read == write_before, read == write)),
            ]
        with m.Elif(given):
            m.d.sync += is_last.eq(is_whole & Mux(is_last, is_single & ~is_final, read == end_before))
        return Cat(read_port.data, is_empty & is_whole, is_last)


def _read_on(m: Module, given: Value, is_last: Value, is_final: Value, read: Signal, pass_number: Signal) -> None:
    """Go on to the next place with each key that is given, and to the next pass with its last."""
    with m.If(given):
        m.d.sync += read.eq(Mux(is_last, 0, read + 1))
        with m.If(is_last):
            m.d.sync += pass_number.eq(Mux(is_final, 0, pass_number + 1))
