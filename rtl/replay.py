"""Replay: a query's kept keys, once for each slice of the value vector."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from rtl import payload
from rtl.config import Dimensions

__all__ = ["Replay"]


class Replay(wiring.Component):
    """Repeats each query's kept keys `fold` times, pass `s` for slice `s` of the value vector.

    The first pass begins while keys still arrive. A key leaves on the last pass, and makes room for one of the next
    query. With one slice there is nothing to repeat, and a register is all there is.

    * **Latency**: 1 cycle.
    * **Throughput**: a key a cycle; `fold * n` cycles for a query of `n` kept keys.
    * A stall holds the key that is offered; keys are taken in as long as there is room for `top_k`.

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
        key = payload.kept_key(self.dims)(self._register(m) if self.dims.fold == 1 else self._list(m))
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

    def _list(self, m: Module):
        # A ring: `first` is the oldest key, `n_keys` are stored from there on, `n_unread` are ahead in this pass.
        depth = max(2, self.dims.spec.top_k)
        first, read, write = (Signal(range(depth), name=name) for name in ("first", "read", "write"))
        n_stored, n_unread = (Signal(range(depth + 1), name=name) for name in ("n_stored", "n_unread"))
        pass_number = Signal(range(self.dims.fold))

        m.submodules.ring = ring = Memory(shape=self.i.payload.shape().size, depth=depth, init=[])
        write_port = ring.write_port()
        read_port = ring.read_port(domain="comb")

        def after(pointer: Signal):
            return Mux(pointer == depth - 1, 0, pointer + 1)

        taken, given, is_final, freed = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(n_stored != depth),
            taken.eq(self.i.valid & self.i.ready),
            write_port.addr.eq(write),
            write_port.data.eq(self.i.payload),
            write_port.en.eq(taken),
            read_port.addr.eq(read),
            self.o.valid.eq(n_unread != 0),
            self.o.p.slice.eq(pass_number),
            given.eq(self.o.valid & self.o.ready),
            is_final.eq(pass_number == self.dims.fold - 1),
            freed.eq(given & is_final),
        ]
        m.d.sync += [n_stored.eq(n_stored + taken - freed), n_unread.eq(n_unread + taken - given)]
        with m.If(taken):
            m.d.sync += write.eq(after(write))
        with m.If(given):
            m.d.sync += read.eq(after(read))
            with m.If(self.o.p.last):
                m.d.sync += pass_number.eq(pass_number + 1)
                with m.If(is_final):
                    m.d.sync += pass_number.eq(0)
                with m.Else():  # back to the query's first key
                    m.d.sync += [read.eq(first), n_unread.eq(n_stored + taken)]
            with m.If(is_final):
                m.d.sync += first.eq(after(read))
        return read_port.data
