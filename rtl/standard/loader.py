"""Loading: keys and value vectors into the baseline's memories, one row a cycle."""

from __future__ import annotations

from amaranth.hdl import Module, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.golden.standard import StandardSpec
from hamming.rtl.standard import payload
from hamming.rtl.standard.design import StandardDesign

__all__ = ["StandardLoader"]


class StandardLoader(wiring.Component):
    """Writes a key and its value vector into their lane of their row, integers offset to be unsigned.

    * **Latency**: none; what was transferred is seen by every read from the next cycle on.
    * **Throughput**: a key a cycle.

    Parameters
    ----------
    design
        Sizes.

    Members
    -------
    i : In(stream of payload.key_row)
    keys, values : Out(WritePort)
        One enable bit a lane.
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
                "values": Out(payload.write_port(design, design.spec.d_value)),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        design, row = self.design, self.i.p
        m.d.comb += self.i.ready.eq(1)
        for port, vector, n_elements in (
            (self.keys, row.key, design.spec.d_head),
            (self.values, row.value, design.spec.d_value),
        ):
            m.d.comb += [
                port.addr.eq(row.index >> design.lane_bits),
                port.data.eq(on_every_lane(design, vector.as_value(), n_elements)),
            ]
            for lane in range(design.n_lanes):
                m.d.comb += port.en[lane].eq(self.i.valid & (row.index[: design.lane_bits] == lane))
        return m


def on_every_lane(design: StandardDesign, vector: Value, n_elements: int) -> Value:
    """Return a vector once for each lane of a row, its elements offset to be unsigned if they are integers."""
    # Flipping the sign bit of a signed element adds half its range to it.
    bits = design.spec.element_bits
    is_offset = isinstance(design.spec, StandardSpec)
    sign_bits = sum(1 << bits * n + bits - 1 for n in range(n_elements)) if is_offset else 0
    return (vector ^ sign_bits).replicate(design.n_lanes)
