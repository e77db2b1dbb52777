"""Loading where keys are selected: keys in rows of lanes, value vectors in slices that are read for one key alone."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl.loader import offset_slice
from hamming.rtl.memory import value_write_port
from hamming.rtl.standard import payload
from hamming.rtl.standard.design import StandardDesign
from hamming.rtl.standard.loader import on_every_lane

__all__ = ["SparseLoader"]


class SparseLoader(wiring.Component):
    """Writes a key into its lane of its row, as `StandardLoader`, and its value vector in slices, as `rtl.loader`.

    All elements are offset to be unsigned.

    * **Latency**: the transfer happens in the cycle of the last write, `fold - 1` cycles after the offer; what was
      transferred is seen by every read from the next cycle on.
    * **Throughput**: a row every `fold` cycles, `fold` of `StandardDesign.kept`.

    Parameters
    ----------
    design
        Sizes; its spec has a `top_k`.

    Members
    -------
    i : In(stream of payload.key_row)
    keys : Out(WritePort)
        One enable bit a lane.
    values : Out(WritePort)
        Slice `s` of the value vector of key `index` goes to address `index * fold + s`.
    """

    i: stream.Interface
    keys: wiring.PureInterface
    values: wiring.PureInterface

    def __init__(self, design: StandardDesign):
        self.design = design
        super().__init__(
            {
                "i": In(stream.Signature(payload.key_row(design))),
                "keys": Out(payload.write_port(design, design.spec.d_head)),
                "values": Out(value_write_port(design.kept)),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        design, row = self.design, self.i.p
        fold = design.kept.fold
        piece = Signal(range(fold))
        is_last_piece = Signal()
        m.d.comb += [is_last_piece.eq(piece == fold - 1), self.i.ready.eq(is_last_piece)]
        with m.If(self.i.valid):
            m.d.sync += piece.eq(piece + 1)
            with m.If(is_last_piece):
                m.d.sync += piece.eq(0)
        m.d.comb += [
            self.keys.addr.eq(row.index >> design.lane_bits),
            self.keys.data.eq(on_every_lane(design, row.key.as_value(), design.spec.d_head)),
            self.values.addr.eq(row.index * fold + piece),
            self.values.data.eq(offset_slice(design.kept, row, piece)),
            self.values.en.eq(self.i.valid),
        ]
        for lane in range(design.n_lanes):
            is_here = row.index[: design.lane_bits] == lane
            m.d.comb += self.keys.en[lane].eq(self.i.valid & is_last_piece & is_here)
        return m
