"""Sending: keys and value vectors into memories of which one at least is of any latency, one row at a time."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, ResetSignal, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl import payload
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.loader import offset_slice
from hamming.rtl.memory import key_write_port, value_write_port

__all__ = ["RowSender"]


class RowSender(wiring.Component):
    """Writes a row as `RowLoader` does, but one write after the other, and through streams where memories have them.

    A write through a stream is done when it is transferred. The row is transferred with its last write, that of its
    key, so that what is read from the next cycle on is what was written. A row at `n_keys` or above is transferred at
    once and changes nothing but `error`. A row that is withdrawn or changed before its transfer, or that a reset breaks
    off, leaves its own key and value vector undefined, and all others as they were; what was offered to a memory stays
    on offer.

    * **Latency**: a cycle a slice of values, and 1 for the key; through streams a cycle more for each, and as long as
      each has to wait.
    * **Throughput**: a row at a time.

    Parameters
    ----------
    dims
        Sizes of the engine.

    Members
    -------
    i : In(stream of payload.key_row)
    key_write : Out(stream of payload.write_key), if the key memory has requests
    wants_write, may_write, keys
        As of `RowLoader`, if it has not.
    value_write : Out(stream of payload.write_values), if the value memory has requests
    values
        As of `RowLoader`, if it has not.
    error : Out(1)
        As of `RowLoader`.
    """

    i: stream.Interface
    key_write: stream.Interface
    wants_write: Signal
    may_write: Signal
    keys: wiring.PureInterface
    value_write: stream.Interface
    values: wiring.PureInterface
    error: Signal

    def __init__(self, dims: Dimensions):
        self.dims = dims
        keys, values = dims.config.memories
        members: dict[str, Any] = {"i": In(stream.Signature(payload.key_row(dims)))}
        if keys == "request":
            members["key_write"] = Out(stream.Signature(payload.write_key(dims)))
        else:
            members |= {"wants_write": Out(1), "may_write": In(1, init=1), "keys": Out(key_write_port(dims))}
        if values == "request":
            members["value_write"] = Out(stream.Signature(payload.write_values(dims)))
        else:
            members["values"] = Out(value_write_port(dims))
        super().__init__(members | {"error": Out(1)})

    def elaborate(self, platform) -> Module:
        m = Module()
        dims, spec = self.dims, self.dims.spec
        keys, values = dims.config.memories
        row = self.i.p

        piece = Signal(range(dims.fold + 1))  # slices, then the key
        is_offered, is_inside, is_key, ends = (Signal(name=n) for n in ("is_offered", "is_inside", "is_key", "ends"))
        writes_key, writes_values, is_done = (Signal(name=n) for n in ("writes_key", "writes_values", "is_done"))
        m.d.comb += [
            is_offered.eq(self.i.valid & ~ResetSignal()),
            is_inside.eq(row.index < spec.n_keys),
            is_key.eq(piece == dims.fold),
            writes_key.eq(is_offered & is_inside & is_key),
            writes_values.eq(is_offered & is_inside & ~is_key),
            self.i.ready.eq((~is_inside | (is_key & is_done)) & ~ResetSignal()),
            ends.eq(~self.i.valid | self.i.ready),
        ]
        with m.If(ends):
            m.d.sync += piece.eq(0)
        with m.Elif(is_done):
            m.d.sync += piece.eq(piece + 1)
        if spec.n_keys < 2**spec.index_bits:
            with m.If(is_offered & ~is_inside):
                m.d.sync += self.error.eq(1)

        if keys == "request":
            key_done = _send(m, self.key_write, writes_key, row.index, row.key)
        else:
            key_done = writes_key & self.may_write
            m.d.comb += [
                self.wants_write.eq(writes_key),
                self.keys.addr.eq(row.index >> dims.lane_bits),
                self.keys.data.eq(row.key.replicate(dims.n_lanes)),
            ]
            for lane in range(dims.n_lanes):
                m.d.comb += self.keys.en[lane].eq(key_done & (row.index[: dims.lane_bits] == lane))
        address, word = row.index * dims.fold + piece, offset_slice(dims, row, piece)
        if values == "request":
            values_done = _send(m, self.value_write, writes_values, address, word)
        else:
            m.d.comb += [self.values.addr.eq(address), self.values.data.eq(word), self.values.en.eq(writes_values)]
            values_done = writes_values
        m.d.comb += is_done.eq(key_done | values_done)
        return m


def _send(m: Module, to: Any, wanted: Value, address: Value, data: Value) -> Value:
    """Offer a write, which holds whatever becomes of the row, and return whether the one that is wanted is done."""
    is_here, is_sent = Signal(name="write_is_here"), Signal(name="write_is_sent")
    offer = Signal(to.payload.shape(), reset_less=True)
    moves = to.valid & to.ready
    m.d.comb += [to.valid.eq(is_here & ~ResetSignal()), to.p.eq(offer)]
    with m.If(moves):
        m.d.sync += is_here.eq(0)
    with m.If(~wanted | moves):
        m.d.sync += is_sent.eq(0)
    with m.If(wanted & ~is_here):
        m.d.sync += [is_here.eq(1), is_sent.eq(1), offer.address.eq(address), offer.data.eq(data)]
    return wanted & is_sent & moves
