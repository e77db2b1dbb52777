"""Ports of the key and value memories, the same whether the memory is inside the engine or a macro outside."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hamming.rtl.dimensions import Dimensions

__all__ = [
    "BankedMemory",
    "DualPortMemory",
    "ReadPort",
    "WritePort",
    "key_read_port",
    "key_write_port",
    "value_read_port",
    "value_write_port",
]


def address_bits(depth: int) -> int:
    """Bits of an address of `depth` words (1 at least)."""
    return max(1, (depth - 1).bit_length())


class ReadPort(wiring.Signature):
    """Synchronous read, as the reader sees it, of a memory with a register for each further cycle of `latency`.

    One bit of `en` a cycle: with bit 0 the array is read at `addr`, with bit `i` register `i` takes what is before it.
    `data` is the last one's. What is not enabled holds.
    """

    def __init__(self, *, depth: int, width: int, latency: int = 1):
        self.depth = depth
        self.width = width
        self.latency = latency
        super().__init__({"addr": Out(address_bits(depth)), "en": Out(latency), "data": In(width)})


class WritePort(wiring.Signature):
    """Write, as the writer sees it: one bit of `en` for each of `width / granularity` parts of a word."""

    def __init__(self, *, depth: int, width: int, granularity: int):
        self.depth = depth
        self.width = width
        self.granularity = granularity
        super().__init__({"addr": Out(address_bits(depth)), "en": Out(width // granularity), "data": Out(width)})


def key_read_port(dims: Dimensions) -> ReadPort:
    """Port by which keys are read: a row of `n_lanes` keys, lane 0 lowest."""
    return ReadPort(depth=dims.n_rows, width=dims.n_lanes * dims.spec.d_head, latency=dims.key_read_latency)


def key_write_port(dims: Dimensions) -> WritePort:
    """Port by which keys are written: as they are read, an enable bit a lane."""
    read = key_read_port(dims)
    return WritePort(depth=read.depth, width=read.width, granularity=dims.spec.d_head)


def value_read_port(dims: Dimensions) -> ReadPort:
    """Port by which value slices of `n_macs` elements are read; slice `s` of key `j` is at `j * fold + s`."""
    return ReadPort(
        depth=dims.spec.n_keys * dims.fold,
        width=dims.n_macs * dims.spec.value_bits,
        latency=dims.value_read_latency,
    )


def value_write_port(dims: Dimensions) -> WritePort:
    """Port by which value slices are written: as they are read, one enable bit."""
    read = value_read_port(dims)
    return WritePort(depth=read.depth, width=read.width, granularity=read.width)


class DualPortMemory(wiring.Component):
    """Memory with one read and one write port, inferred.

    A word that is written and read in one cycle reads as anything: the engine lets no answer depend on it
    (`rtl.turns`).

    Parameters
    ----------
    port
        Its write port, which also says how many words it has, and how wide they are.

    Members
    -------
    read : In(ReadPort)
    write : In(WritePort)
    """

    read: wiring.PureInterface
    write: wiring.PureInterface

    def __init__(self, port: WritePort):
        self.port = port
        super().__init__({"read": In(ReadPort(depth=port.depth, width=port.width)), "write": In(port)})

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=unsigned(self.port.width), depth=self.port.depth, init=[])
        has_parts = self.port.granularity < self.port.width
        write = memory.write_port(granularity=self.port.granularity if has_parts else None)
        read = memory.read_port()
        for port, own in ((write, self.write), (read, self.read)):
            m.d.comb += [port.addr.eq(own.addr), port.en.eq(own.en)]
        m.d.comb += [write.data.eq(self.write.data), self.read.data.eq(read.data)]
        return m


class BankedMemory(DualPortMemory):
    """A `DualPortMemory` in banks, of which one is at work in each access.

    The highest bits of an address name its bank: accesses in rising order stay in one for a while, which spares the
    multiplexer.

    Parameters
    ----------
    port
        The write port of the whole.
    depths
        Words of each bank: the same power of two, but for the last, which may have fewer.

    Members
    -------
    read : In(ReadPort)
    write : In(WritePort)
    """

    def __init__(self, port: WritePort, depths: Sequence[int]):
        super().__init__(port)
        self.depths = depths

    def elaborate(self, platform) -> Module:
        m = Module()
        low_bits = self.depths[0].bit_length() - 1
        words = []
        for n, depth in enumerate(self.depths):
            port = WritePort(depth=depth, width=self.port.width, granularity=self.port.granularity)
            m.submodules[f"bank_{n}"] = bank = DualPortMemory(port)
            for whole, part in ((self.read, bank.read), (self.write, bank.write)):
                m.d.comb += [
                    part.addr.eq(whole.addr[:low_bits]),
                    part.en.eq(Mux(whole.addr[low_bits:] == n, whole.en, 0)),
                ]
            m.d.comb += bank.write.data.eq(self.write.data)
            # The bank that was read last holds its word, and goes on to show it.
            is_shown = Signal(name=f"shows_bank_{n}")
            with m.If(self.read.en):
                m.d.sync += is_shown.eq(self.read.addr[low_bits:] == n)
            words.append(Mux(is_shown, bank.read.data, 0))
        m.d.comb += self.read.data.eq(reduce(or_, words))
        return m
