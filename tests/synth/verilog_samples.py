"""Small designs, and their area."""

from __future__ import annotations

from typing import Any

from hamming.synth.library.libraries import Library
from hamming.synth.mapping.area import AreaReport, synthesize

THREE_CELLS = """
module three(input clk, a, b, c, output y, z, output reg q);
  assign y = ~(a & b);
  assign z = ~c;
  always @(posedge clk) q <= c;
endmodule
"""

#: Two leaves of two flip-flops each, one of them beneath another module, and an inverter in the top.
TREE = """
module leaf(input clk, d, output reg q);
  reg r;
  always @(posedge clk) begin r <= d; q <= r; end
endmodule
module \\top.inner (input clk, d, output q);
  leaf deep(.clk(clk), .d(~d), .q(q));
endmodule
module top(input clk, a, output x, y, z);
  leaf shallow(.clk(clk), .d(a), .q(x));
  \\top.inner \\inner$7 (.clk(clk), .d(a), .q(y));
  assign z = ~a;
endmodule
"""

#: One gate in either of two modules, of which the top takes one result.
EITHER = """
module both(input a, b, output y);
  assign y = a & b;
endmodule
module top(input a, b, c, s, output y);
  wire one, other;
  both first(.a(a), .b(b), .y(one));
  both second(.a(a), .b(c), .y(other));
  assign y = s ? one : other;
endmodule
"""

SUM = """
module total(input [3:0] a, b, c, d, output [5:0] y);
  assign y = a + b + c + d;
endmodule
"""


def area(verilog: str, top: str, library: Library, **options: Any) -> AreaReport:
    options.setdefault("cache", False)
    return synthesize(verilog, top=top, library=library, **options)


def ram(read: str, *, width: int = 4, initial: str = "") -> str:
    """A memory of 8 words, with an adder before it and a parity after it."""
    return f"""
module ram(input clk, we, re, input [2:0] wa, ra, input [{width - 1}:0] a, b, output p);
  reg [{width - 1}:0] store [0:7];
  reg [2:0] ra_q;
  reg [{width - 1}:0] r;
  {initial}
  always @(posedge clk) begin
    if (we) store[wa] <= a + b;
    if (re) ra_q <= ra;
    {read if read.startswith("if") else ""}
  end
  {"" if read.startswith("if") else f"always @* r = {read};"}
  assign p = ^r;
endmodule
"""


REGISTERED = "if (re) r <= store[ra];"
