"""Surroundings of a selector: rows of levels in, and what one query among them, any one, must be answered with."""

from __future__ import annotations

from amaranth.hdl import Const, Mux, Signal, Value

from hamming.formal.harness import Harness
from hamming.formal.order import total
from hamming.rtl.dimensions import Dimensions

__all__ = ["Watched", "drive_rows"]


def drive_rows(h: Harness, component, dims: Dimensions) -> dict[str, Value]:
    """Drive rows of levels as a `ScoreArray` gives them: any levels that there are, `last` by the last row of keys.

    Returns
    -------
    dict
        `row`, the number of the row that is offered, and whether it is `taken` and whether a query `ends` with it.
    """
    taken = h.drive(component.i, "i")
    row = Signal(range(dims.n_rows + 1), name="row_offered")
    ends = taken & component.i.p.last
    with h.m.If(taken):
        h.m.d.sync += row.eq(Mux(component.i.p.last, 0, row + 1))
    h.assume(~component.i.valid | component.i.p.last | (row < dims.n_rows - 1))
    for lane in range(dims.n_lanes):
        level = component.i.p.level[lane]
        exists = (row * dims.n_lanes + lane) < dims.spec.n_keys
        h.assume(~component.i.valid | (level <= Mux(exists, dims.spec.d_head + 1, 0)))
    return {"row": row, "taken": taken, "ends": ends}


class Watched:
    """One query, any one of all that come, with any levels, and the beats that answer it.

    A plain specification: key `j` is kept if fewer than `top_k` keys go before it, those of a higher level and those of
    the same level and a lower index.

    Parameters
    ----------
    rows
        What `drive_rows` returned.
    by_index
        Whether the kept keys come by rising index, or the last of the ranks first.
    most
        Queries that can be inside at the same time, at most.
    """

    def __init__(self, h: Harness, component, dims: Dimensions, rows: dict[str, Value], *, by_index: bool, most: int):
        m, spec = h.m, dims.spec
        given = h.drain(component.o, "o")
        gives_last = given & component.o.p.last
        n_slots = dims.n_rows * dims.n_lanes
        levels = [h.constant(f"level_{j}", dims.level_bits) for j in range(n_slots)]
        last_row = h.constant("last_row", range(max(2, dims.n_rows)))

        # The queries that are inside; of these, those before the watched one.
        inside = Signal(range(most + 2))
        ahead = Signal(range(most + 2))
        m.d.sync += inside.eq(inside + rows["ends"] - gives_last)
        h.claim("no more queries are answered than came", ~gives_last | (inside != 0))
        h.claim(f"at most {most} queries are inside", inside <= most)
        self.inside = inside

        # It is watched from its first row on, and comes once.
        starts = h.free("watch") & rows["taken"] & (rows["row"] == 0)
        is_in, was_in = Signal(), Signal()  # its rows come; it came
        done = Signal()
        is_watched = is_in | (starts & ~was_in)
        with m.If(rows["taken"] & is_watched):
            m.d.sync += [is_in.eq(~component.i.p.last), was_in.eq(1)]
        with m.If(starts & ~was_in):
            m.d.sync += ahead.eq(inside - gives_last)
        with m.Elif(gives_last & (ahead != 0)):
            m.d.sync += ahead.eq(ahead - 1)
        for lane in range(dims.n_lanes):
            words = [levels[r * dims.n_lanes + lane] for r in range(dims.n_rows)]
            word = _at(rows["row"], words)
            h.assume(~(rows["taken"] & is_watched) | (component.i.p.level[lane] == word))
        h.assume(~(rows["taken"] & is_watched) | (component.i.p.last == (rows["row"] == last_row)))

        # What it must be answered with.
        part = [(level != 0) & (j // dims.n_lanes <= last_row) for j, level in enumerate(levels)]
        ranks, kept = [], []
        for j, level in enumerate(levels):
            before = [
                part[i] & ((other > level) | ((other == level) & (i < j))) for i, other in enumerate(levels) if i != j
            ]
            ranks.append(total(before))
            kept.append(part[j] & (total(before) < spec.top_k))
        n_kept = total(kept)
        best = Const(0, dims.level_bits)
        for level, takes in zip(levels, part, strict=True):
            best = Mux(takes & (level > best), level, best)
        beat = Signal(range(spec.top_k + 1))
        is_answer = was_in & ~done & (ahead == 0) & given
        with m.If(is_answer):
            m.d.sync += [beat.eq(beat + 1), done.eq(component.o.p.last)]
        wanted = Const(0, 1)
        for j, level in enumerate(levels):
            place = total(kept[:j]) if by_index else n_kept - 1 - ranks[j]
            found = (component.o.p.index == j) & (component.o.p.deficit == best - level)
            wanted = wanted | (kept[j] & (place == beat) & found)
        right = Mux(
            n_kept == 0,
            component.o.p.is_empty & component.o.p.last,
            wanted & ~component.o.p.is_empty & (component.o.p.last == (beat + 1 == n_kept)),
        )
        h.claim("each beat is the key that the specification says", ~is_answer | right)
        h.reach("the watched query ends, with the most keys", done & (beat == spec.top_k))
        h.show("watched", is_watched)
        h.show("answer", is_answer)
        for j, level in enumerate(levels):
            h.show(f"level_{j}", level)


def _at(number: Value, words: list[Value]) -> Value:
    found = words[-1]
    for n, word in enumerate(words[:-1]):
        found = Mux(number == n, word, found)
    return found
