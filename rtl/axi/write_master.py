"""Writing: words, or parts of words, to memory behind an AXI4 master, one at a time."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from hamming.rtl.axi.read_master import ADDRESS_BITS, PAGE_BITS

__all__ = ["WriteMaster", "write_channels"]


def write_channels(data_bits: int) -> dict[str, wiring.Member]:
    """Return the members of an AXI4 manager's channels AW, W and B."""
    return {
        "awid": Out(1),
        "awaddr": Out(ADDRESS_BITS),
        "awlen": Out(8),
        "awsize": Out(3),
        "awburst": Out(2),
        "awcache": Out(4),
        "awprot": Out(3),
        "awvalid": Out(1),
        "awready": In(1),
        "wdata": Out(data_bits),
        "wstrb": Out(data_bits // 8),
        "wlast": Out(1),
        "wvalid": Out(1),
        "wready": In(1),
        "bid": In(1),
        "bresp": In(2),
        "bvalid": In(1),
        "bready": Out(1),
    }


class WriteMaster(wiring.Component):
    """Writes `n_bytes` at `page * 4096 + address * n_bytes`, and transfers a write once memory has answered.

    What is less than the bus is wide goes out by byte strobes in one beat, all else in a burst of whole beats. An
    answer is taken once all was sent. The whole is not to be reset with who writes, who is to hold what he offered
    until `is_idle`.

    * **Throughput**: one write at a time: as long as memory takes, and 2 cycles.

    Parameters
    ----------
    n_bytes
        Of a write; a power of two.
    address_bits
        Of its number.
    data_bits
        Of the bus.

    Members
    -------
    page : In(52)
        The base address over 4,096.
    i : In(stream of address, data)
    error : Out(1)
        For a cycle: a write had an error response. It is transferred all the same.
    is_idle : Out(1)
        Nothing is on its way.
    awaddr, ... bready
        Channels AW, W and B.
    """

    page: Signal
    i: stream.Interface
    error: Signal
    is_idle: Signal

    def __init__(self, n_bytes: int, *, address_bits: int, data_bits: int):
        self.n_bytes = n_bytes
        self.data_bits = data_bits
        self.beats = max(1, 8 * n_bytes // data_bits)
        layout = StructLayout({"address": address_bits, "data": 8 * n_bytes})
        super().__init__(
            {
                "page": In(ADDRESS_BITS - PAGE_BITS),
                "i": In(stream.Signature(layout)),
                "error": Out(1),
                "is_idle": Out(1),
                **write_channels(data_bits),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        bus_bytes = self.data_bits // 8
        waits = Signal()
        is_done = Signal()
        beat = Signal(range(self.beats))
        part_bits = self.n_bytes.bit_length() - 1
        offset = Signal(max(PAGE_BITS, len(self.i.p.address) + part_bits), reset_less=True)
        begins = Signal()
        ends = Signal()
        m.d.sync += is_done.eq(ends)
        m.d.comb += [
            self.bready.eq(waits & ~self.awvalid & ~self.wvalid),
            self.is_idle.eq(~waits & ~is_done),
            begins.eq(self.i.valid & self.is_idle),
            ends.eq(self.bvalid & self.bready),
            self.error.eq(ends & self.bresp[1]),
            self.i.ready.eq(is_done),
        ]
        with m.If(begins):
            m.d.sync += [waits.eq(1), self.awvalid.eq(1), self.wvalid.eq(1), beat.eq(0)]
            m.d.sync += offset.eq(self.i.p.address.shift_left(part_bits))
        with m.Elif(ends):
            m.d.sync += waits.eq(0)
        with m.If(self.awvalid & self.awready):
            m.d.sync += self.awvalid.eq(0)
        with m.If(self.wvalid & self.wready):
            m.d.sync += [beat.eq(beat + 1), self.wvalid.eq(~self.wlast)]
        low = bus_bytes.bit_length() - 1
        aligned = Cat(offset[low:PAGE_BITS].shift_left(low), self.page + offset[PAGE_BITS:])
        m.d.comb += [
            self.awaddr.eq(aligned),
            self.awlen.eq(self.beats - 1),
            self.awsize.eq(low),
            self.awburst.eq(1),
            self.awcache.eq(0b0011),
            self.wlast.eq(beat == self.beats - 1),
        ]
        data: Any = self.i.p.data
        if self.beats > 1:
            m.d.comb += [self.wdata.eq(data.word_select(beat, self.data_bits)), self.wstrb.eq(~0)]
        else:
            n_parts = bus_bytes // self.n_bytes
            part = offset[part_bits:low] if n_parts > 1 else 0
            m.d.comb += self.wdata.eq(data.replicate(n_parts))
            for n in range(n_parts):
                strobes = self.wstrb[n * self.n_bytes : (n + 1) * self.n_bytes]
                m.d.comb += strobes.eq(Mux(part == n, ~0, 0))
        return m
