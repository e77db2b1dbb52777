"""Both selectors: of any query among others, exactly the keys of the specification."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Mux, Signal

from hamming.formal.designs import size_of, small
from hamming.formal.harness import Harness
from hamming.formal.order import claim_within, total
from hamming.formal.proof import Proof
from hamming.formal.selection import Watched, drive_rows
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.selector import selector

__all__ = ["PROOFS"]


def kept_keys(dims: Dimensions, *, most: int) -> Harness:
    """Queries of any levels at any time; the beats of one, any one, are held against a plain ranking."""
    component = selector(dims)
    h = Harness(component)
    rows = drive_rows(h, component, dims)
    Watched(h, component, dims, rows, by_index=dims.config.selector == "histogram", most=most)
    return h


def cuts(dims: Dimensions, *, scans: bool = False) -> Harness:
    """Queries of any levels at any time; the cut that one, any one, is handed over to the scan with.

    A plain count: the cut is the lowest level of a kept key, its quota how many keys are kept at it. With `scans` the
    claims are about the beats that follow: a tag goes with the query from the handing over to the output.
    """
    component = selector(dims)
    h = Harness(component)
    m, spec, most = h.m, dims.spec, 5
    rows = drive_rows(h, component, dims)
    h.drain(component.o, "o")
    handed_over = h.within("handed_over")
    slots = dims.n_rows * dims.n_lanes
    levels = [h.constant(f"level_{j}", dims.level_bits) for j in range(slots)]
    n_keys = h.constant("n_rows", range(dims.n_rows + 1)) * dims.n_lanes
    inside, ahead = Signal(range(most + 2)), Signal(range(most + 2))
    m.d.sync += inside.eq(inside + rows["ends"] - handed_over)
    h.claim("no more queries are handed over than came", ~handed_over | (inside != 0))
    h.claim(f"at most {most} queries wait", inside <= most)
    starts = h.free("watch") & rows["taken"] & (rows["row"] == 0)
    is_in, came, done = Signal(), Signal(), Signal()
    is_watched = is_in | (starts & ~came)
    with m.If(rows["taken"] & is_watched):
        m.d.sync += [is_in.eq(~component.i.p.last), came.eq(1)]
    with m.If(starts & ~came):
        m.d.sync += ahead.eq(inside - handed_over)
    with m.Elif(handed_over & (ahead != 0)):
        m.d.sync += ahead.eq(ahead - 1)
    answers = came & ~done & (ahead == 0) & handed_over
    with m.If(answers):
        m.d.sync += done.eq(1)
    for j, level in enumerate(levels):
        row, lane = divmod(j, dims.n_lanes)
        is_it = rows["taken"] & is_watched & (rows["row"] == row)
        h.assume(~is_it | (component.i.p.level[lane] == level))
        h.assume(~is_it | (component.i.p.last == ((row + 1) * dims.n_lanes == n_keys)))
    part = [(level != 0) & (j < n_keys) for j, level in enumerate(levels)]
    best = cut = Const(1, dims.level_bits)
    for t in range(1, spec.d_head + 2):
        at_least = total(takes & (level >= t) for level, takes in zip(levels, part, strict=True))
        best, cut = Mux(at_least != 0, t, best), Mux(at_least >= spec.top_k, t, cut)
    above = total(takes & (level > cut) for level, takes in zip(levels, part, strict=True))
    n_part = total(part)
    n_kept = Mux(n_part < spec.top_k, n_part, spec.top_k)
    told = h.before(answers, "answers") if dims.cut_stages else answers  # when the cut is there
    wanted = {"cut_level": cut, "cut_n_kept": n_kept, "cut_quota": spec.top_k - above, "cut_max_level": best}
    for name, value in wanted.items():
        matters = (n_part != 0) if name == "cut_max_level" else 1
        h.claim(f"{name} is that of a plain count", ~(told & matters) | (h.within(name) == value))
    if scans:
        h.claims.clear()
        _claim_scan(h, component, dims, levels, part, n_kept, best, answers)
    h.reach("a query of all keys is handed over", answers & (n_part == spec.n_keys))
    return h


def _claim_scan(h: Harness, component, dims: Dimensions, levels, part, n_kept, best, starts) -> None:
    m, spec = h.m, dims.spec
    is_read, gives, is_out, gave_last = Signal(), Signal(), Signal(), Signal()
    with m.If(h.within("handed_over")):
        m.d.sync += is_read.eq(starts)
    with m.If(h.within("moves")):
        m.d.sync += gives.eq(is_read)
    with m.If(h.within("given")):
        m.d.sync += is_out.eq(gives)
    ends = h.within("ends_scan") & gives
    m.d.sync += gave_last.eq(gave_last | ends)
    h.claim("no query's keys are left for the next's", ~(h.within("moves") & gives & ~is_read) | gave_last | ends)
    given = component.o.valid & component.o.ready & is_out
    beat = Signal(range(spec.top_k + 1))
    with m.If(given):
        m.d.sync += beat.eq(beat + 1)
    kept = []
    for j, level in enumerate(levels):
        before = [
            part[i] & ((other > level) | ((other == level) & (i < j))) for i, other in enumerate(levels) if i != j
        ]
        kept.append(part[j] & (total(before) < spec.top_k))
    out = component.o.p
    right = Const(0, 1)
    for j, level in enumerate(levels):
        found = (out.index == j) & (out.deficit == best - level)
        right = right | (kept[j] & (total(kept[:j]) == beat) & found)
    right = Mux(n_kept == 0, out.is_empty & out.last, right & ~out.is_empty & (out.last == (beat + 1 == n_kept)))
    h.claim("each beat is the key that the specification says", ~given | right)
    waits = (is_read | gives) & ~gave_last & component.o.ready & ~component.o.valid
    claim_within(h, dims.scan_groups(spec.n_keys) + 2 + dims.cut_stages, "a beat is offered", waits)
    h.reach("a query of the most keys is answered", given & out.last & (beat == spec.top_k - 1))


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
        size=size_of(dims, "n_keys", "d_head", "top_k", "n_lanes", *(["waiting_rows"] if dims.waiting_rows else [])),
        build=lambda: kept_keys(dims, most=most),
        engine="bmc" if depth else "pdr",
        depth=depth,
        is_small=is_small,
    )


def _hang_proof(name: str, *, most: int, gives: int, takes: int, **sizes) -> Proof:
    dims = small(**sizes)
    return Proof(
        name=f"{dims.config.selector}.{name}",
        component="InsertionSelector",
        what=f"no hang: if beats are taken, none is waited for longer than {gives} cycles, and no row than {takes}",
        size=size_of(dims, "n_keys", "d_head", "top_k", "n_lanes"),
        build=lambda: no_hang(dims, most=most, gives=gives, takes=takes),
        is_small=True,
    )


def _cut_proof(name: str, *, scans: bool = False, is_wide: bool = False, **sizes) -> Proof:
    """With `is_wide` the selector is made as one that looks at many scores at once."""
    dims = small(**sizes)
    dims.reads_ahead |= is_wide
    return Proof(
        name=f"histogram.{name}",
        component="HistogramSelector",
        what="of each query the right cut, and with it, from the scan, the right beats in order, all of them",
        size=size_of(dims, "n_keys", "d_head", "top_k", "n_lanes", *(["fabric"] if dims.has_chains else []))
        + (", as of many scores" if is_wide else ""),
        build=lambda: cuts(dims, scans=scans),
    )


PROOFS = (
    _hang_proof("no_hang", selector="insertion", n_keys=4, d_head=1, top_k=2, n_lanes=2, most=2, gives=2, takes=3),
    _cut_proof("cut", n_keys=3, d_head=1, top_k=2),
    _cut_proof("scan", n_keys=2, d_head=1, top_k=1, scans=True),
    _cut_proof("cut_ahead", n_keys=3, d_head=1, top_k=2, fabric="luts"),
    _cut_proof("scan_ahead", n_keys=2, d_head=1, top_k=1, scans=True, fabric="luts"),
    _cut_proof("cut_wide", n_keys=3, d_head=1, top_k=2, is_wide=True),
    _cut_proof("scan_wide", n_keys=2, d_head=1, top_k=1, scans=True, is_wide=True),
    _cut_proof("cut_two_lanes", n_keys=4, d_head=1, top_k=3, n_lanes=2),
    _proof("three_keys", selector="insertion", n_keys=3, d_head=1, top_k=2, most=2, is_small=True),
    _proof("two_lanes", selector="insertion", n_keys=4, d_head=2, top_k=2, n_lanes=2, most=2),
    _proof("waiting", selector="insertion", n_keys=4, d_head=1, top_k=1, n_lanes=2, waiting_rows=2, most=6, depth=14),
    _proof("three_kept", selector="insertion", n_keys=4, d_head=1, top_k=3, most=2),
    _proof("three_keys", n_keys=3, d_head=1, top_k=2, most=6, depth=15),
    _proof("two_lanes", n_keys=4, d_head=1, top_k=2, n_lanes=2, most=6, depth=14),
)
