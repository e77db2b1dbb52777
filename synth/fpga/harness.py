"""A shift register around a design, so that its pins need none of the device's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["DESIGN", "TOP", "harness"]

#: The module around the design, and the design's instance in it.
TOP, DESIGN = "hamming_fpga", "design"

#: Names of a clock; all other inputs come out of registers.
_CLOCKS = ("clk", "aclk")


def harness(manifest: Mapping[str, Any]) -> str:
    """Return Verilog of a module `TOP` with a clock, an input and an output, which holds the design.

    A register that is shifted drives every input of the design, and one that is shifted takes every output in by
    exclusive or. So every path from or to a port begins or ends in a flip-flop of the fabric, as beside a user's own
    logic, and nothing of the design can be left out as unused. Bits come in as the exclusive or of the two before, so
    that no register of the design holds what one of the shift register does, which would be merged.

    Parameters
    ----------
    manifest
        Of the design (`rtl.manifest`, `rtl.standard.manifest`): its name and ports.
    """
    name = manifest["name"]
    ports = [port for port in manifest["ports"] if port["name"] not in _CLOCKS]
    (clock,) = (port["name"] for port in manifest["ports"] if port["name"] in _CLOCKS)
    connections, widths = [f".{clock}(clk)"], {"input": 0, "output": 0}
    for port in ports:
        low = widths[port["direction"]]
        widths[port["direction"]] = high = low + port["bits"]
        connections.append(f".{port['name']}({port['direction']}s[{high - 1}:{low}])")
    inputs, outputs = widths["input"], widths["output"]
    return "\n".join(
        [
            f"module {TOP} (input clk, input i, output o);",
            f"  reg [{inputs + 1}:0] chain;",
            f"  wire [{inputs - 1}:0] inputs = chain[{inputs + 1}:2];",
            f"  wire [{outputs - 1}:0] outputs;",
            f"  reg [{outputs - 1}:0] taken;",
            "  always @(posedge clk) chain <= {chain, i} ^ {chain, 2'b00};",
            "  always @(posedge clk) taken <= outputs ^ {taken, 1'b0};",
            f"  assign o = taken[{outputs - 1}];",
            f"  {name} {DESIGN} ({', '.join(connections)});",
            "endmodule",
            "",
        ]
    )
