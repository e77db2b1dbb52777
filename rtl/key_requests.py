"""Requests for keys: the way from `KeyFetch` to `ScoreArray` past a key memory of any latency."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl import payload
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.memory import key_read_port
from hamming.rtl.requests import Requests

__all__ = ["KeyRequests"]


class KeyRequests(wiring.Component):
    """Lets each score request wait for its row of keys.

    To `KeyFetch` it is a memory whose words are their own addresses, to `ScoreArray` what gives requests and keys.

    * **Latency**: 1 cycle more than `Requests`.
    * **Throughput**: as of `Requests`.
    * A stall holds the request that is offered, and its keys.

    Parameters
    ----------
    dims
        Sizes of the engine.

    Members
    -------
    i : In(stream of payload.row_request)
    read : In(ReadPort)
        That of `KeyFetch`, whose `data` nobody looks at.
    request : Out(stream of payload.read_request)
    response : In(stream of payload.read_response)
    o : Out(stream of payload.row_request)
    keys : Out(n_lanes * d_head)
        Row of keys that the request is about, valid with it.
    errors : Out(2)
        As of `Requests`.
    """

    i: stream.Interface
    read: wiring.PureInterface
    request: stream.Interface
    response: stream.Interface
    o: stream.Interface
    keys: Signal
    errors: Signal

    def __init__(self, dims: Dimensions):
        self.dims = dims
        port = key_read_port(dims)
        super().__init__(
            {
                "i": In(stream.Signature(payload.row_request(dims))),
                "read": In(port),
                "request": Out(stream.Signature(payload.read_request(port))),
                "response": In(stream.Signature(payload.read_response(port))),
                "o": Out(stream.Signature(payload.row_request(dims))),
                "keys": Out(port.width),
                "errors": Out(2),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        layout, port = payload.row_request(self.dims), key_read_port(self.dims)
        m.submodules.requests = requests = Requests(layout, port, outstanding=self.dims.outstanding)
        wiring.connect(m, wiring.flipped(self.i), requests.i)
        wiring.connect(m, requests.request, wiring.flipped(self.request))
        wiring.connect(m, wiring.flipped(self.response), requests.response)
        with m.If(self.read.en):
            m.d.sync += requests.address.eq(self.read.addr)

        taken = Signal()
        moves = Signal()
        m.d.comb += [
            moves.eq(~self.o.valid | self.o.ready),
            requests.o.ready.eq(moves),
            taken.eq(requests.o.valid & moves),
            requests.word.en.eq(taken),
            self.keys.eq(requests.word.data),
            self.errors.eq(requests.errors),
        ]
        beat = Signal(layout, reset_less=True)
        with m.If(moves):
            m.d.sync += self.o.valid.eq(requests.o.valid)
        with m.If(taken):
            m.d.sync += beat.eq(requests.o.p)
        m.d.comb += self.o.p.eq(beat)
        return m
