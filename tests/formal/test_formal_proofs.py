"""The small proofs hold; of broken hardware they do not, and the trace says how."""

from __future__ import annotations

import importlib
import inspect
import types

import pytest
from amaranth.hdl import Signal

from formal.harness import Harness
from formal.proof import Proof
from formal.registry import PROOFS, chosen
from formal.report import PAGE, as_table, read, table_in, trace_text

SMALL = [proof for proof in PROOFS if proof.is_small]


@pytest.mark.parametrize("proof", SMALL, ids=lambda proof: proof.name)
def test_small_proof(proof: Proof) -> None:
    outcome = proof.run(timeout=60)
    assert outcome.holds, [claim.text for claim in outcome.claims if not claim.holds]


def broken(module: types.ModuleType, before: str, after: str) -> types.ModuleType:
    """Return a copy of a module in which `before`, which it has once, is `after`."""
    text = inspect.getsource(module)
    assert text.count(before) == 1
    copy = types.ModuleType(module.__name__)
    exec(compile(text.replace(before, after), module.__name__, "exec"), copy.__dict__)
    return copy


FAULTS = [
    ("rtl.fork", "Fork", "& ~has_taken", "", "formal.fork", "fork.both", "branch 0 gets no payload twice"),
    (
        "rtl.fetch",
        "KeyFetch",
        "is_last.eq(remaining <= n_lanes)",
        "is_last.eq(remaining < n_lanes)",
        "formal.fetch",
        "fetch.one_lane",
        "a query is taken with its last row",
    ),
    (
        "rtl.softmax",
        "SoftmaxTable",
        "weighted.eq(Mux(has_spare, spare, found))",
        "weighted.eq(found)",
        "formal.softmax",
        "softmax.rom",
        "what goes out is what it must be, in order",
    ),
    (
        "rtl.replay",
        "Replay",
        " & ~self.i.p.last)",
        ")",
        "formal.replay",
        "replay.two_slices",
        "at most 2 queries are inside",
    ),
]


@pytest.mark.parametrize(
    ("module", "name", "before", "after", "where", "proof", "claim"), FAULTS, ids=lambda word: word
)
def test_a_fault_breaks_a_claim(monkeypatch, module, name, before, after, where, proof, claim) -> None:
    copy = broken(importlib.import_module(module), before, after)
    monkeypatch.setattr(importlib.import_module(where), name, getattr(copy, name))
    [found] = chosen((proof,))
    outcome = found.run(timeout=60)
    assert outcome.holds is False
    [failed] = [each for each in outcome.claims if each.text == claim]
    assert failed.holds is False
    lines = trace_text(failed).splitlines()
    assert lines[0] == f"broken: {claim}"
    assert lines[1].split() == ["cycle", *map(str, range(len(failed.trace)))]


def counter(*, until: int, assumed: bool = False) -> Harness:
    h = Harness(has_state=True)
    count, step = Signal(3), h.free("step")
    with h.m.If(step & (count < 5)):
        h.m.d.sync += count.eq(count + 1)
    if assumed:
        h.assume(count < until)
    h.show("count", count)
    h.claim("the count is small", count < until)
    h.reach("it counts", count == 1)
    h.reach("it counts far", count == 4)
    return h


def run(build, **given):
    return Proof(name="a.b", component="c", what="d", size="e", build=build, **given).run(timeout=60)


def test_a_trace_is_the_shortest_story_of_what_breaks_a_claim() -> None:
    outcome = run(lambda: counter(until=3))
    assert [claim.holds for claim in outcome.claims] == [False, True, True]
    assert [words["count"] for words in outcome.claims[0].trace][-1] == 3


def test_what_cannot_be_reached_is_no_proof() -> None:
    outcome = run(lambda: counter(until=3, assumed=True))
    assert [claim.holds for claim in outcome.claims] == [True, True, False]
    assert outcome.holds is False


def test_a_bound_too_short_sees_nothing() -> None:
    assert run(lambda: counter(until=5), engine="bmc", depth=5).claims[0].holds
    assert run(lambda: counter(until=5), engine="bmc", depth=8).claims[0].holds is False


def test_registers_start_with_anything() -> None:
    def build() -> Harness:
        h = Harness()
        kept = Signal(reset_less=True, init=1)
        with h.m.If(h.free("now")):
            h.m.d.sync += kept.eq(kept)
        h.claim("its start is 1", kept)
        return h

    assert run(build).holds is False


def test_an_unknown_proof_is_named() -> None:
    with pytest.raises(ValueError, match=r"no proof's name begins with 'nothing'; --list shows them, of arithmetic, "):
        chosen(("nothing",))


def test_the_page_shows_what_was_proved() -> None:
    results = read()
    assert [result["name"] for result in results] == [proof.name for proof in PROOFS]
    assert all(result["result"] == "proved" for result in results)
    assert table_in(PAGE.read_text(encoding="utf-8")) == as_table(results)
