"""Buffers: loads that fit, the same function, no area that is not counted."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from hamming.synth.energy.kernel import Gates
from hamming.synth.library.libraries import load_library
from hamming.synth.mapping.area import map_design
from hamming.synth.mapping.buffers import GROUP_LOAD, GROUP_SINKS, with_buffers
from hamming.synth.netlist.flattening import flatten
from hamming.synth.netlist.netlist import Netlist
from hamming.synth.yosys.memories import MACRO
from tests.synth.netlists import nangate_cells

#: A register that 8 instances of a module read, each of them 40 times: what no module sees by itself.
WIDE = """
module leaf(input a, input [39:0] b, output [39:0] y);
  assign y = {40{a}} & b;
endmodule
module top(input clk, input d, input [39:0] b, output [319:0] y);
  reg q;
  always @(posedge clk) q <= d;
  genvar i;
  generate for (i = 0; i < 8; i = i + 1) begin : part
    leaf leaf(.a(q), .b(b), .y(y[i*40 +: 40]));
  end endgenerate
endmodule
"""


@pytest.fixture(scope="module")
def cells():
    return nangate_cells()


@pytest.fixture(scope="module")
def wide():
    options = {"top": "top", "library": load_library(), "cache": False}
    return map_design(WIDE, **options), map_design(WIDE, clock_ns=1.0, **options)


def overloaded(netlist: Netlist, cells) -> int:
    load = netlist.load(cells)
    count = 0
    for group in netlist.groups.values():
        for pin in group.cell.outputs:
            limit = group.cell.pins[pin].max_capacitance
            assert limit is not None
            count += int((load[group.net(pin)] > limit).sum())
    return count


def test_no_driver_has_more_load_than_it_may(wide, cells):
    small, sized = (flatten(mapped.netlist, "top", cells) for mapped in wide)
    assert overloaded(small, cells) > 0
    assert overloaded(sized, cells) == 0


def test_a_buffer_hands_on_what_it_gets(wide, cells):
    """Both netlists answer the same inputs alike, and a register's next value too."""
    rng = np.random.default_rng(0)
    answers = []
    for mapped in wide:
        netlist = flatten(mapped.netlist, "top", cells)
        values = np.zeros((netlist.n_nets, 1), np.uint64)
        values[1] = ~np.uint64(0)
        rng = np.random.default_rng(0)
        words = rng.integers(0, 2**64, 41, np.uint64)
        values[netlist.inputs["b"], 0] = words[:40]
        [register] = list(netlist.of_kind("flip_flop"))
        values[register.net("Q"), 0] = words[40]
        Gates.of(netlist).settle(values)
        answers.append(values[netlist.outputs["y"], 0])
    assert np.array_equal(*answers)
    assert answers[0].any()


def test_the_report_counts_the_buffers(wide):
    for mapped in wide:
        instances = Counter({"top": 1, "leaf": 8})
        found: Counter[str] = Counter()
        for name, module in mapped.netlist["modules"].items():
            for cell in module["cells"].values():
                if cell["type"] not in ("leaf", MACRO):
                    found[cell["type"]] += instances[name.partition("$")[0]]
        assert mapped.report.total.cells == found.total()
        assert mapped.report.total.area == pytest.approx(load_library().area(found))


def test_a_second_pass_finds_nothing_to_do(wide, cells):
    _, sized = wide
    again = with_buffers(sized.netlist, "top", cells)
    assert {n: len(m["cells"]) for n, m in again["modules"].items()} == {
        n: len(m["cells"]) for n, m in sized.netlist["modules"].items()
    }


def test_groups_are_as_small_as_they_should_be(wide, cells):
    netlist = flatten(wide[1].netlist, "top", cells)
    load, fan_out = netlist.load(cells), netlist.fan_out()
    for group in netlist.groups.values():
        rows = [row for row, name in enumerate(group.names) if name.startswith("$buffer$")]
        nets = group.outputs[rows, 0]
        assert (fan_out[nets] <= max(GROUP_SINKS, 24)).all()
        assert (load[nets] <= 2 * GROUP_LOAD).all()
