"""Reading: words from memory behind an AXI4 master, in bursts, many at a time."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from hamming.rtl.axi.buffer import Buffer
from hamming.rtl.bus_word import PAGE_BYTES, BusWord

__all__ = ["ADDRESS_BITS", "PAGE_BITS", "ReadMaster", "read_channels"]

ADDRESS_BITS = 64
PAGE_BITS = (PAGE_BYTES - 1).bit_length()


def read_channels(data_bits: int) -> dict[str, wiring.Member]:
    """Return the members of an AXI4 manager's channels AR and R."""
    return {
        "arid": Out(1),
        "araddr": Out(ADDRESS_BITS),
        "arlen": Out(8),
        "arsize": Out(3),
        "arburst": Out(2),
        "arcache": Out(4),
        "arprot": Out(3),
        "arvalid": Out(1),
        "arready": In(1),
        "rid": In(1),
        "rdata": In(data_bits),
        "rresp": In(2),
        "rlast": In(1),
        "rvalid": In(1),
        "rready": Out(1),
    }


class ReadMaster(wiring.Component):
    """Asks for words, word `a` at `page * 4096 + a * word_bytes`, and hands on what comes.

    Requests for words that follow each other become one burst, of `BURST_BEATS` beats at most, which crosses no page;
    it goes out once another word is asked for, or in a cycle without a request. Every burst has the same ID, so that
    answers come in order. An answer is taken whenever it comes; its `rlast` is not looked at.

    The whole is not to be reset with who asks: what was asked for comes all the same, and `is_idle` is 0 until then.

    * **Latency**: 2 cycles from a burst's last request to `arvalid`; none from a word's last beat to `response`.
    * **Throughput**: a request a cycle; a word in as many cycles as it has beats.

    Parameters
    ----------
    word
        How words lie.
    address_bits
        Of a word's number.
    outstanding
        Words that are asked for at most.

    Members
    -------
    page : In(52)
        The base address over 4,096; constant while something is asked for.
    request : In(stream of address_bits)
    response : Out(valid, error, data of a word)
        `error` where one of its beats had an error response; `data` is 0 then. To be taken at once.
    is_idle : Out(1)
        Nothing is asked for.
    araddr, ... rready
        Channels AR and R.
    """

    page: Signal
    request: stream.Interface
    response: Any
    is_idle: Signal

    def __init__(self, word: BusWord, *, address_bits: int, outstanding: int):
        self.word = word
        self.address_bits = address_bits
        self.outstanding = outstanding
        self.most_words = word.most_words
        data = Out(8 * word.word_bytes)
        super().__init__(
            {
                "page": In(ADDRESS_BITS - PAGE_BITS),
                "request": In(stream.Signature(address_bits)),
                "response": Out(wiring.Signature({"valid": Out(1), "error": Out(1), "data": data})),
                "is_idle": Out(1),
                **read_channels(word.data_bits),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        asked = Signal(range(self.outstanding + 1))
        completes = self._take(m, asked)
        is_pending = self._ask(m)
        m.d.sync += asked.eq(asked + (self.request.valid & self.request.ready) - completes)
        m.d.comb += self.is_idle.eq((asked == 0) & ~is_pending)
        return m

    def _ask(self, m: Module) -> Signal:
        """Put requests together to bursts; return whether one is pending."""
        word = self.word
        word_bits = word.word_bytes.bit_length() - 1
        place_bits = PAGE_BITS - word_bits  # of a word in its page
        page_bits = max(0, self.address_bits - place_bits)
        burst = StructLayout(
            {"page": unsigned(page_bits), "place": unsigned(place_bits), "more": unsigned(_bits(self.most_words))}
        )
        m.submodules.bursts = bursts = Buffer(burst)
        opened = Signal(burst, reset_less=True)
        is_open, extends, passes = (Signal(name=name) for name in ("is_open", "extends", "passes"))
        last = Signal(self.address_bits, reset_less=True)
        address = self.request.payload
        starts_page = address[:place_bits] == 0
        m.d.comb += [
            bursts.i.payload.eq(opened),
            extends.eq(is_open & (address == last + 1) & ~starts_page & (opened.more != self.most_words - 1)),
            bursts.i.valid.eq(is_open & ~(self.request.valid & extends)),
            passes.eq(bursts.i.valid & bursts.i.ready),
            self.request.ready.eq(~is_open | extends | bursts.i.ready),
        ]
        with m.If(passes):
            m.d.sync += is_open.eq(0)
        with m.If(self.request.valid & self.request.ready):
            m.d.sync += [is_open.eq(1), last.eq(address), opened.more.eq(opened.more + 1)]
            with m.If(~extends):
                m.d.sync += [
                    opened.place.eq(address[:place_bits]),
                    opened.page.eq(address[place_bits:]),
                    opened.more.eq(0),
                ]
        out = bursts.o.payload
        m.d.comb += [
            self.arvalid.eq(bursts.o.valid),
            bursts.o.ready.eq(self.arready),
            self.araddr.eq(Cat(out.place.shift_left(word_bits), self.page + out.page)),
            self.arlen.eq(Cat(Const(word.beats - 1, _bits(word.beats)), out.more)),
            self.arsize.eq((word.data_bits // 8).bit_length() - 1),
            self.arburst.eq(1),
            self.arcache.eq(0b0011),
        ]
        return is_open | bursts.o.valid

    def _take(self, m: Module, asked: Signal) -> Signal:
        """Put a word's beats together; return whether one that was asked for completes."""
        word, n_held = self.word, self.word.beats - 1
        is_wrong, is_last, comes, completes = (Signal(name=n) for n in ("is_wrong", "is_last", "comes", "completes"))
        m.d.sync += self.rready.eq(1)
        m.d.comb += [comes.eq(self.rvalid & self.rready), is_last.eq(1), is_wrong.eq(self.rresp[1])]
        held: Any = Cat()
        if n_held:
            held = Signal(n_held * word.data_bits, reset_less=True)
            was_wrong = Signal()
            beat = Signal(range(word.beats))
            m.d.comb += [is_last.eq(beat == n_held), is_wrong.eq(self.rresp[1] | was_wrong)]
            with m.If(comes):
                m.d.sync += [
                    held.eq(Cat(held, self.rdata)[word.data_bits :]),
                    was_wrong.eq(is_wrong & ~is_last),
                    beat.eq(Mux(is_last, 0, beat + 1)),
                ]
        m.d.comb += [
            self.response.valid.eq(comes & is_last),
            self.response.error.eq(is_wrong),
            self.response.data.eq(Mux(is_wrong, 0, Cat(held, self.rdata))),
            completes.eq(self.response.valid & (asked != 0)),
        ]
        return completes


def _bits(number: int) -> int:
    """Bits of a count below `number`."""
    return (number - 1).bit_length()
