"""`RowSender`: a row is stored by its transfer, whole, through streams that hold."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Signal, Value

from hamming.formal.designs import size_of, small
from hamming.formal.harness import Harness
from hamming.formal.order import claim_within
from hamming.formal.proof import Proof
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.sender import RowSender

__all__ = ["PROOFS"]


def rows(dims: Dimensions) -> Harness:
    """Rows of any index that come and go as they like; one index, any one, is watched, and what is stored for it.

    A row that is let go of, or changed, before its transfer leaves key and values undefined at the indices that it
    named, and nothing else. Memories take what they are offered at any time.
    """
    sender = RowSender(dims)
    h = Harness(sender)
    m, spec = h.m, dims.spec
    taken = h.drive(sender.i, "i", holds=False)
    row = sender.i.p
    index = h.constant("index", spec.index_bits)
    h.assume(index < spec.n_keys)
    offers = sender.i.valid & (row.index == index)
    is_inside = row.index < spec.n_keys
    ready: Value = Value.cast(1)

    # What each write is of: an address, data, and whether it is done now.
    keys: Any
    if hasattr(sender, "key_write"):
        done = h.drain(sender.key_write, "key_write")
        keys = (sender.key_write.p.address, sender.key_write.p.data, done)
        ready = ready & sender.key_write.ready
    else:
        m.d.comb += sender.may_write.eq(h.free("may_write"))
        ready = ready & sender.may_write
        lane = index[: dims.lane_bits] if dims.lane_bits else 0
        here = (sender.keys.en >> lane)[0] & (sender.keys.addr == index >> dims.lane_bits)
        keys = (index, sender.keys.data.word_select(lane, spec.d_head), here)
        h.claim("a key is written with leave", ~sender.keys.en.any() | (sender.wants_write & sender.may_write))
    if hasattr(sender, "value_write"):
        done = h.drain(sender.value_write, "value_write")
        values = (sender.value_write.p.address, sender.value_write.p.data, done)
        ready = ready & sender.value_write.ready
        h.claim("values that exist are written", ~sender.value_write.valid | (values[0] < spec.n_keys * dims.fold))
    else:
        values = (sender.values.addr, sender.values.data, sender.values.en)

    # A plain account: what was transferred last, and whether nothing else was offered for the index since.
    payload = row.as_value()
    is_same, changes = Signal(), Signal()
    is_steady = ~is_same | (payload == h.before(payload, "payload"))
    m.d.sync += [is_same.eq(sender.i.valid & ~taken), changes.eq(sender.i.valid & ~taken & (changes | ~is_steady))]
    is_known = Signal()
    with m.If(offers):
        m.d.sync += is_known.eq(taken & ~changes & is_steady)

    def account(name: str, address: Any, write: Any, wanted_now: Any) -> None:
        stored, wanted = Signal(len(write[1]), name=f"stored_{name}"), Signal(len(write[1]), name=f"wanted_{name}")
        with m.If(write[2] & (write[0] == address)):
            m.d.sync += stored.eq(write[1])
        with m.If(taken & offers):
            m.d.sync += wanted.eq(wanted_now)
        h.claim(f"{name} is stored by the transfer, and stays", ~is_known | (stored == wanted))

    account("key", index, keys, row.key)
    for s in range(dims.fold):
        elements = [row.value[s * dims.n_macs + n] for n in range(dims.n_macs)]
        word: Value = Value.cast(0)
        for n, element in enumerate(elements):
            offset = (element + 2 ** (spec.value_bits - 1))[: spec.value_bits]
            word = word | (offset << n * spec.value_bits)
        account(f"slice_{s}", index * dims.fold + s, values, word)
    error = Signal(name="error_wanted")
    m.d.sync += error.eq(error | (taken & ~is_inside))
    h.claim("error says whether a row was out of range", sender.error == error)
    h.reach("the watched row is stored", is_known & ~offers)
    n_writes = dims.fold + 1
    claim_within(h, 2 * n_writes, "a row is taken", sender.i.valid & ready & ~sender.i.ready)
    return h


def _proof(name: str, *, is_small: bool = False, **sizes) -> Proof:
    dims = small(**sizes)
    keys, values = dims.config.memories
    return Proof(
        name=f"sender.{name}",
        component="RowSender",
        what="by its transfer a row is stored, no other row changes; offers to memories hold; no wait of its own",
        size=f"keys {keys}, values {values}, {size_of(dims, 'd_head', 'n_keys', 'n_lanes', 'fold', 'value_bits')}",
        build=lambda: rows(dims),
        is_small=is_small,
    )


PROOFS = (
    _proof("both", n_keys=3, d_value=2, n_macs=1, memory="request", is_small=True),
    _proof("keys", n_keys=5, n_lanes=2, d_value=2, n_macs=1, key_memory="request"),
    _proof("values", n_keys=5, n_lanes=2, d_value=2, n_macs=1, value_memory="request"),
)
