"""Random mutants: drawn again alike, found where they matter, and proved to be none where they do not."""

import dataclasses

import pytest

from hamming.audit.assumptions import ASSUMPTIONS, proved, simulate
from hamming.audit.equivalence import is_equivalent
from hamming.audit.mutate import mutate
from hamming.audit.mutation import audit
from hamming.sim.runner import SimulationFailed

SMALL = """module small(clk, a, b, o__valid, o__payload);
  input clk, a, b;
  output o__valid, o__payload;
  reg kept = 1'h0;
  reg same = 1'h0;
  wire zero;
  assign zero = kept & ~ same;
  always @(posedge clk) kept <= a;
  always @(posedge clk) same <= a;
  assign o__valid = kept | zero;
  assign o__payload = kept ^ b;
endmodule
"""


def test_mutants_are_drawn_again_alike():
    one, other = (mutate(SMALL, "small", 5, 1) for _ in range(2))
    assert one == other
    assert len(one.commands) == 5
    assert not any("-port CLK" in command for command in one.commands)


def test_a_proof_tells_mutants_from_none():
    drawn = mutate(SMALL, "small", 60, 0)
    cells = {"zero_is_0": ("const0", "$and$"), "zero_is_1": ("const1", "$and$"), "no_xor": ("const0", "$xor$")}
    answers = {}
    for name, (mode, cell) in cells.items():
        wanted = [f"-mode {mode} ", f"-cell {cell}", "-port Y "]
        found = [n for n, command in enumerate(drawn.commands, 1) if all(part in command for part in wanted)]
        answers[name] = is_equivalent(SMALL, "small", drawn, found[0])
    assert answers == {"zero_is_0": True, "zero_is_1": False, "no_xor": False}


def numbered(drawn, *parts):
    return next(n for n, text in enumerate(drawn.commands, 1) if all(part in text for part in parts))


def test_a_proof_under_what_is_assumed_rests_on_it():
    """Of `kept | zero` a `kept` that is held at 0 shows only where it is not 0 anyway."""
    drawn = mutate(SMALL, "small", 60, 0)
    held, inverted = (numbered(drawn, f"-mode {mode} ", "-cell $or", "-port A ") for mode in ("const0", "inv"))
    assumed = ([], ["kept == same"], ["!kept"])
    assert [is_equivalent(SMALL, "small", drawn, held, one) for one in assumed] == [False, False, True]
    assert [is_equivalent(SMALL, "small", drawn, inverted, one) for one in assumed] == [False, False, False]
    with pytest.raises(ValueError, match="module small has no wire missing"):
        is_equivalent(SMALL, "small", drawn, held, ["missing"])


def test_what_is_assumed_is_proved_of_the_engine_and_what_does_not_hold_is_told():
    [fork] = ASSUMPTIONS["fork"]
    wrong = dataclasses.replace(fork, holds="has_taken == 0")
    assert proved([wrong, fork, *ASSUMPTIONS["histogram"]]) == {fork, *ASSUMPTIONS["histogram"]}
    with pytest.raises(SimulationFailed):
        simulate([fork, wrong], 20, 0)


def test_benches_find_mutants_of_the_fork():
    outcome = audit("fork", 12, 0)
    assert len(outcome.own) >= 10
    assert not outcome.alive
