"""How arithmetic becomes cells, that these compute what the Verilog says, and that Yosys counts them alike."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from hamming.synth.library.libraries import Library, load_library
from hamming.synth.mapping import flow
from hamming.synth.mapping.area import AreaReport
from hamming.synth.yosys import process as yosys
from tests.synth.verilog_samples import SUM, TREE, area


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
