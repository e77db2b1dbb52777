"""The engine whole: reset, memories, order, and an answer to every query."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Signal, Value
from amaranth.lib.wiring import In

from hamming.formal.designs import size_of, small
from hamming.formal.harness import Harness
from hamming.formal.order import claim_within
from hamming.formal.proof import Proof
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.engine import Engine

__all__ = ["PROOFS"]


def surrounded(dims: Dimensions, **given: Any) -> tuple[Harness, Engine, dict[str, Value]]:
    """Return an engine whose inputs may do anything, whether or not a protocol allows it, and its transfers.

    Its memories are outside, and hold anything at any time: what is proved here depends on no key and no value.
    """
    engine = Engine(dims.spec, dims.config)
    h = Harness(engine, **given)
    names = ["i_row", "i_query", *(["i_mask"] if dims.config.mask else [])]
    names += ["i_weight"] if dims.config.table == "loadable" else []
    moves = {name: h.drive(getattr(engine, name), name, holds=False) for name in names}
    moves |= {name: h.drain(getattr(engine, name), name, claims=not given) for name in ("o_out", "o_selected")}
    if dims.config.memory == "request":
        names = ["key_request", "value_request", "key_write", "value_write"]
        moves |= {name: h.drain(getattr(engine, name), name, claims=not given) for name in names}
        names = ["key_response", "value_response"]
        moves |= {name: h.drive(getattr(engine, name), name, holds=False) for name in names}
        return h, engine, moves
    for name in ("key_read", "value_read"):
        port = getattr(engine, name)
        latest = h.before(port.data, name)
        h.m.d.comb += port.data.eq(h.free(f"{name}_data", len(port.data)))
        h.assume(h.before(port.en.any(), f"{name}_en") | (port.data == latest))
    for name in ("key_read", "key_write", "value_read", "value_write"):
        h.show(f"{name}.en", getattr(engine, name).en)
        h.show(f"{name}.addr", getattr(engine, name).addr)
    return h, engine, moves


def in_reset(dims: Dimensions) -> Harness:
    """Resets may come at any time."""
    h, engine, moves = surrounded(dims, resets=True)
    h.show("rst", h.reset)
    for name in moves:
        interface = getattr(engine, name)
        signal = "valid" if getattr(engine, name).signature.members["ready"].flow == In else "ready"
        h.claim(f"{name}.{signal} is 0 in reset", ~h.reset | ~getattr(interface, signal))
    for name in ("key_write", "value_write") if dims.config.memory == "external" else ():
        h.claim(f"{name} writes nothing in reset", ~h.reset | ~getattr(engine, name).en.any())
    h.claim("error is 0 after a reset", ~h.before_always(h.reset, "reset") | (engine.error == 0))
    h.reach("a reset comes while a query is inside", h.reset & h.before_always(moves["i_query"], "query"))
    return h


def memories(dims: Dimensions) -> Harness:
    """Anything comes at any time, resets too."""
    h, engine, moves = surrounded(dims, resets=True)
    n_keys, n_lanes, row = dims.spec.n_keys, dims.n_lanes, engine.i_row
    reads, writes = engine.key_read.en[0], engine.key_write.en.any()
    h.claim("no key is read and written at once", ~(reads & writes & (engine.key_read.addr == engine.key_write.addr)))
    is_clean = Signal(name="is_clean")
    places = [engine.key_write.addr * n_lanes + lane < n_keys for lane in range(n_lanes)]
    for lane, exists in enumerate(places):
        h.claim(f"lane {lane} is written where it has a key", ~(engine.key_write.en[lane] & is_clean) | exists)
    h.claim("rows that exist are read", ~reads | (engine.key_read.addr < dims.n_rows))
    address = engine.value_write.addr
    h.claim("values that exist are written", ~engine.value_write.en.any() | (address < n_keys * dims.fold))
    outside = row.p.index >= n_keys
    # A key is written later than its row is taken, of an FPGA; one that waits in a reset, at power-up any, comes first.
    if dims.has_chains:
        waits = Signal(name="key_waits")
        h.m.d.sync += is_clean.eq(is_clean | writes | moves["i_row"])
        h.m.d.sync += waits.eq((moves["i_row"] & ~outside) | (waits & ~writes))
        h.claim("a key is written of a row in range alone", ~(writes & is_clean) | waits)
    else:
        h.m.d.comb += is_clean.eq(1)
    at_once = engine.value_write.en.any() if dims.has_chains else writes | engine.value_write.en.any()
    h.claim("a row out of range writes nothing", ~(row.valid & outside) | ~at_once)
    reader_waits = engine.i_query.valid & ~engine.i_query.ready
    h.reach("a query waits for a key", h.before(writes & reader_waits, "waited") & moves["i_query"])
    return h


def requests(dims: Dimensions) -> Harness:
    """Anything comes at any time, also from memories."""
    h, engine, moves = surrounded(dims)
    n_keys, row = dims.spec.n_keys, engine.i_row
    h.claim("rows that exist are asked for", ~moves["key_request"] | (engine.key_request.p.address < dims.n_rows))
    h.claim("keys that exist are written", ~engine.key_write.valid | (engine.key_write.p.address < n_keys))
    address = engine.value_write.p.address
    h.claim("values that exist are written", ~engine.value_write.valid | (address < n_keys * dims.fold))
    h.claim("a row out of range is taken at once", ~(row.valid & (row.p.index >= n_keys)) | row.ready)
    h.claim("responses are always taken", engine.key_response.ready & engine.value_response.ready)
    kept = {text: claim for text, claim in h.claims.items() if not text.startswith("o_")}
    h.claims = kept
    h.reach("values are asked for", moves["value_request"])
    return h


def taken_rows(dims: Dimensions) -> Harness:
    """Anything comes at any time, and nothing that goes out need be taken."""
    h, engine, _ = surrounded(dims)
    h.claims.clear()
    waits = engine.i_row.valid & ~engine.i_row.ready
    claim_within(h, dims.fold, "a row is taken, whatever queries do", waits)
    return h


def answers(dims: Dimensions, *, most: int, patience: int, keeps: tuple[str, ...]) -> Harness:
    """Queries, rows and masks at any time; the beats that answer are counted."""
    h, engine, moves = surrounded(dims)
    m = h.m
    n_beats = dims.spec.d_value // dims.n_dividers
    inside, beat = Signal(range(most + 2)), Signal(range(n_beats + 1))
    ends = moves["o_out"] & engine.o_out.p.last
    m.d.sync += inside.eq(inside + moves["i_query"] - ends)
    with m.If(moves["o_out"]):
        m.d.sync += beat.eq(beat + 1)
        with m.If(engine.o_out.p.last):
            m.d.sync += beat.eq(0)
    h.claim("no answer without a query", ~engine.o_out.valid | (inside != 0))
    h.claim(f"at most {most} queries are inside", inside <= most)
    h.claim(f"an answer has {n_beats} beats", ~moves["o_out"] | (engine.o_out.p.last == (beat == n_beats - 1)))
    kept, kept_inside = Signal(range(dims.spec.top_k + 1)), Signal(range(most + 2))
    ends_kept = moves["o_selected"] & engine.o_selected.p.last
    m.d.sync += kept_inside.eq(kept_inside + moves["i_query"] - ends_kept)
    with m.If(moves["o_selected"]):
        m.d.sync += kept.eq(kept + 1)
        with m.If(engine.o_selected.p.last):
            m.d.sync += kept.eq(0)
    h.claim("no kept key without a query", ~engine.o_selected.valid | (kept_inside != 0))
    h.claim(f"at most {dims.spec.top_k} kept keys", ~moves["o_selected"] | (kept < dims.spec.top_k))
    h.claim("an empty query has no kept key", ~moves["o_selected"] | ~engine.o_selected.p.is_empty | (kept == 0))
    h.claim("a kept key exists", ~engine.o_selected.valid | (engine.o_selected.p.index < dims.spec.n_keys))
    ready = engine.o_out.ready & engine.o_selected.ready
    if dims.config.mask:
        ready = ready & engine.i_mask.valid
    waits = (inside != 0) & ready & ~engine.o_out.valid
    claim_within(h, patience, "an answer is offered", waits)
    claim_within(h, patience, "a query is taken", engine.i_query.valid & ready & ~engine.i_query.ready)
    h.reach("a query is answered", ends)
    if keeps:
        h.claims = {text: claim for text, claim in h.claims.items() if text.startswith(keeps)}
    return h


def _proof(name: str, what: str, build, *, is_small: bool = False, depth: int = 0, **sizes) -> Proof:
    dims = small(**({"memory": "external"} | sizes))
    return Proof(
        name=f"engine.{name}",
        component="Engine",
        what=what,
        size=size_of(dims, "selector", "n_keys", "n_lanes", "d_head", "top_k", "d_value", "n_macs", "mask", "table"),
        build=lambda: build(dims),
        engine="bmc" if depth else "pdr",
        depth=depth,
        is_small=is_small,
    )


_TINY = {"n_keys": 3, "d_head": 1, "top_k": 2, "weight_bits": 1, "out_frac_bits": 0, "weights": (1, 0)}
_FULL = _TINY | {"d_value": 2, "n_macs": 1, "n_lanes": 2, "mask": True, "table": "loadable"}
_REQUEST = {"memory": "request", "outstanding": 4}
_REQUESTS = "requests and writes hold, and are of words that exist; responses are taken, whatever comes"
_RESET = "in reset no stream transfers and nothing is written, whatever comes"
_ROWS = "a row is taken within fold + 1 cycles, whatever queries do"
_MEMORIES = "no word is read and written at once, ever; what is out of range writes nothing"
_ANSWERS = "no more answers and kept keys than queries; an answer is whole; kept keys exist"
_CONTROL = "offers hold; an answer is whole; kept keys are as many as allowed, and exist"
_OFFERS = ("o_out holds", "o_selected holds", "an answer has")
_COUNTS = ("no answer", "an answer has", "no kept key", "at most 2 kept", "an empty query", "a kept key")
_WAITS = ("an answer is offered", "a query is taken")
_KEPT = (*_OFFERS, "no kept key", "at most 2 kept", "an empty query", "a kept key", "a query is taken")

PROOFS = (
    _proof("reset", _RESET, in_reset, is_small=True, **_TINY),
    _proof("reset_full", _RESET, in_reset, **_FULL),
    _proof("reset_luts", _RESET, in_reset, is_small=True, **_FULL, fabric="luts"),
    _proof("memories_luts", _MEMORIES, memories, is_small=True, **_FULL, fabric="luts"),
    _proof(
        "rows_luts", "a row is taken within fold + 1 cycles, whatever queries do", taken_rows, **_FULL, fabric="luts"
    ),
    _proof("memories", _MEMORIES, memories, is_small=True, **_TINY),
    _proof("memories_full", _MEMORIES, memories, **_FULL),
    _proof("reset_request", _RESET, in_reset, is_small=True, **_TINY, **_REQUEST),
    _proof("requests", _REQUESTS, requests, is_small=True, **_TINY, **_REQUEST),
    _proof("requests_full", _REQUESTS, requests, **_FULL, **_REQUEST),
    _proof("rows", _ROWS, taken_rows, is_small=True, **_FULL),
    _proof(
        "control_insertion",
        _CONTROL,
        lambda dims: answers(dims, most=30, patience=25, keeps=_KEPT),
        selector="insertion",
        **_TINY,
    ),
    _proof(
        "control_histogram",
        "offers hold; an answer is whole",
        lambda dims: answers(dims, most=30, patience=25, keeps=_OFFERS),
        **_TINY,
    ),
    _proof(
        "answers_insertion",
        _ANSWERS,
        lambda dims: answers(dims, most=30, patience=25, keeps=_COUNTS),
        selector="insertion",
        depth=22,
        **_TINY,
    ),
    _proof(
        "answers_histogram",
        _ANSWERS,
        lambda dims: answers(dims, most=30, patience=25, keeps=_COUNTS),
        depth=20,
        **_TINY,
    ),
    *(
        _proof(
            f"no_hang_{selector}",
            "no hang: if answers are taken, none is waited for longer than the latency and a cycle a row",
            lambda dims: answers(dims, most=60, patience=dims.latency() + dims.n_rows, keeps=_WAITS),
            selector=selector,
            depth=40,
            **_TINY,
        )
        for selector in ("insertion", "histogram")
    ),
)
