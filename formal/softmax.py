"""`SoftmaxTable`: each key with its weight, in order."""

from __future__ import annotations

from amaranth.hdl import Array, Const, Mux, Signal

from formal.designs import size_of, small
from formal.harness import Harness
from formal.order import claim_in_order, claim_within
from formal.proof import Proof
from rtl.config import Dimensions
from rtl.softmax import SoftmaxTable

__all__ = ["PROOFS"]


def weights(dims: Dimensions) -> Harness:
    """Keys at any time; a loadable table may be written at any time, and is what was written last."""
    table = SoftmaxTable(dims)
    h = Harness(table)
    comes = h.drive(table.i, "i")
    goes = h.drain(table.o, "o")
    h.assume(~table.i.valid | (table.i.p.deficit <= dims.spec.d_head))
    entries = Array(Const(weight, dims.spec.weight_bits) for weight in dims.spec.weights)
    is_written = Const(1)
    if dims.config.table == "loadable":
        writes = h.drive(table.i_weight, "i_weight")
        h.assume(~table.i_weight.valid | (table.i_weight.p.index <= dims.spec.d_head))
        claim_within(h, 0, "an entry is taken", table.i_weight.valid & ~table.i_weight.ready)
        entries = Array(Signal(dims.spec.weight_bits, name=f"entry_{t}") for t in range(dims.spec.d_head + 1))
        written = Signal(dims.spec.d_head + 1)
        with h.m.If(writes):
            h.m.d.sync += entries[table.i_weight.p.index].eq(table.i_weight.p.weight)
            h.m.d.sync += written.bit_select(table.i_weight.p.index, 1).eq(1)
        is_written = written.all()
    h.assume(~table.i.valid | is_written)

    wanted = Signal.like(table.o.payload, name="expected")
    for field in ("index", "slice", "is_empty", "last"):
        h.m.d.comb += getattr(wanted, field).eq(getattr(table.i.p, field))
    h.m.d.comb += wanted.weight.eq(Mux(table.i.p.is_empty, 0, entries[table.i.p.deficit]))
    inside = claim_in_order(h, comes=comes, expected=wanted, goes=goes, found=table.o.payload, most=2)
    claim_within(h, 0, "a weight is offered if a key is inside", (inside != 0) & ~table.o.valid)
    claim_within(h, 1, "a key is taken if weights are", table.i.valid & table.o.ready & ~table.i.ready)
    return h


def _proof(name: str, *, is_small: bool = False, **sizes) -> Proof:
    dims = small(**sizes)
    return Proof(
        name=f"softmax.{name}",
        component="SoftmaxTable",
        what="each key with its weight, in order; offers hold; none is lost; no wait beyond a cycle",
        size=size_of(dims, "d_head", "weight_bits", "table"),
        build=lambda: weights(dims),
        is_small=is_small,
    )


PROOFS = (
    _proof("rom", d_head=3, weight_bits=3, d_value=2, n_macs=1, is_small=True),
    _proof("loadable", d_head=3, weight_bits=3, table="loadable"),
)
