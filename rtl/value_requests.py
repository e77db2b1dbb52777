"""Requests for values: the way from `SoftmaxTable` to `WeightedSum` past a value memory of any latency."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl import payload
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.memory import value_read_port
from hamming.rtl.requests import Requests

__all__ = ["ValueRequests"]


class ValueRequests(wiring.Component):
    """Lets each weighted key wait for its slice of the value vector, which is asked for unless the weight is 0.

    * **Latency**, **throughput** and stalls: as of `Requests`.

    Parameters
    ----------
    dims
        Sizes of the engine.

    Members
    -------
    i : In(stream of payload.weighted_key)
    request : Out(stream of payload.read_request)
        Slice `s` of the value vector of key `index` is at address `index * fold + s`.
    response : In(stream of payload.read_response)
    o : Out(stream of payload.weighted_key)
        With an `index` of 0.
    values : In(ReadPort)
        That of `WeightedSum`, to which the address does not matter.
    errors : Out(2)
        As of `Requests`.
    """

    i: stream.Interface
    request: stream.Interface
    response: stream.Interface
    o: stream.Interface
    values: wiring.PureInterface
    errors: Signal

    def __init__(self, dims: Dimensions):
        self.dims = dims
        port = value_read_port(dims)
        super().__init__(
            {
                "i": In(stream.Signature(payload.weighted_key(dims))),
                "request": Out(stream.Signature(payload.read_request(port))),
                "response": In(stream.Signature(payload.read_response(port))),
                "o": Out(stream.Signature(payload.weighted_key(dims))),
                "values": In(port),
                "errors": Out(2),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        dims = self.dims
        layout = payload.placeless_key(dims)
        m.submodules.requests = requests = Requests(
            layout, value_read_port(dims), outstanding=dims.outstanding, reads=lambda key: key.weight != 0
        )
        wiring.connect(m, requests.request, wiring.flipped(self.request))
        wiring.connect(m, wiring.flipped(self.response), requests.response)
        key = self.i.p
        m.d.comb += [
            requests.i.valid.eq(self.i.valid),
            self.i.ready.eq(requests.i.ready),
            requests.address.eq(key.index * dims.fold + key.slice),
            self.o.valid.eq(requests.o.valid),
            requests.o.ready.eq(self.o.ready),
            *(requests.i.p[name].eq(key[name]) for name in layout.members),
            *(self.o.p[name].eq(requests.o.p[name]) for name in layout.members),
            requests.word.en.eq(self.values.en),
            self.values.data.eq(requests.word.data),
            self.errors.eq(requests.errors),
        ]
        return m
