"""The small proofs hold; of broken hardware they do not, and the trace says how."""

from __future__ import annotations

import importlib
import inspect
import types
from typing import NamedTuple

import pytest
from amaranth.hdl import Signal

from hamming.formal.harness import Harness
from hamming.formal.proof import Proof
from hamming.formal.registry import PROOFS, chosen
from hamming.formal.report import MARKS, PAGE, as_table, read, trace_text
from hamming.pages import table_in

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


class Fault(NamedTuple):
    """A line of `rtl` before and after, who uses what it is in, and the proof and the claim that must break."""

    module: str
    before: str
    after: str
    user: str
    name: str
    proof: str
    claim: str


IN_ORDER = "what goes out is what it must be, in order"
FAULTS = [
    Fault("fork", "& ~has_taken", "", "hamming.formal.fork", "Fork", "fork.both", "branch 0 gets no payload twice"),
    Fault(
        "shared_rows",
        "self.o.ready & (turn == n)",
        "self.o.ready",
        "hamming.formal.shared_rows",
        "SharedRows",
        "shared_rows.insertion",
        "a kept key is offered, within 16 cycles",
    ),
    Fault(
        "fetch",
        "(remaining <= n_lanes)",
        "(remaining < n_lanes)",
        "hamming.formal.fetch",
        "KeyFetch",
        "fetch.lanes",
        IN_ORDER,
    ),
    Fault(
        "softmax",
        "Mux(has_spare, spare, found)",
        "found",
        "hamming.formal.softmax",
        "SoftmaxTable",
        "softmax.rom",
        IN_ORDER,
    ),
    Fault(
        "replay",
        "(write < read) & ~self.i.p.last)",
        "(write < read))",
        "hamming.formal.replay",
        "Replay",
        "replay.two_slices",
        "at most 2 queries are inside",
    ),
    Fault(
        "insertion",
        "(level[c] >= inserted_level)",
        "(level[c] > inserted_level)",
        "hamming.rtl.selector",
        "InsertionSelector",
        "insertion.three_keys",
        "each beat is the key that the specification says",
    ),
    Fault(
        "loader",
        "self.values.en.eq(is_offered & is_inside)",
        "self.values.en.eq(is_offered)",
        "hamming.formal.loader",
        "RowLoader",
        "loader.slices",
        "nothing is written but for a row that is offered and has a place",
    ),
    Fault(
        "requests",
        "comes & (n_asked != 0)",
        "comes",
        "hamming.formal.requests",
        "Requests",
        "requests.words",
        IN_ORDER,
    ),
    Fault(
        "fifo",
        "n_inside != self.depth",
        "n_stored != self.depth",
        "hamming.formal.requests",
        "Fifo",
        "requests.queue",
        "at most 2 beats are inside",
    ),
    Fault(
        "sender",
        "m.If(~wanted | moves)",
        "m.If(moves)",
        "hamming.formal.sender",
        "RowSender",
        "sender.both",
        "key is stored by the transfer, and stays",
    ),
    Fault(
        "turns",
        "self.may_write.eq(~meet | ~reader_waited)",
        "self.may_write.eq(1)",
        "hamming.rtl.engine",
        "Turns",
        "engine.memories",
        "no key is read and written at once",
    ),
    Fault(
        "normalizer",
        "valid[-1] if dims.has_chains else valid[-1] & ~ResetSignal()",
        "valid[-1]",
        "hamming.rtl.engine",
        "Normalizer",
        "engine.reset",
        "o_out.valid is 0 in reset",
    ),
    Fault(
        "axi.buffer",
        "valid.eq(has_spare | is_taken)",
        "valid.eq(is_taken)",
        "hamming.formal.axi",
        "Buffer",
        "axi.buffer_of_two",
        IN_ORDER,
    ),
    Fault(
        "axi.write_master",
        "self.bready.eq(waits & ~self.awvalid & ~self.wvalid)",
        "self.bready.eq(waits)",
        "hamming.formal.axi",
        "WriteMaster",
        "axi.writes",
        "one address a write",
    ),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.module}: {fault.after}")
def test_a_fault_breaks_a_claim(monkeypatch: pytest.MonkeyPatch, fault: Fault) -> None:
    copy = broken(importlib.import_module(f"rtl.{fault.module}"), fault.before, fault.after)
    user = importlib.import_module(fault.user)
    if user.__name__ == "hamming.rtl.selector":
        monkeypatch.setitem(vars(user)["_COMPONENTS"], "insertion", getattr(copy, fault.name))
    else:
        monkeypatch.setattr(user, fault.name, getattr(copy, fault.name))
    [found] = [proof for proof in PROOFS if proof.name == fault.proof]
    outcome = found.run(timeout=60)
    assert outcome.holds is False
    [failed] = [claim for claim in outcome.claims if claim.text == fault.claim]
    assert failed.holds is False
    lines = trace_text(failed).splitlines()
    assert lines[0] == f"broken: {fault.claim}"
    assert lines[1].split() == ["cycle", *map(str, range(len(failed.trace)))]


def counter(*, until: int, assumed: bool = False) -> Harness:
    h = Harness(has_state=True)
    count, step = Signal(3), h.free("step")
    h.m.d.sync += count.eq(count + (step & (count < 5)))
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
        h.m.d.sync += kept.eq(kept | h.free("now"))
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
    assert table_in(PAGE.read_text(encoding="utf-8"), MARKS) == as_table(results)
