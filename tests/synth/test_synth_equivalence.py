from __future__ import annotations

import copy
import dataclasses
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from hamming.rtl.design import load_design
from hamming.rtl.engine import Engine
from hamming.rtl.verilog import emit
from hamming.synth.equivalence.proof import prove
from hamming.synth.equivalence.report import EquivalenceReport
from hamming.synth.equivalence.table import refutation
from hamming.synth.library.libraries import Library, load_library
from hamming.synth.mapping.area import Mapped, map_design
from hamming.synth.mapping.report import Figures

#: ABC's commands, where what it makes of the logic does not matter.
QUICK = "strash; map"

#: All that synthesis does to registers: gates their clocks, merges equal ones, drops constant and unread ones; a memory
#: that becomes a macro and one, of three words, that becomes flip-flops; a child, twice; sums.
DESIGN = """
module adder(input clk, en, input [3:0] a, b, c, output reg [5:0] s);
  always @(posedge clk) if (en) s <= a + b + c;
endmodule
module top(input clk, rst, en, we, input [3:0] a, b, input [1:0] at, output [5:0] x, y, output [3:0] p, q, r, t);
  reg [3:0] first = 0, second = 0, never = 0, unread = 0, plain = 0, small_q, large_q;
  reg [3:0] large [0:3];
  reg [3:0] small [0:2];
  always @(posedge clk) begin
    first <= rst ? 4'd0 : a & b;
    second <= rst ? 4'd0 : b & a;
    if (rst) never <= 4'd0;
    unread <= a;
    plain <= a ^ {first[0], b[2:0]};
    if (we) large[at] <= a;
    if (en) large_q <= large[b[1:0]];
    if (we) small[at] <= b;
  end
  adder one(.clk(clk), .en(en), .a(first), .b(b), .c(plain), .s(x));
  adder \\two$1 (.clk(clk), .en(we), .a(second), .b(a | never), .c(plain), .s(y));
  assign p = first, q = second ^ never, r = large_q, t = small[b[1:0]];
endmodule
"""

Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def nangate() -> Library:
    return load_library()


@pytest.fixture(scope="module")
def mapped(nangate: Library) -> Mapped:
    return map_design(DESIGN, top="top", library=nangate, mapping="adders", abc_commands=QUICK, cache=False)


def changed(mapped: Mapped, library: Library, change: Change) -> EquivalenceReport:
    """Prove a netlist with a fault in it, whose cells the report counts as they are."""
    netlist = copy.deepcopy(mapped.netlist)
    change(netlist["modules"])
    modules = netlist["modules"]

    def cells(module: str) -> Counter[str]:
        found: Counter[str] = Counter()
        for cell in modules[module]["cells"].values():
            found += cells(cell["type"]) if cell["type"] in modules else Counter([cell["type"]])
        return found

    count = {kind: n for kind, n in cells("top").items() if kind in library.areas}
    report = dataclasses.replace(mapped.report, total=Figures.of(count, library))
    return prove(DESIGN, dataclasses.replace(mapped, netlist=netlist, report=report), library=library)


def cells_of(module: dict[str, Any], *kinds: str) -> list[dict[str, Any]]:
    """Return the cells of a module whose type begins with one of `kinds`."""
    return [cell for cell in module["cells"].values() if cell["type"].startswith(kinds)]


def test_what_synthesis_does_to_registers_and_memories_is_proved(mapped: Mapped, nangate: Library):
    top = mapped.netlist["modules"]["top"]
    assert cells_of(mapped.netlist["modules"]["adder"], "CLKGATE")
    assert cells_of(mapped.netlist["modules"]["adder"], "FA_X1")
    assert len(cells_of(top, "$__memory_macro")) == 1

    report = prove(DESIGN, mapped, library=nangate)
    assert report.equal, refutation(report)
    found = {module.module: module for module in report.modules}
    assert found["adder"].blocks == ("one", "two$1")
    # first, second, plain, three words of small, and the register behind large; never; unread is dropped.
    assert (found["top"].matched, found["top"].merged, found["top"].constant) == (4 + 4 + 12 + 4, 4, 4)
    assert found["top"].free == 0
    # What small holds beyond its last word is x, and reaches the four bits of t alone.
    assert found["top"].guarded == 4
    assert found["adder"].guarded == 0


@pytest.mark.parametrize("mapping", ["abc", "adders"])
def test_the_smallest_engine_is_proved(mapping: str, nangate: Library):
    design = load_design("tiny")
    verilog = emit(Engine(design.spec, design.config), "tiny")
    mapped = map_design(verilog, top="tiny", library=nangate, mapping=mapping, abc_commands=QUICK)
    steps = []
    report = prove(verilog, mapped, library=nangate, progress=steps.append)
    assert report.equal, refutation(report)
    assert {module.module for module in report.modules} == set(mapped.netlist["modules"])
    assert [step.step.removeprefix("proving ") for step in steps] == [module.module for module in report.modules]
    assert json.loads(json.dumps(report.to_dict()))["equal"] is True


def swap_a_gate(modules: dict[str, Any]) -> None:
    swaps = {"AND2_X1": "OR2_X1", "NAND2_X1": "NOR2_X1", "OR2_X1": "AND2_X1", "NOR2_X1": "NAND2_X1"}
    cell = next(cell for cell in modules["top"]["cells"].values() if cell["type"] in swaps)
    cell["type"] = swaps[cell["type"]]


def drop_an_inverter(modules: dict[str, Any]) -> None:
    name, cell = next((n, c) for n, c in modules["top"]["cells"].items() if c["type"] == "INV_X1")
    del modules["top"]["cells"][name]
    (source,), (output,) = cell["connections"]["A"], cell["connections"]["ZN"]
    for other in modules["top"]["cells"].values():
        for pin, bits in other["connections"].items():
            other["connections"][pin] = [source if bit == output else bit for bit in bits]


def tie_an_input(modules: dict[str, Any]) -> None:
    cells_of(modules["adder"], "FA_X1")[0]["connections"]["A"] = ["0"]


def open_an_input(modules: dict[str, Any]) -> None:
    cells_of(modules["adder"], "FA_X1")[0]["connections"]["A"] = ["x"]


def swap_sum_and_carry(modules: dict[str, Any]) -> None:
    pins = cells_of(modules["adder"], "FA_X1")[0]["connections"]
    pins["S"], pins["CO"] = pins["CO"], pins["S"]


def gate_a_clock_by_another_enable(modules: dict[str, Any]) -> None:
    cells_of(modules["adder"], "CLKGATE")[0]["connections"]["E"] = modules["adder"]["ports"]["a"]["bits"][:1]


def leave_a_clock_ungated(modules: dict[str, Any]) -> None:
    cells_of(modules["adder"], "DFF")[0]["connections"]["CK"] = modules["adder"]["ports"]["clk"]["bits"]


def swap_two_registers(modules: dict[str, Any]) -> None:
    one, two = (cell["connections"] for cell in cells_of(modules["adder"], "DFF")[:2])
    one["D"], two["D"] = two["D"], one["D"]


def swap_two_registers_of_a_pair(modules: dict[str, Any]) -> None:
    """Those of one word, `plain`, of the top."""
    nets = modules["top"]["netnames"]["plain"]["bits"]
    one, two = (
        cell["connections"] for cell in cells_of(modules["top"], "DFF") if cell["connections"]["Q"][0] in nets[:2]
    )
    one["Q"], two["Q"] = two["Q"], one["Q"]


def write_another_address(modules: dict[str, Any]) -> None:
    pins = cells_of(modules["top"], "$__memory_macro")[0]["connections"]
    pins["WR_ADDR"] = pins["WR_ADDR"][::-1]


def write_always(modules: dict[str, Any]) -> None:
    pins = cells_of(modules["top"], "$__memory_macro")[0]["connections"]
    pins["WR_EN"] = ["1"] * len(pins["WR_EN"])


def read_always(modules: dict[str, Any]) -> None:
    cells_of(modules["top"], "$__memory_macro")[0]["connections"]["RD_EN"] = ["1"]


def drop_a_child(modules: dict[str, Any]) -> None:
    name = next(name for name, cell in modules["top"]["cells"].items() if cell["type"] == "adder")
    del modules["top"]["cells"][name]


def cross_two_children(modules: dict[str, Any]) -> None:
    one, two = (cell["connections"] for cell in cells_of(modules["top"], "adder"))
    one["en"], two["en"] = two["en"], one["en"]


FAULTS = [
    swap_a_gate,
    drop_an_inverter,
    tie_an_input,
    open_an_input,
    swap_sum_and_carry,
    gate_a_clock_by_another_enable,
    leave_a_clock_ungated,
    swap_two_registers,
    swap_two_registers_of_a_pair,
    write_another_address,
    write_always,
    read_always,
    drop_a_child,
    cross_two_children,
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_in_the_netlist_is_found(fault: Change, mapped: Mapped, nangate: Library):
    report = changed(mapped, nangate, fault)
    assert report.equal is False
    assert report.to_dict()["equal"] is False
    wrong = next(module for module in report.modules if module.equal is False)
    assert wrong.difference is not None
    assert wrong.difference.verilog != wrong.difference.netlist
    assert f"{wrong.module} is not equal to the Verilog: {wrong.difference.where} is " in refutation(report)


def test_a_fault_that_one_case_in_many_shows_is_found_by_abc(nangate: Library):
    """Random cases miss it: of 2**40 inputs one shows it."""
    verilog = "module top(input [39:0] a, input b, output y); assign y = b ^ (a == 40'h123456789a); endmodule"
    mapped = map_design(verilog, top="top", library=nangate, abc_commands=QUICK, cache=False)
    assert prove(verilog, mapped, library=nangate).equal
    other = verilog.replace("9a;", "9b;").replace("9a)", "9b)")
    sha = map_design(other, top="top", library=nangate, abc_commands=QUICK, cache=False).report.verilog_sha256
    report = dataclasses.replace(mapped.report, verilog_sha256=sha)
    (module,) = prove(other, dataclasses.replace(mapped, report=report), library=nangate).modules
    assert module.equal is False
    assert module.difference is not None
    ones = {name for name in module.difference.ones if name.startswith("a")}
    assert ones in ({f"a[{i}]" for i in range(40) if n >> i & 1} for n in (0x123456789A, 0x123456789B))


def test_a_flip_flop_named_after_another_net_of_its_value_is_found(nangate: Library):
    """Synthesis keeps one name of the net, the port's, where the Verilog has gates between the two."""
    verilog = (
        "module top(input clk, d, input [1:0] a, output [1:0] y); reg r = 0; always @(posedge clk) r <= d ^ r;"
        " assign y = (a[0] + a[0]) + r; endmodule"
    )
    mapped = map_design(verilog, top="top", library=nangate, abc_commands=QUICK, cache=False)
    names = {name for name, net in mapped.netlist["modules"]["top"]["netnames"].items() if len(net["bits"]) == 1}
    report = prove(verilog, mapped, library=nangate)
    assert report.equal, refutation(report)
    assert "r" not in names
    assert report.modules[0].merged == 1


def test_registers_that_start_apart_are_not_one(nangate: Library, mapped: Mapped):
    """Merged registers must start with one value: with another the Verilog has a state that the netlist has not."""
    verilog = DESIGN.replace("second = 0", "second = 4'd5")
    report = dataclasses.replace(
        mapped.report,
        verilog_sha256=map_design(
            verilog, top="top", library=nangate, mapping="abc", abc_commands=QUICK, cache=False
        ).report.verilog_sha256,
    )
    found = prove(verilog, dataclasses.replace(mapped, report=report), library=nangate)
    assert found.equal is False


def test_what_does_not_belong_together_is_refused(mapped: Mapped, nangate: Library, toy: Library):
    with pytest.raises(ValueError, match="the netlist of top was made of another Verilog text"):
        prove(DESIGN + "\n", mapped, library=nangate)
    with pytest.raises(ValueError, match="the netlist of top was made of other cells than those of toy"):
        prove(DESIGN, mapped, library=toy)
    netlist = copy.deepcopy(mapped.netlist)
    cells_of(netlist["modules"]["top"], "DFF")[0]["type"] = "DFF_X2"
    with pytest.raises(ValueError, match="the netlist of top has other cells than its area report counts"):
        prove(DESIGN, dataclasses.replace(mapped, netlist=netlist), library=nangate)


def test_what_cannot_be_proved_is_said(nangate: Library):
    verilog = (
        "module top(input clk, d, output reg q, output y); always @(posedge clk) q <= d; assign y = clk & d; endmodule"
    )
    mapped = map_design(verilog, top="top", library=nangate, abc_commands=QUICK, cache=False)
    report = prove(verilog, mapped, library=nangate)
    assert report.equal is None
    expected = (
        "the netlist of top is not proved equal to the Verilog: module top: a clock is data too, which cannot be proved"
    )
    assert refutation(report) == expected
