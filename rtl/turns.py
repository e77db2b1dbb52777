"""Turns: a word of a memory is not read and written in one cycle."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Turns"]


class Turns(wiring.Component):
    """Says who may have a word that is to be read and written at once: the writer, and in the next cycle the reader.

    So neither waits for more than a cycle at a time, whatever the other does.

    Parameters
    ----------
    addr_bits
        Bits of an address.

    Members
    -------
    wants_read, wants_write : In(1)
    read_addr, write_addr : In(addr_bits)
    may_read, may_write : Out(1)
        Never both where both are wanted and the addresses are equal; both elsewhere.
    """

    wants_read: Signal
    wants_write: Signal
    read_addr: Signal
    write_addr: Signal
    may_read: Signal
    may_write: Signal

    def __init__(self, *, addr_bits: int):
        super().__init__(
            {
                "wants_read": In(1),
                "wants_write": In(1),
                "read_addr": In(addr_bits),
                "write_addr": In(addr_bits),
                "may_read": Out(1),
                "may_write": Out(1),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        meet = Signal()
        reader_waited = Signal()
        m.d.comb += [
            meet.eq(self.wants_read & self.wants_write & (self.read_addr == self.write_addr)),
            self.may_read.eq(~meet | reader_waited),
            self.may_write.eq(~meet | ~reader_waited),
        ]
        m.d.sync += reader_waited.eq(meet & ~reader_waited)
        return m
