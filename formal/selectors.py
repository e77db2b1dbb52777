"""Both selectors: of any query among others, exactly the keys of the specification."""

from __future__ import annotations

from amaranth.hdl import Cat

from formal.designs import size_of, small
from formal.harness import Harness
from formal.order import claim_within
from formal.proof import Proof
from formal.selection import Watched, drive_rows
from rtl.config import Dimensions
from rtl.selector import selector

__all__ = ["PROOFS"]


def kept_keys(dims: Dimensions, *, most: int) -> Harness:
    """Queries of any levels at any time; the beats of one, any one, are held against a plain ranking."""
    component = selector(dims)
    h = Harness(component)
    rows = drive_rows(h, component, dims)
    Watched(h, component, dims, rows, by_index=dims.config.selector == "histogram", most=most)
    return h


def no_hang(dims: Dimensions, *, most: int, gives: int, takes: int) -> Harness:
    """Queries of any levels at any time; with the output ready, no beat is waited for longer than stated."""
    component = selector(dims)
    h = Harness(component)
    rows = drive_rows(h, component, dims)
    watched = Watched(h, component, dims, rows, by_index=dims.config.selector == "histogram", most=most)
    h.claims.clear()
    h.reached.clear()
    ready = component.o.ready
    claim_within(h, gives, "a beat is offered", Cat(watched.inside != 0).any() & ready & ~component.o.valid)
    claim_within(h, takes, "a row is taken", component.i.valid & ready & ~component.i.ready)
    return h


def _proof(name: str, *, most: int, depth: int = 0, is_small: bool = False, **sizes) -> Proof:
    dims = small(**sizes)
    return Proof(
        name=f"{dims.config.selector}.{name}",
        component="HistogramSelector" if dims.config.selector == "histogram" else "InsertionSelector",
        what="max(1, min(top_k, taking part)) beats, the right keys in the right order; offers hold",
        size=size_of(dims, "n_keys", "d_head", "top_k", "n_lanes"),
        build=lambda: kept_keys(dims, most=most),
        engine="bmc" if depth else "pdr",
        depth=depth,
        is_small=is_small,
    )


PROOFS = (
    _proof("three_keys", selector="insertion", n_keys=3, d_head=1, top_k=2, most=2, is_small=True),
    _proof("two_lanes", selector="insertion", n_keys=4, d_head=2, top_k=2, n_lanes=2, most=2),
    _proof("three_kept", selector="insertion", n_keys=4, d_head=1, top_k=3, most=2),
    _proof("three_keys", n_keys=3, d_head=1, top_k=2, most=6, depth=22),
)
