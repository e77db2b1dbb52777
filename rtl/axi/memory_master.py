"""A memory of requests behind an AXI4 master: the engine's words on one side, bytes of memory on the other."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl import payload
from hamming.rtl.axi.read_master import ADDRESS_BITS, PAGE_BITS, ReadMaster, read_channels
from hamming.rtl.axi.write_master import WriteMaster, write_channels
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.memory import address_bits, key_read_port, value_read_port

__all__ = ["MemoryMaster"]


class MemoryMaster(wiring.Component):
    """Reads and writes keys or values in memory, as they lie there (`rtl.bus_word`).

    Key `j` is at `page * 4096 + j * element_bytes`. Element `e` of the value vector of key `j` is element `e % n_macs`
    of word `j * fold + e // n_macs`, a signed number. A word whose response was an error is all keys or values of 0.

    Parameters
    ----------
    dims
        Sizes of the engine.
    kind
        `key` or `value`.

    Members
    -------
    page : In(52)
        May change at any time, and counts from the next cycle on in which nothing is on its way.
    request, response, write
        The other side of the engine's.
    write_error : Out(1)
        As of `WriteMaster`.
    is_idle : Out(1)
        Nothing is on its way. This component is not to be reset with the engine, which waits for it.
    araddr, ... bready
        An AXI4 manager.
    """

    page: Signal
    request: stream.Interface
    response: stream.Interface
    write: stream.Interface
    write_error: Signal
    is_idle: Signal

    def __init__(self, dims: Dimensions, kind: str):
        self.dims = dims
        self.kind = kind
        self.word = dims.bus_words[kind]
        self.port, write = (
            (key_read_port(dims), payload.write_key(dims))
            if kind == "key"
            else (value_read_port(dims), payload.write_values(dims))
        )
        super().__init__(
            {
                "page": In(ADDRESS_BITS - PAGE_BITS),
                "request": In(stream.Signature(payload.read_request(self.port))),
                "response": Out(stream.Signature(payload.read_response(self.port))),
                "write": In(stream.Signature(write)),
                "write_error": Out(1),
                "is_idle": Out(1),
                **self.channels(self.word.data_bits),
            }
        )

    @staticmethod
    def channels(data_bits: int) -> dict[str, wiring.Member]:
        """Return the members of an AXI4 manager."""
        return read_channels(data_bits) | write_channels(data_bits)

    def elaborate(self, platform) -> Module:
        m = Module()
        word = self.word
        m.submodules.reader = reader = ReadMaster(
            word, address_bits=address_bits(self.port.depth), outstanding=self.dims.outstanding
        )
        write = self.write.p
        page = Signal.like(self.page)
        with m.If(self.is_idle):
            m.d.sync += page.eq(self.page)
        n_bytes = word.element_bytes if self.kind == "key" else word.word_bytes
        m.submodules.writer = writer = WriteMaster(n_bytes, address_bits=len(write.address), data_bits=word.data_bits)
        for part, names in ((reader, read_channels(1)), (writer, write_channels(1))):
            for name, member in names.items():
                own, inner = getattr(self, name), getattr(part, name)
                m.d.comb += own.eq(inner) if member.flow == Out else inner.eq(own)
        m.d.comb += [
            reader.page.eq(page),
            reader.request.valid.eq(self.request.valid),
            reader.request.payload.eq(self.request.p.address),
            self.request.ready.eq(reader.request.ready),
            self.response.valid.eq(reader.response.valid),
            self.response.p.error.eq(reader.response.error),
            self.response.p.data.eq(self._from_bytes(reader.response.data)),
            writer.page.eq(page),
            writer.i.valid.eq(self.write.valid),
            writer.i.p.address.eq(write.address),
            writer.i.p.data.eq(self._to_bytes(write.data)),
            self.write.ready.eq(writer.i.ready),
            self.write_error.eq(writer.error),
            self.is_idle.eq(reader.is_idle & writer.is_idle),
        ]
        return m

    def _from_bytes(self, data: Any) -> Value:
        """Return a word of the engine, whose values are offset by half their range."""
        word = self.word
        elements = (data.word_select(n, 8 * word.element_bytes)[: word.element_bits] for n in range(word.n_elements))
        return Cat(elements) if self.kind == "key" else Cat(_offset(element) for element in elements)

    def _to_bytes(self, data: Any) -> Value:
        """Return a key as it lies in memory, or a word of values."""
        if self.kind == "key":
            return data
        word, bits = self.word, self.word.element_bits
        elements = (_offset(data.word_select(n, bits)) for n in range(word.n_elements))
        return Cat(Cat(e, e[-1].replicate(8 * word.element_bytes - bits)) for e in elements)


def _offset(element: Any) -> Value:
    """Return a signed number offset by half its range, or the other way round: its sign bit is the other one."""
    return Cat(element[:-1], ~element[-1])
