"""`RowLoader`: a row goes where it belongs, whole by its transfer, and nowhere else."""

from __future__ import annotations

from amaranth.hdl import Signal

from hamming.formal.designs import size_of, small
from hamming.formal.harness import Harness
from hamming.formal.order import claim_within
from hamming.formal.proof import Proof
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.loader import RowLoader

__all__ = ["PROOFS"]


def rows(dims: Dimensions) -> Harness:
    """Rows of any index that come and go as they like; one index, any one, is watched, and what is stored for it.

    A row that is let go of, or changed, before its transfer leaves the value vectors undefined at the indices that it
    named, and nothing else.
    """
    loader = RowLoader(dims)
    h = Harness(loader)
    m, spec = h.m, dims.spec
    taken = h.drive(loader.i, "i", holds=False)
    m.d.comb += loader.may_write.eq(h.free("may_write"))
    row = loader.i.p
    index = h.constant("index", spec.index_bits)
    h.assume(index < spec.n_keys)
    offers = loader.i.valid & (row.index == index)
    is_inside = row.index < spec.n_keys
    keys, values = loader.keys, loader.values

    # A plain account: the key and the values of the last transfer, and whether the offer was the same all the while.
    payload = row.as_value()
    is_same = Signal()  # what is offered was offered before, since the last transfer or since it began
    is_steady = Signal()
    m.d.sync += is_same.eq(loader.i.valid & ~taken)
    m.d.comb += is_steady.eq(~is_same | (payload == h.before(payload, "payload")))
    changes = Signal()  # this offer was not the same all the while
    m.d.sync += changes.eq(loader.i.valid & ~taken & (changes | ~is_steady))
    is_whole = ~changes & is_steady

    is_known, stored, wanted = Signal(), Signal(spec.d_head), Signal(spec.d_head)
    lane = index[: dims.lane_bits] if dims.lane_bits else 0
    writes_key = (keys.en >> lane)[0] & (keys.addr == index >> dims.lane_bits)
    with m.If(writes_key):
        m.d.sync += stored.eq(keys.data.word_select(lane, spec.d_head))
    with m.If(taken & offers):
        m.d.sync += [is_known.eq(1), wanted.eq(row.key)]
    h.claim("a key is stored with its transfer, and stays", ~is_known | (stored == wanted))
    h.claim("a key is written with its transfer alone", writes_key == (taken & offers))
    has_values = Signal()  # nothing was offered for the index since its transfer
    with m.If(offers):
        m.d.sync += has_values.eq(taken & is_whole)
    for s in range(dims.fold):
        piece, wanted_piece = (Signal(dims.n_macs * spec.value_bits, name=f"{name}_{s}") for name in ("piece", "want"))
        with m.If(values.en & (values.addr == index * dims.fold + s)):
            m.d.sync += piece.eq(values.data)
        with m.If(taken & offers):
            for n in range(dims.n_macs):
                part = slice(n * spec.value_bits, (n + 1) * spec.value_bits)
                m.d.sync += wanted_piece[part].eq(row.value[s * dims.n_macs + n] + 2 ** (spec.value_bits - 1))
        h.claim(f"slice {s} is stored by the transfer, and stays", ~has_values | (piece == wanted_piece))
    writes = keys.en.any() | values.en
    h.claim("nothing is written but for a row that is offered and has a place", ~writes | (loader.i.valid & is_inside))
    h.claim("a key's turn is asked for with its transfer", ~keys.en.any() | (loader.wants_write & loader.may_write))
    error = Signal(name="error_wanted")
    m.d.sync += error.eq(error | (taken & ~is_inside))
    h.claim("error says whether a row was out of range", loader.error == error)
    h.reach("the watched row is stored", has_values & ~offers)
    waits = loader.i.valid & loader.may_write & ~loader.i.ready
    claim_within(h, dims.fold - 1, "a row is taken", waits)
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
        what="by its transfer a row is stored, no other row changes, one out of range changes none; `fold` cycles",
        size=size_of(dims, "d_head", "n_keys", "n_lanes", "fold", "n_macs", "value_bits"),
        build=lambda: rows(dims),
        is_small=is_small,
    )


PROOFS = (
    _proof("one_slice", n_keys=3, d_value=1),
    _proof("slices", n_keys=5, n_lanes=2, d_value=3, n_macs=1, is_small=True),
    _proof("lanes", n_keys=7, n_lanes=4, d_value=4, n_macs=2, d_head=3, value_bits=3),
)
