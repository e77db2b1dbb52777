"""`RowLoader`: a row goes where it belongs, whole by its transfer, and nowhere else."""

from __future__ import annotations

from amaranth.hdl import Signal

from formal.designs import size_of, small
from formal.harness import Harness
from formal.order import claim_within
from formal.proof import Proof
from rtl.config import Dimensions
from rtl.loader import RowLoader

__all__ = ["PROOFS"]


def rows(dims: Dimensions) -> Harness:
    """Rows of any index at any time; one index, any one, is watched, and what the memories hold for it."""
    loader = RowLoader(dims)
    h = Harness(loader)
    m, spec = h.m, dims.spec
    taken = h.drive(loader.i, "i")
    row = loader.i.p
    h.assume(row.index < spec.n_keys)
    index = h.constant("index", spec.index_bits)
    h.assume(index < spec.n_keys)
    is_it = row.index == index

    # What is written for the watched index, and what was transferred for it last.
    keys, values = loader.keys, loader.values
    is_known = Signal()
    stored, wanted = Signal(spec.d_head), Signal(spec.d_head)
    lane = index[: dims.lane_bits] if dims.lane_bits else 0
    with m.If((keys.en >> lane)[0] & (keys.addr == index >> dims.lane_bits)):
        m.d.sync += stored.eq(keys.data.word_select(lane, spec.d_head))
    with m.If(taken & is_it):
        m.d.sync += [is_known.eq(1), wanted.eq(row.key)]
    is_offered = loader.i.valid & is_it
    h.claim("a key is stored where it belongs, and stays", ~is_known | is_offered | (stored == wanted))
    for s in range(dims.fold):
        piece, wanted_piece = (Signal(dims.n_macs * spec.value_bits, name=f"{name}_{s}") for name in ("piece", "want"))
        with m.If(values.en & (values.addr == index * dims.fold + s)):
            m.d.sync += piece.eq(values.data)
        with m.If(taken & is_it):
            for n in range(dims.n_macs):
                part = slice(n * spec.value_bits, (n + 1) * spec.value_bits)
                m.d.sync += wanted_piece[part].eq(row.value[s * dims.n_macs + n] + 2 ** (spec.value_bits - 1))
        h.claim(f"slice {s} is stored where it belongs, and stays", ~is_known | is_offered | (piece == wanted_piece))
    h.claim("nothing is written where nothing is offered", loader.i.valid | ~(keys.en.any() | values.en))
    h.reach("the watched row is stored", is_known & ~is_offered)
    claim_within(h, dims.fold - 1, "a row is taken", loader.i.valid & ~loader.i.ready)
    for name, port in (("keys", keys), ("values", values)):
        h.show(f"{name}.en", port.en)
        h.show(f"{name}.addr", port.addr)
        h.show(f"{name}.data", port.data)
    return h


def _proof(name: str, *, is_small: bool = False, **sizes) -> Proof:
    dims = small(**sizes)
    return Proof(
        name=f"loader.{name}",
        component="RowLoader",
        what="after its transfer a row is in the memories, and no other row is changed; taken in `fold` cycles",
        size=size_of(dims, "d_head", "n_keys", "n_lanes", "fold", "n_macs", "value_bits"),
        build=lambda: rows(dims),
        is_small=is_small,
    )


PROOFS = (
    _proof("one_slice", n_keys=3, d_value=1),
    _proof("slices", n_keys=5, n_lanes=2, d_value=3, n_macs=1, is_small=True),
    _proof("lanes", n_keys=7, n_lanes=4, d_value=4, n_macs=2, d_head=3, value_bits=3),
)
