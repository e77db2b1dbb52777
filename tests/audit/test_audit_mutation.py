"""Random mutants: drawn again alike, found where they matter, and proved to be none where they do not."""

from audit.equivalence import is_equivalent
from audit.mutate import mutate
from audit.mutation import audit

SMALL = """module small(clk, a, b, o__valid, o__payload);
  input clk, a, b;
  output o__valid, o__payload;
  reg kept = 1'h0;
  wire zero;
  assign zero = kept & ~ kept;
  always @(posedge clk) kept <= a;
  assign o__valid = kept | zero;
  assign o__payload = kept ^ b;
endmodule
"""


def test_mutants_are_drawn_again_alike():
    one, other, another = (mutate(SMALL, "small", 5, seed) for seed in (1, 1, 2))
    assert one == other
    assert one.commands != another.commands
    assert len(one.commands) == 5


def test_a_proof_tells_mutants_from_none():
    drawn = mutate(SMALL, "small", 60, 0)
    cells = {"zero_is_0": ("const0", "and", "Y"), "zero_is_1": ("const1", "and", "Y"), "no_xor": ("const0", "xor", "Y")}
    answers = {}
    for name, (mode, cell, port) in cells.items():
        number = next(
            n
            for n, c in enumerate(drawn.commands, 1)
            if f"-mode {mode} " in c and f"${cell}$" in c and f"-port {port} " in c
        )
        answers[name] = is_equivalent(SMALL, "small", drawn, number)
    assert answers == {"zero_is_0": True, "zero_is_1": False, "no_xor": False}


def test_benches_find_mutants_of_the_fork():
    outcome = audit("fork", 12, 0)
    assert outcome.own == {}
    assert len(outcome.engine) >= 10
    assert not outcome.alive
