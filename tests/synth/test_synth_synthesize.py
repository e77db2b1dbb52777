"""Calls of `synthesize`: repeated, kept, watched, and with what cannot be mapped."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hamming.rtl.memory import DualPortMemory, WritePort
from hamming.rtl.verilog import emit
from hamming.synth.library.libraries import Library
from hamming.synth.mapping import area as module
from hamming.synth.mapping.area import AreaReport, SynthesisError, synthesize
from hamming.synth.yosys import memories
from hamming.synth.yosys import process as yosys
from hamming.synth.yosys.memories import without_contents
from tests.synth.verilog_samples import REGISTERED, SUM, THREE_CELLS, TREE, area, ram


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
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
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
