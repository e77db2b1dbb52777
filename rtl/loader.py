"""Loading: keys and value vectors into the memories, one row at a time."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, ResetSignal, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl import payload
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.memory import key_write_port, value_write_port

__all__ = ["RowLoader", "offset_slice"]


class RowLoader(wiring.Component):
    """Writes a key into its lane of its row, and its value vector in `fold` slices of `n_macs` elements.

    Key `index` goes to lane `index % n_lanes` of row `index // n_lanes`; slice `s` of its value vector to address
    `index * fold + s`, each element with its sign bit flipped (offset by `2**(value_bits - 1)`).

    The key is written as the row is transferred: until then no query can meet it. In an engine that is drawn for an
    FPGA, where queries wait in a register, a key does so, too: it is written a cycle after the transfer, or two. A row
    at `n_keys` or above is transferred like any other and changes nothing but `error`. A row that is withdrawn before
    its transfer, or that a reset breaks off, leaves its own value vector undefined, and all others as they were.

    * **Latency**: the transfer happens in the cycle of the last write, `fold - 1` cycles after the offer. What has
      been transferred is seen by every read from the next cycle on.
    * **Throughput**: a row every `fold` cycles.
    * Where the key may not be written, the transfer waits.

    Parameters
    ----------
    dims
        Sizes of the engine.

    Members
    -------
    i : In(stream of payload.key_row)
        The payload must hold until the transfer, as in any stream: it is not stored here.
    wants_write : Out(1)
        A key is to be written at `keys.addr`.
    may_write : In(1)
        Whether it may be, in this cycle (`rtl.turns`).
    keys : Out(WritePort)
        One enable bit a lane.
    values : Out(WritePort)
    error : Out(1)
        A row at `n_keys` or above was transferred since the last reset.
    """

    i: stream.Interface
    wants_write: Signal
    may_write: Signal
    keys: wiring.PureInterface
    values: wiring.PureInterface
    error: Signal

    def __init__(self, dims: Dimensions):
        self.dims = dims
        super().__init__(
            {
                "i": In(stream.Signature(payload.key_row(dims))),
                "wants_write": Out(1),
                "may_write": In(1, init=1),
                "keys": Out(key_write_port(dims)),
                "values": Out(value_write_port(dims)),
                "error": Out(1),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        dims, spec = self.dims, self.dims.spec
        row = self.i.p

        piece = Signal(range(dims.fold))
        is_offered = Signal()
        is_last_piece = Signal()
        is_inside = Signal()
        takes = self.may_write  # the last piece
        waits = Signal(reset_less=True)  # a key that is transferred, where it is written later, also after a reset
        if dims.has_chains:
            takes = Signal()
            m.d.comb += takes.eq(~waits | self.may_write)
        m.d.comb += [
            is_offered.eq(self.i.valid & ~ResetSignal()),
            is_last_piece.eq(piece == dims.fold - 1),
            is_inside.eq(row.index < spec.n_keys),
            # In reset it may say so, if that is sooner said: nothing is written.
            self.wants_write.eq(waits if dims.has_chains else is_offered & is_last_piece & is_inside),
            self.i.ready.eq(is_last_piece & takes & ~ResetSignal()),
        ]
        with m.If(~self.i.valid):
            m.d.sync += piece.eq(0)
        with m.Elif(~is_last_piece):
            m.d.sync += piece.eq(piece + 1)
        with m.Elif(takes):
            m.d.sync += piece.eq(0)
            if spec.n_keys < 2**spec.index_bits:
                m.d.sync += self.error.eq(self.error | ~is_inside)

        writes_key = Signal()
        index, key = row.index, row.key
        if dims.has_chains:
            index = Signal.like(row.index, name="waiting_index", reset_less=True)
            key = Signal.like(row.key, name="waiting_key", reset_less=True)
            lanes = Signal(dims.n_lanes, reset_less=True)
            in_lane = Cat(row.index[: dims.lane_bits] == lane for lane in range(dims.n_lanes))
            comes = self.i.valid & is_last_piece & is_inside
            with m.If(takes & ~ResetSignal()):
                m.d.sync += [waits.eq(comes), lanes.eq(Mux(comes, in_lane, 0)), index.eq(row.index), key.eq(row.key)]
        m.d.comb += [
            writes_key.eq((~ResetSignal() if dims.has_chains else self.wants_write) & self.may_write),
            self.keys.addr.eq(index >> dims.lane_bits),
            self.keys.data.eq(key.replicate(dims.n_lanes)),
            self.values.addr.eq(row.index * dims.fold + piece),
            self.values.en.eq(is_offered & is_inside),
        ]
        for lane in range(dims.n_lanes):
            is_lane = lanes[lane] if dims.has_chains else index[: dims.lane_bits] == lane
            m.d.comb += self.keys.en[lane].eq(writes_key & is_lane)
        m.d.comb += self.values.data.eq(offset_slice(dims, row, piece))
        return m


def offset_slice(dims: Dimensions, row: Any, number: Value) -> Value:
    """Return a slice of a row's value vector, as it is stored: the elements' sign bits flipped.

    That adds `2**(value_bits - 1)` to a signed element.
    """
    bits = dims.spec.value_bits
    sign_bits = sum(1 << (n * bits + bits - 1) for n in range(dims.n_macs))
    return row.value.as_value().word_select(number, dims.n_macs * bits) ^ sign_bits
