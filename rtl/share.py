"""An engine's share of what all engines of a chain are told: rows and queries name keys of all, it holds some."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, ResetSignal, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hamming.rtl import payload
from hamming.rtl.config import is_power_of_two
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.stage import Stage

__all__ = ["QueryShare", "RowShare"]


class RowShare(wiring.Component):
    """Hands the engine's own rows on, and drops those of the others.

    It holds the keys `start <= index < start + n_keys / n_engines`. A row at `n_keys` or above is nobody's, and sets
    `error`.

    * **Latency**: none. A row of another engine is transferred at once.

    Parameters
    ----------
    dims
        Sizes of all engines together.

    Members
    -------
    start : In(index_bits)
        The first index that the engine holds; the same in all cycles.
    i : In(stream of payload.key_row)
    o : Out(stream of payload.key_row of one engine)
    error : Out(1)
        A row at `n_keys` or above was transferred since the last reset.
    """

    start: Signal
    i: stream.Interface
    o: stream.Interface
    error: Signal

    def __init__(self, dims: Dimensions):
        self.dims = dims
        super().__init__(
            {
                "start": In(dims.spec.index_bits),
                "i": In(stream.Signature(payload.key_row(dims))),
                "o": Out(stream.Signature(payload.key_row(dims.part))),
                "error": Out(1),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        spec, row = self.dims.spec, self.i.p
        is_own = Signal()
        below, place = _place(m, self.dims, "row", row.index, self.start)
        m.d.comb += [
            is_own.eq(~below & (place < self.dims.part.spec.n_keys)),
            self.o.valid.eq(self.i.valid & is_own),
            self.i.ready.eq(Mux(is_own, self.o.ready, ~ResetSignal())),
            self.o.p.index.eq(place),
            self.o.p.key.eq(row.key),
            self.o.p.value.eq(row.value),
        ]
        if spec.n_keys < 2**spec.index_bits:
            with m.If(self.i.valid & self.i.ready & (row.index >= spec.n_keys)):
                m.d.sync += self.error.eq(1)
        return m


class QueryShare(wiring.Component):
    """Tells the engine which of its own keys a query sees.

    With `n_valid` and `first` taken as `n_keys` if they are above, and `n` the keys that an engine holds, the engine's
    are `min(max(n_valid - start, 0), n)` and `min(max(first - start, 0), n)`; so are its `base` and its `sink_end`, of
    `base` and `base + n_sinks`: sinks may lie in two engines, or in others alone.

    * **Latency**: 1 cycle.
    * **Throughput**: a query a cycle.

    Parameters
    ----------
    dims
        Sizes of all engines together.

    Members
    -------
    start : In(index_bits)
        The first index that the engine holds; the same in all cycles.
    i : In(stream of payload.query)
    o : Out(stream of payload.query of one engine)
    errors : Out(1, 2 with a range, 3 with sinks)
        Since the last reset, a query was transferred that was above `n_keys` in `n_valid`; `first`; or had a `base` of
        `n_keys` or more.
    """

    start: Signal
    i: stream.Interface
    o: stream.Interface
    errors: Signal

    def __init__(self, dims: Dimensions):
        self.dims = dims
        super().__init__(
            {
                "start": In(dims.spec.index_bits),
                "i": In(stream.Signature(payload.query(dims))),
                "o": Out(stream.Signature(payload.query(dims.part))),
                "errors": Out(3 if dims.spec.n_sinks else 2 if dims.config.range else 1),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        given = self.i.p
        m.submodules.stage = stage = Stage(payload.query(self.dims.part))
        spec = self.dims.spec
        bounds = {"n_valid": given.n_valid}
        if self.dims.config.range:
            bounds["first"] = given.first
        is_above = [bound > spec.n_keys for bound in bounds.values()]
        if spec.n_sinks:
            bounds |= {"base": given.base, "sink_end": given.base + spec.n_sinks}
            is_above.append(given.base >= spec.n_keys)
        m.d.comb += [
            stage.i.valid.eq(self.i.valid),
            self.i.ready.eq(stage.i.ready),
            stage.i.p.query.eq(given.query),
            *(stage.i.p[name].eq(self._own(m, name, bound)) for name, bound in bounds.items()),
        ]
        if spec.n_tables > 1:
            m.d.comb += stage.i.p.table.eq(given.table)
        wiring.connect(m, stage.o, wiring.flipped(self.o))
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += self.errors.eq(self.errors | Cat(is_above))
        return m

    def _own(self, m: Module, name: str, bound: Value) -> Value:
        """Return a bound of indices of all keys as one of the engine's."""
        n_own = self.dims.part.spec.n_keys
        own = Signal(range(n_own + 1), name=f"{name}_own")
        below, place = _place(m, self.dims, name, bound, self.start)
        with m.If(~below):
            m.d.comb += own.eq(Mux(place > n_own, n_own, place))
        return own


def _place(m: Module, dims: Dimensions, name: str, index: Value, start: Value) -> tuple[Value, Value]:
    """Return whether an index of all keys is below `start`, and if not, where it is from there on.

    Engines of `2**n` keys have a `start` whose lowest `n` bits are 0: what is above them is compared alone, and a carry
    goes through no more than these few bits. A row is then told apart in time to be written in the cycle.
    """
    n_own = dims.part.spec.n_keys
    below = Signal(name=f"{name}_is_below")
    place = Signal(len(index), name=f"{name}_place")
    n_low = n_own.bit_length() - 1 if is_power_of_two(n_own) else 0
    m.d.comb += [
        below.eq(index[n_low:] < start[n_low:]),
        place.eq(Cat(index[:n_low], (index[n_low:] - start[n_low:])[: len(index) - n_low])),
    ]
    return below, place
