"""Softmax: a kept key's weight, from the table."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, ResetSignal, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hamming.rtl import payload
from hamming.rtl.dimensions import Dimensions

__all__ = ["SoftmaxTable", "table_read"]


def table_read(dims: Dimensions) -> wiring.Signature:
    """Return the port by which a loadable table is read back, as the reader sees it.

    `data` is the entry at `index`, of several tables of `table`, in a cycle in which `is_free`; 0 where there is none.
    """
    entry = payload.weight_entry(dims)
    members = {name: Out(field.shape) for name, field in entry if name != "weight"}
    return wiring.Signature(members | {"data": In(dims.spec.weight_bits), "is_free": In(1)})


class SoftmaxTable(wiring.Component):
    """Looks up `weight = weights[deficit]`, with `deficit = max_matches - matches`.

    Scores are integers and the row's own maximum is the reference, so the table holds every value that the softmax's
    exponential can take: `exp(-2 * deficit * sigma_q * sigma_k / sqrt(d_head))` (HAD, arXiv 2502.01770), rounded
    to `weight_bits`. An empty query's weight is 0.

    A loadable table may hold anything. An entry above `d_head` is dropped; where products are shifts, one that is no
    power of two is stored as the power of two below it. Once a query uses a table, it is gone through beside the keys:
    its first entry must be positive, and none above the one before. What is not so sets a bit of `errors`, and the
    table is used as it is.

    `i.ready` is a register: what stalls the sums is not felt before it in the same cycle, and the key that comes
    meanwhile waits in a spare place.

    Of several tables a query uses the one that `i_table` names; its keys wait for it.

    * **Latency**: 1 cycle.
    * **Throughput**: a key a cycle.

    Parameters
    ----------
    dims
        Sizes of the engine; `config.table` says whether the table is a ROM or loadable.

    Members
    -------
    i : In(stream of payload.replayed_key)
    i_table : In(stream of table_bits), if there are several tables
        Of each query, 0 to `n_tables - 1`; taken with its last key.
    i_weight : In(stream of payload.weight_entry), if the table is loadable
        Entries, in any order, all of a table before the first query that uses it. Always ready.
    o : Out(stream of payload.weighted_key)
    read : In(table_read), if the table is loadable and behind AXI
    errors : Out(2), if the table is loadable
        Since the last reset: an entry above `d_head`, or of no table, was written; a table was no softmax table. The
        latter shows at most `d_head + 2` cycles after the first key that uses it.

    Equals `golden.softmax`.
    """

    i: stream.Interface
    i_table: stream.Interface
    i_weight: stream.Interface
    o: stream.Interface
    read: wiring.PureInterface
    errors: Signal

    def __init__(self, dims: Dimensions):
        self.dims = dims
        members = {
            "i": In(stream.Signature(payload.replayed_key(dims))),
            "o": Out(stream.Signature(payload.weighted_key(dims))),
        }
        if dims.spec.n_tables > 1:
            members["i_table"] = In(stream.Signature(dims.spec.table_bits))
        if dims.config.table == "loadable":
            members["i_weight"] = In(stream.Signature(payload.weight_entry(dims)))
            members["errors"] = Out(2)
            if dims.config.bus == "axi":
                members["read"] = In(table_read(dims))
        super().__init__(members)

    def elaborate(self, platform) -> Module:
        m = Module()
        several = self.dims.spec.n_tables > 1
        weight = Signal(self.dims.spec.weight_bits)
        if self.dims.config.table == "loadable":
            self._memories(m, weight)
        else:
            self._rom(m, weight)

        layout = payload.weighted_key(self.dims)
        found = Signal(layout)
        weighted = Signal(layout, reset_less=True)
        spare = Signal(layout, reset_less=True)
        has_spare = Signal()
        moves = Signal()
        is_here = self.i.valid & self.i_table.valid if several else self.i.valid
        m.d.comb += [
            found.weight.eq(Mux(self.i.p.is_empty, 0, weight)),
            found.index.eq(self.i.p.index),
            found.slice.eq(self.i.p.slice),
            found.is_empty.eq(self.i.p.is_empty),
            found.last.eq(self.i.p.last),
            self.o.p.eq(weighted),
            self.i.ready.eq(~has_spare & self.i_table.valid if several else ~has_spare),
            moves.eq(~self.o.valid | self.o.ready),
        ]
        with m.If(moves):
            m.d.sync += [
                self.o.valid.eq(is_here | has_spare),
                weighted.eq(Mux(has_spare, spare, found)),
                has_spare.eq(0),
            ]
        with m.Elif(is_here & ~has_spare):
            m.d.sync += [has_spare.eq(1), *([] if self.dims.has_chains else [spare.eq(found)])]
        if self.dims.has_chains:
            with m.If(~has_spare):
                m.d.sync += spare.eq(found)
        if several:
            ends_query = self.i.p.last & (self.i.p.slice == self.dims.fold - 1)
            m.d.comb += self.i_table.ready.eq(self.i.valid & ~has_spare & ends_query)
        return m

    def _rom(self, m: Module, weight: Signal) -> None:
        spec = self.dims.spec
        place = Cat(self.i.p.deficit, self.i_table.payload) if spec.n_tables > 1 else self.i.p.deficit
        with m.Switch(place):
            for n, table in enumerate(spec.tables):
                for deficit, entry in enumerate(table):
                    with m.Case(n << spec.matches_bits | deficit):
                        m.d.comb += weight.eq(entry)

    def _memories(self, m: Module, weight: Signal) -> None:
        """Make a memory for each table."""
        spec, entry = self.dims.spec, self.i_weight.p
        is_taken = Signal()
        is_outside = Signal()
        stored = Signal.like(weight)
        m.d.comb += [
            self.i_weight.ready.eq(~ResetSignal()),
            is_taken.eq(self.i_weight.valid & self.i_weight.ready),
            is_outside.eq(entry.index > spec.d_head),
            stored.eq(_highest(entry.weight) if self.dims.config.product == "shift" else entry.weight),
        ]
        if spec.n_tables > 1:
            with m.If(entry.table >= spec.n_tables):
                m.d.comb += is_outside.eq(1)
        for n in range(spec.n_tables):
            is_written, is_used = (entry.table == n, self.i_table.payload == n) if spec.n_tables > 1 else (1, 1)
            table = Memory(shape=weight.shape(), depth=spec.d_head + 1, init=[])
            m.submodules[f"table_{n}" if spec.n_tables > 1 else "table"] = table
            write = table.write_port()
            read = table.read_port(domain="comb")
            m.d.comb += [
                write.addr.eq(entry.index),
                write.data.eq(stored),
                write.en.eq(is_taken & ~is_outside & is_written),
                read.addr.eq(self.i.p.deficit),
            ]
            with m.If(is_used):
                m.d.comb += weight.eq(read.data)
            checks = self._check(m, table, is_used=self.i.valid & self.i.ready & is_used, is_written=write.en)
            if self.dims.config.bus == "axi":
                self._read_back(m, checks, n)
        with m.If(is_taken & is_outside):
            m.d.sync += self.errors[0].eq(1)
        with m.If(is_taken & ~is_outside & (stored != entry.weight)):
            m.d.sync += self.errors[1].eq(1)

    def _read_back(self, m: Module, checks: tuple[Any, Signal], number: int) -> None:
        """Lend a table's port of the check, while there is none."""
        port, is_checking = checks
        wanted = self.read.table == number if self.dims.spec.n_tables > 1 else 1
        with m.If(~is_checking):
            m.d.comb += port.addr.eq(self.read.index)
        with m.If(wanted):
            m.d.comb += self.read.is_free.eq(~is_checking)
            with m.If(self.read.index <= self.dims.spec.d_head):
                m.d.comb += self.read.data.eq(port.data)

    def _check(self, m: Module, table: Memory, *, is_used: Value, is_written: Value) -> tuple[Any, Signal]:
        """Go through a table once it is used, and see whether it rises, or begins with 0.

        Returned are the port by which it is read, and whether it is.
        """
        port = table.read_port(domain="comb")
        is_new = Signal(init=1)  # written, and not used since
        is_checking = Signal()
        place = Signal(range(table.depth))
        before = Signal(table.shape, reset_less=True)
        with m.If(is_written):
            m.d.sync += [is_new.eq(1), is_checking.eq(0)]
        with m.Elif(is_new & is_used):
            m.d.sync += [is_new.eq(0), is_checking.eq(1), place.eq(0)]
        with m.Elif(is_checking):
            m.d.sync += [place.eq(place + 1), before.eq(port.data), is_checking.eq(place != self.dims.spec.d_head)]
            with m.If(Mux(place == 0, port.data == 0, port.data > before)):
                m.d.sync += self.errors[1].eq(1)
        m.d.comb += port.addr.eq(place)
        return port, is_checking


def _highest(word: Value) -> Value:
    """Return the word with the highest 1 of `word` alone."""
    return Cat(word[b] & ~word[b + 1 :].any() for b in range(len(word)))
