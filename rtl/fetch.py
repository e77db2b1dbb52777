"""Fetching: a query becomes reads of the key memory, one row of keys a cycle."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from rtl import payload
from rtl.config import Dimensions
from rtl.memory import key_read_port
from rtl.popcount import thermometer

__all__ = ["KeyFetch"]


class KeyFetch(wiring.Component):
    """Walks a query over the rows of keys that it sees, and says of each lane whether its key takes part.

    Lane `l` of row `r` takes part if `r * n_lanes + l < n_valid` and its bit of the mask is 0. A query costs
    `max(1, ceil(n_valid / n_lanes))` rows; one that sees no key costs one row in which no lane takes part.

    * **Latency**: 1 cycle from the read to the request, in which the memory answers.
    * **Throughput**: a row a cycle, also from one query to the next.
    * A stall holds the request, and with it the memory's data.

    Parameters
    ----------
    dims
        Sizes of the engine.

    Members
    -------
    i : In(stream of payload.query)
        Transferred with the read of its last row. `n_valid` above `n_keys` is not allowed.
    i_mask : In(stream of n_lanes bits), if the configuration has a mask
        A beat for each row of the query; 1 masks the key out.
    keys : Out(ReadPort)
        To the key memory, whose data go to `ScoreArray.keys`.
    o : Out(stream of payload.score_request)
    """

    i: stream.Interface
    i_mask: stream.Interface
    o: stream.Interface
    keys: wiring.PureInterface

    def __init__(self, dims: Dimensions):
        self.dims = dims
        members = {
            "i": In(stream.Signature(payload.query(dims))),
            "keys": Out(key_read_port(dims)),
            "o": Out(stream.Signature(payload.score_request(dims))),
        }
        if dims.config.mask:
            members["i_mask"] = In(stream.Signature(dims.n_lanes))
        super().__init__(members)

    def elaborate(self, platform) -> Module:
        m = Module()
        dims = self.dims
        n_lanes = dims.n_lanes

        row = Signal(self.keys.addr.shape())
        remaining = Signal(dims.spec.n_valid_bits)  # keys from this row on
        remaining_after_first = Signal(dims.spec.n_valid_bits, reset_less=True)
        is_last = Signal()
        m.d.comb += [
            remaining.eq(Mux(row == 0, self.i.p.n_valid, remaining_after_first)),
            is_last.eq(remaining <= n_lanes),
        ]

        # Lanes below what remains take part: all of a full row, or as many as the low bits say.
        takes_part = Signal(n_lanes)
        some = thermometer(m, remaining[: dims.lane_bits], "below_remaining")
        m.d.comb += takes_part.eq(Mux(remaining[dims.lane_bits :].any(), ~Const(0, n_lanes), some))

        masked_out = self.i_mask.payload if dims.config.mask else 0
        has_mask = self.i_mask.valid if dims.config.mask else 1
        read = Signal()
        m.d.comb += [
            read.eq(self.i.valid & has_mask & (~self.o.valid | self.o.ready)),
            self.i.ready.eq(read & is_last),
            self.keys.addr.eq(row),
            self.keys.en.eq(read),
        ]
        if dims.config.mask:
            m.d.comb += self.i_mask.ready.eq(read)

        request = Signal(payload.score_request(dims), reset_less=True)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(read):
            m.d.sync += [
                row.eq(Mux(is_last, 0, row + 1)),
                remaining_after_first.eq(remaining - n_lanes),
                self.o.valid.eq(1),
                request.query.eq(self.i.p.query),
                request.takes_part.eq(takes_part & ~masked_out),
                request.last.eq(is_last),
            ]
        m.d.comb += self.o.p.eq(request)
        return m
