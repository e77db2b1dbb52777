"""`SoftmaxTable`: each key with its weight, in order."""

from __future__ import annotations

from amaranth.hdl import Array, C, Cat, Const, Mux, Signal, Value

from hamming.formal.designs import size_of, small
from hamming.formal.harness import Harness
from hamming.formal.order import claim_in_order, claim_within
from hamming.formal.proof import Proof
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.softmax import SoftmaxTable

__all__ = ["PROOFS"]


def weights(dims: Dimensions) -> Harness:
    """Keys at any time; a loadable table may be written at any time, and is what was written last.

    All entries are written before the first key.
    """
    table = SoftmaxTable(dims)
    h = Harness(table)
    comes = h.drive(table.i, "i")
    goes = h.drain(table.o, "o")
    h.assume(~table.i.valid | (table.i.p.deficit <= dims.spec.d_head))
    tables = [Array(Const(weight, dims.spec.weight_bits) for weight in entries) for entries in dims.spec.tables]
    if dims.config.table == "loadable":
        tables = [loaded(h, table, dims, comes)]
    weight, may_take = tables[0][table.i.p.deficit], Value.cast(1)
    if dims.spec.n_tables > 1:
        named = h.drive(table.i_table, "i_table")
        h.assume(table.i_table.payload < dims.spec.n_tables)
        for n, entries in enumerate(tables):
            weight = Mux(table.i_table.payload == n, entries[table.i.p.deficit], weight)
        ends_query = table.i.p.last & (table.i.p.slice == dims.fold - 1)
        may_take = table.i_table.valid
        h.claim("a table is taken with its query's last key", named == (comes & ends_query))
        h.claim("a key waits for its table", ~comes | may_take)

    wanted = Signal.like(table.o.payload, name="expected")
    for field in ("index", "slice", "is_empty", "last"):
        h.m.d.comb += getattr(wanted, field).eq(getattr(table.i.p, field))
    h.m.d.comb += wanted.weight.eq(Mux(table.i.p.is_empty, 0, weight))
    inside = claim_in_order(h, comes=comes, expected=wanted, goes=goes, found=table.o.payload, most=2)
    claim_within(h, 0, "a weight is offered if a key is inside", (inside != 0) & ~table.o.valid)
    waits = table.i.valid & may_take & table.o.ready & ~table.i.ready
    claim_within(h, 1, "a key is taken if weights are", waits)
    return h


def loaded(h: Harness, table: SoftmaxTable, dims: Dimensions, is_used: Value) -> Array:
    """Drive the table's stream with anything; return the entries that are in it, after claims about its errors."""
    m, n_entries = h.m, dims.spec.d_head + 1
    writes = h.drive(table.i_weight, "i_weight", holds=False)
    claim_within(h, 0, "an entry is taken", table.i_weight.valid & ~table.i_weight.ready)
    entries = Array(Signal(dims.spec.weight_bits, name=f"entry_{t}") for t in range(n_entries))
    entry, written = table.i_weight.p, Signal(n_entries)
    stored: Value = entry.weight
    if dims.config.product == "shift":
        stored = C(0, dims.spec.weight_bits)
        for b in range(dims.spec.weight_bits):
            stored = Mux(entry.weight >> b == 1, 1 << b, stored)
    is_inside = entry.index < n_entries
    with m.If(writes & is_inside):
        for t in range(n_entries):
            with m.If(entry.index == t):
                m.d.sync += [entries[t].eq(stored), written[t].eq(1)]
    h.assume(~table.i.valid | written.all())

    # Errors: an index out of range; a table that is none, soon after a key that uses it, or a weight that is changed.
    outside, wrong, waited = Signal(), Signal(), Signal(range(n_entries + 3))
    is_bad = (entries[0] == 0) | Cat(entries[t + 1] > entries[t] for t in range(n_entries - 1)).any()
    uses = Signal()  # a key has used this table
    m.d.sync += outside.eq(outside | (writes & ~is_inside))
    m.d.sync += wrong.eq(wrong | (uses & is_bad) | (writes & is_inside & (stored != entry.weight)))
    with m.If(writes & is_inside):
        m.d.sync += [uses.eq(0), waited.eq(0)]
    with m.Else():
        m.d.sync += [uses.eq(uses | is_used), waited.eq(Mux(uses, waited + (waited < n_entries + 1), 0))]
    h.claim("an error says whether an index was out of range", table.errors[0] == outside)
    h.claim("an error says of no table wrongly that it is none", ~table.errors[1] | wrong)
    h.claim("a table that is none is found", ~((waited > n_entries) & is_bad) | table.errors[1])
    h.reach("a good table is gone through", (waited > n_entries) & ~table.errors[1])
    return entries


def _proof(name: str, *, is_small: bool = False, **sizes) -> Proof:
    dims = small(**sizes)
    return Proof(
        name=f"softmax.{name}",
        component="SoftmaxTable",
        what="each key with its weight, in order; none is lost; no wait beyond a cycle; errors are told",
        size=size_of(dims, "d_head", "weight_bits", "table", "product"),
        build=lambda: weights(dims),
        is_small=is_small,
    )


PROOFS = (
    _proof("rom", d_head=3, weight_bits=3, d_value=2, n_macs=1, is_small=True),
    _proof(
        "tables", d_head=2, weight_bits=3, d_value=2, n_macs=1, weights=((7, 3, 1), (6, 5, 5), (2, 0, 0)), is_small=True
    ),
    _proof("loadable", d_head=3, weight_bits=3, table="loadable"),
    _proof("loadable_shift", d_head=2, weight_bits=3, table="loadable", product="shift", weights=(4, 1, 0)),
)
