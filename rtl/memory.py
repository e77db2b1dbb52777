"""Ports of the key and value memories, the same whether the memory is inside the engine or a macro outside."""

from __future__ import annotations

from amaranth.hdl import Module, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

__all__ = ["DualPortMemory", "ReadPort", "WritePort"]


def address_bits(depth: int) -> int:
    """Bits of an address of `depth` words (1 at least)."""
    return max(1, (depth - 1).bit_length())


class ReadPort(wiring.Signature):
    """Synchronous read, as the reader sees it: `data` follows `addr` by a cycle where `en` is 1, else it holds."""

    def __init__(self, *, depth: int, width: int):
        self.depth = depth
        self.width = width
        super().__init__({"addr": Out(address_bits(depth)), "en": Out(1), "data": In(width)})


class WritePort(wiring.Signature):
    """Write, as the writer sees it: one bit of `en` for each of `width / granularity` parts of a word."""

    def __init__(self, *, depth: int, width: int, granularity: int):
        self.depth = depth
        self.width = width
        self.granularity = granularity
        super().__init__({"addr": Out(address_bits(depth)), "en": Out(width // granularity), "data": Out(width)})


class DualPortMemory(wiring.Component):
    """Memory of `depth` words with one read and one write port, inferred.

    A word that is written and read in one cycle reads as either; the engine never does so.

    Members
    -------
    read : In(ReadPort)
    write : In(WritePort)
    """

    read: wiring.PureInterface
    write: wiring.PureInterface

    def __init__(self, *, depth: int, width: int, granularity: int):
        self.depth = depth
        self.width = width
        self.granularity = granularity
        super().__init__(
            {
                "read": In(ReadPort(depth=depth, width=width)),
                "write": In(WritePort(depth=depth, width=width, granularity=granularity)),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=unsigned(self.width), depth=self.depth, init=[])
        write = memory.write_port(granularity=self.granularity if self.granularity < self.width else None)
        read = memory.read_port()
        for port, own in ((write, self.write), (read, self.read)):
            m.d.comb += [port.addr.eq(own.addr), port.en.eq(own.en)]
        m.d.comb += [write.data.eq(self.write.data), self.read.data.eq(read.data)]
        return m
