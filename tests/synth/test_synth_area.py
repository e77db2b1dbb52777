"""Areas of small designs that can be counted by hand: cells, blocks and memories."""

from __future__ import annotations

import pytest

from hamming.synth.library.libraries import Library, load_library
from tests.synth.verilog_samples import EITHER, REGISTERED, THREE_CELLS, TREE, area, ram


def test_three_known_cells_have_the_sum_of_their_areas(toy: Library):
    report = area(THREE_CELLS, "three", toy)
    assert report.total.cells_by_type == {"FLOP": 1, "NAND": 1, "NOT": 1}
    assert (report.total.area, report.total.cells, report.total.sequential_area) == (10 + 2 + 1, 3, 10)
    assert report.total.sequential_share == 10 / 13
    assert report.flat == report.total


def test_the_same_cells_in_nangate45():
    report = area(THREE_CELLS, "three", load_library())
    assert report.total.cells_by_type == {"DFF_X1": 1, "INV_X1": 1, "NAND2_X1": 1}
    assert report.total.area == pytest.approx(4.522 + 0.532 + 0.798, abs=1e-9)


def test_blocks_are_the_children_of_the_top_with_all_that_they_hold(toy: Library):
    report = area(TREE, "top", toy)
    blocks = {block.name: dict(block.figures.cells_by_type) for block in report.blocks}
    assert blocks == {
        "inner": {"FLOP": 2, "NOT": 1},  # the child's flip-flops too, and without Amaranth's number
        "shallow": {"FLOP": 2},
        "(top)": {"NOT": 1},
    }
    assert [block.name for block in report.blocks] == ["inner", "shallow", "(top)"]  # the largest first
    assert report.total.area == sum(block.figures.area for block in report.blocks) == 42
    assert report.total.sequential_area == 40
    assert report.total.cells == sum(block.figures.cells for block in report.blocks) == 6


def test_the_flat_figure_shares_what_the_hierarchy_does_not(toy: Library):
    report = area(TREE, "top", toy)
    assert report.flat is not None
    # The two inverters of `a` become one.
    assert report.flat.cells_by_type == {"FLOP": 4, "NOT": 1}
    assert area(TREE, "top", toy, flat=False).flat is None


def test_what_flattening_merges_is_mapped_again(toy: Library):
    report = area(EITHER, "top", toy)
    assert report.flat is not None
    # `s ? a & b : a & c` becomes `a & (s ? b : c)`.
    assert report.flat.area < report.total.area


def test_a_registered_memory_is_bits_and_its_neighbours_stay(toy: Library):
    report = area(ram(REGISTERED), "ram", toy, mapping="abc")
    [memory] = report.memories
    assert (memory.name, memory.depth, memory.bits_a_word, memory.bits) == ("store", 8, 4, 32)
    assert memory.is_macro
    assert report.memory_bits == 32
    assert report.total.sequential_area == 0
    # What is left is the adder before it and the parity after it.
    neighbours = """
module neighbours(input [3:0] a, b, r, output [3:0] s, output p);
  assign s = a + b;
  assign p = ^r;
endmodule
"""
    expected = area(neighbours, "neighbours", toy, mapping="abc")
    assert report.total.area == expected.total.area > 0
    assert report.flat is not None
    assert report.flat.area == expected.total.area


@pytest.mark.parametrize(
    ("verilog", "flip_flops"),
    [
        (ram("store[ra]"), 32),  # read without a clock
        (ram("store[ra_q]"), 32 + 3),  # only the address is registered: a write of the same cycle is seen
    ],
)
def test_storage_that_no_macro_offers_is_flip_flops(toy: Library, verilog: str, flip_flops: int):
    report = area(verilog, "ram", toy, mapping="abc")
    [memory] = report.memories
    assert not memory.is_macro
    assert report.memory_bits == 0
    assert report.total.cells_by_type["FLOP"] == flip_flops


@pytest.mark.parametrize(("macro_bits", "is_macro"), [(32, True), (33, False)])
def test_macro_bits_is_the_least_that_a_macro_has(toy: Library, macro_bits: int, is_macro: bool):
    report = area(ram(REGISTERED), "ram", toy, mapping="abc", macro_bits=macro_bits)
    assert report.memories[0].is_macro == is_macro
    assert report.total.cells_by_type.get("FLOP", 0) == (0 if is_macro else 32 + 4)


def test_a_table_is_logic_and_no_memory(toy: Library):
    verilog = """
module rom(input clk, input [1:0] a, output reg q);
  reg t [0:3];
  initial begin t[0] = 1; t[1] = 1; t[2] = 1; t[3] = 0; end
  always @(posedge clk) q <= t[a];
endmodule
"""
    report = area(verilog, "rom", toy)
    assert report.memories == ()
    assert report.total.cells_by_type == {"FLOP": 1, "NAND": 1}


def test_a_memory_in_each_of_two_instances_counts_twice(toy: Library):
    verilog = (
        ram(REGISTERED)
        + """
module pair(input clk, we, re, input [2:0] wa, ra, input [3:0] a, b, output p, q);
  ram one(clk, we, re, wa, ra, a, b, p);
  ram two(clk, we, re, ra, wa, a, b, q);
endmodule
"""
    )
    report = area(verilog, "pair", toy, mapping="abc", flat=False)
    assert [memory.name for memory in report.memories] == ["one.store", "two.store"]
    assert report.memory_bits == 64
    assert report.blocks[0].figures == report.blocks[1].figures
