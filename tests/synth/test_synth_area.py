from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hamming.rtl.memory import DualPortMemory, WritePort
from hamming.rtl.verilog import emit
from hamming.synth.library.libraries import Library, load_library
from hamming.synth.mapping import area as module
from hamming.synth.mapping import flow
from hamming.synth.mapping.area import AreaReport, SynthesisError, synthesize
from hamming.synth.yosys import memories
from hamming.synth.yosys import process as yosys
from hamming.synth.yosys.memories import without_contents

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


def with_adder_area(library: Library, folder: Path, adder_area: int) -> Library:
    path = folder / f"adder{adder_area}.lib"
    path.write_text(library.path.read_text().replace("area : 9;", f"area : {adder_area};"))
    return load_library(path)


@pytest.mark.parametrize(("adder_area", "chosen"), [(9, "adders"), (80, "abc")])
def test_auto_takes_the_smaller_mapping_and_records_both(toy: Library, tmp_path: Path, adder_area: int, chosen: str):
    library = with_adder_area(toy, tmp_path, adder_area)
    reports = {mapping: area(SUM, "total", library, mapping=mapping) for mapping in ("abc", "adders", "auto")}
    assert "ADD" not in reports["abc"].total.cells_by_type
    # Four words of four bits: two rows of 3:2 compressors, no full adder where one word has no bit.
    assert reports["adders"].total.cells_by_type["ADD"] == 4 + 3
    areas = {mapping: report.total.area for mapping, report in reports.items()}
    assert areas["abc"] != areas["adders"]
    [block] = reports["auto"].blocks
    assert block.candidates == {"abc": areas["abc"], "adders": areas["adders"]}
    assert block.mapping == chosen
    assert areas["auto"] == areas[chosen] == min(areas["abc"], areas["adders"])
    assert reports["auto"].flat is not None
    assert reports["auto"].flat.area == areas["auto"]


def test_each_module_takes_its_own_mapping(toy: Library):
    # An incrementer has no sum of three bits; what its mappings differ by is how ABC meets it.
    verilog = (
        SUM
        + """
module gates(input [1:0] a, output y);
  assign y = ~(a[0] & a[1]);
endmodule
module both(input [3:0] a, b, c, d, output [5:0] y, output z);
  total sums(a, b, c, d, y);
  gates rest(a[1:0], z);
endmodule
"""
    )
    report = area(verilog, "both", toy)
    assert {block.name: block.mapping for block in report.blocks} == {"sums": "adders", "rest": "abc"}
    assert "select -set adding total\n" in report.script


def test_ripple_puts_adder_cells_in_the_carry_chain_too(toy: Library):
    verilog = "module plus(input [7:0] a, b, input c, output [8:0] y); assign y = a + b + c; endmodule"
    assert area(verilog, "plus", toy, mapping="ripple").total.cells_by_type == {"ADD": 8}
    assert area(verilog, "plus", toy, mapping="adders").total.cells_by_type.get("ADD", 0) == 0


def test_a_library_without_adder_leaves_only_abc(toy: Library, tmp_path: Path):
    path = tmp_path / "plain.lib"
    text = toy.path.read_text()
    path.write_text(text[: text.index("  cell(BIG_ADD)")] + "}\n")
    report = area(SUM, "total", load_library(path), mapping="adders")
    assert report.blocks[0].mapping == "abc"
    assert report.total.area == area(SUM, "total", toy, mapping="abc").total.area


@pytest.mark.parametrize("mapping", ["abc", "adders", "ripple"])
def test_the_cells_compute_what_the_verilog_says(toy: Library, tmp_path: Path, mapping: str):
    verilog = """
module mixed(input [4:0] a, b, c, input [2:0] d, output [11:0] y, output z);
  assign y = a * b + c - d;
  assign z = a < c;
endmodule
"""
    report = area(verilog, "mixed", toy, mapping=mapping)
    run_script(report, verilog, toy, tmp_path, "write_verilog -noattr cells.v")
    yosys.run(
        [
            *("read_verilog design.v", "hierarchy -top mixed", "proc", "rename mixed gold"),
            *("read_verilog cells.v", "rename mixed gate", "read_liberty cells.lib", "flatten gate", "opt_clean gate"),
            "miter -equiv -flatten -make_outputs gold gate miter",
            "sat -verify -prove trigger 0 miter",
        ],
        tmp_path,
    )


def run_script(report: AreaReport, verilog: str, library: Library, folder: Path, *more: str) -> None:
    (folder / "design.v").write_text(verilog)
    shutil.copy(library.path, folder / "cells.lib")
    for file in flow.FILES:
        shutil.copy(file, folder)
    yosys.run([*report.script.splitlines(), *more], folder)


def test_the_reports_script_gives_its_figures(toy: Library, tmp_path: Path):
    report = area(TREE, "top", toy)
    run_script(report, TREE, toy, tmp_path)
    assert report.flat is not None
    for name, figures in (("blocks.json", report.total), ("flat.json", report.flat)):
        found = json.loads((tmp_path / name).read_text())["design"]["num_cells_by_type"]
        assert {cell: n for cell, n in found.items() if cell in toy.areas} == figures.cells_by_type


def test_yosys_counts_the_same_area(toy: Library, tmp_path: Path):
    report = area(SUM, "total", toy)
    run_script(report, SUM, toy, tmp_path, "tee -q -o areas.json stat -json -liberty cells.lib")
    assert json.loads((tmp_path / "areas.json").read_text())["design"]["area"] == report.total.area


def test_the_result_is_the_same_twice(toy: Library):
    assert area(TREE + SUM, "top", toy).to_dict() == area(TREE + SUM, "top", toy).to_dict()


def test_a_report_survives_json(toy: Library):
    report = area(ram(REGISTERED), "ram", toy)
    assert AreaReport.from_dict(json.loads(json.dumps(report.to_dict()))) == report
    with pytest.raises(ValueError, match="an area report has format 2, not None"):
        AreaReport.from_dict({})


def test_a_known_result_comes_from_the_cache(toy: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    first = synthesize(TREE, top="top", library=toy)

    def fail(*args, **kwargs):
        raise AssertionError("Yosys ran")

    with monkeypatch.context() as patch:
        patch.setattr(module.yosys, "run", fail)
        assert synthesize(TREE, top="top", library=toy) == first
        options: dict[str, Any]
        for options in ({"mapping": "abc"}, {"flat": False}, {"macro_bits": 1}, {"cache": False}):
            with pytest.raises(AssertionError, match="Yosys ran"):
                synthesize(TREE, top="top", library=toy, **options)
        with pytest.raises(AssertionError, match="Yosys ran"):
            synthesize(TREE + " ", top="top", library=toy)
    [kept] = (tmp_path / "cache" / "synth").iterdir()
    kept.write_text("{")
    assert synthesize(TREE, top="top", library=toy) == first


def test_progress_goes_from_the_start_towards_the_end(toy: Library):
    seen = []
    area(THREE_CELLS, "three", toy, progress=seen.append)
    shares = [progress.done for progress in seen]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert 0.9 < shares[-1] < 1
    assert list(dict.fromkeys(p.step for p in seen)) == [
        "elaborating",
        "mapping (abc)",
        "mapping (adders)",
        "flattening",
    ]


def test_a_callback_that_raises_stops_the_work(toy: Library):
    def stop(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        area(THREE_CELLS, "three", toy, progress=stop)


@pytest.mark.parametrize(
    ("verilog", "top", "message"),
    [
        ("module broken(input a output b); endmodule", "broken", r"Yosys: .*syntax error"),
        (THREE_CELLS, "four", r"Yosys: Module `.?four' not found!"),
        ("module caller(input a); missing m(a); endmodule", "caller", r"Yosys: .*missing.* not part of the design"),
        (
            "module latch(input g, d, output reg q); always @* if (g) q = d; endmodule",
            "latch",
            r"Yosys: FF latch.*: D latches are not supported$",
        ),
        (
            'module talker(input clk); always @(posedge clk) $display("tick"); endmodule',
            "talker",
            r"the library toy has no cell for \$print in module talker$",
        ),
    ],
)
def test_a_design_that_cannot_be_mapped_is_one_line(toy: Library, verilog: str, top: str, message: str):
    with pytest.raises(SynthesisError, match=f"^{message}") as caught:
        area(verilog, top, toy)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"mapping": "fast"}, ValueError, "mapping must be one of auto, abc, adders, ripple, not 'fast'"),
        ({"flat": 1}, TypeError, "flat must be true or false, not 1"),
        ({"macro_bits": -1}, ValueError, "macro_bits must be 0 or more, not -1"),
        ({"top": "a b"}, ValueError, "top must be the name of a module, not 'a b'"),
        ({"verilog": "design.v"}, ValueError, "verilog must be Verilog text or a Path, not 'design.v'"),
        ({"verilog": Path("no/design.v")}, SynthesisError, "cannot read 'no/design.v': No such file or directory"),
    ],
)
def test_bad_arguments(toy: Library, arguments: Mapping[str, Any], kind: type[Exception], message: str):
    with pytest.raises(kind, match=f"^{message}$"):
        synthesize(**{"verilog": THREE_CELLS, "top": "three", "library": toy, **arguments})


def test_a_verilog_file_is_read(toy: Library, tmp_path: Path):
    (tmp_path / "three.v").write_text(THREE_CELLS)
    assert area(THREE_CELLS, "three", toy) == synthesize(tmp_path / "three.v", top="three", library=toy)


def test_yosys_dying_without_a_word_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    worker = tmp_path / "worker.py"
    worker.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    monkeypatch.setattr(yosys, "_WORKER", worker)
    with pytest.raises(SynthesisError, match=r"^Yosys ended with status -11: no message$"):
        yosys.run(["stat"], tmp_path)


def test_an_error_carries_the_log(tmp_path: Path):
    with pytest.raises(SynthesisError) as caught:
        yosys.run(["log here we are", "no_such_command"], tmp_path)
    assert str(caught.value).startswith("Yosys: No such command: no_such_command")
    assert "here we are" in caught.value.log


def test_missing_yosys_says_how_to_install_it():
    # In a Python of its own, which sees this project and no installed package.
    code = (
        "from hamming.synth.yosys import SynthesisError, version\n"
        "try: version()\n"
        "except SynthesisError as error: print(error)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "synthesis needs Yosys: pip install pyosys\n"


def test_first_contents_of_large_memories_are_left_out(toy: Library, monkeypatch: pytest.MonkeyPatch):
    """As the engine's Verilog writes them; the area is that of the memory's ports, and of the text that was given."""
    text = emit(DualPortMemory(WritePort(depth=24, width=2, granularity=2)), "ram")
    assert "initial for (word = 0; word < 24;" in text
    assert without_contents(text) == text
    monkeypatch.setattr(memories, "MOST_UNROLLED", 23)
    without = without_contents(text)
    assert "initial" not in without
    assert len(text.splitlines()) - len(without.splitlines()) == 1
    report = synthesize(text, top="ram", library=toy, cache=False)
    assert [(found.depth, found.bits_a_word) for found in report.memories] == [(24, 2)]
    assert report.verilog_sha256 == hashlib.sha256(text.encode()).hexdigest()
