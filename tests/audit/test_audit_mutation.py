"""Random mutants: drawn again alike, found where they matter, and proved to be none where they do not."""

from hamming.audit.equivalence import is_equivalent
from hamming.audit.mutate import mutate
from hamming.audit.mutation import audit

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


def test_benches_find_mutants_of_the_fork():
    outcome = audit("fork", 12, 0)
    assert outcome.own == {}
    assert len(outcome.engine) >= 10
    assert not outcome.alive
