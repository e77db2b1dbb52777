"""Memories on FPGAs: each of a preset's is inferred as it was, and block RAM is told from what is none."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from hamming.rtl.design import load_design, preset_names
from hamming.rtl.verilog import emit
from hamming.synth.memory import fpga_mapping
from hamming.synth.memory.fpga_families import FAMILIES
from hamming.synth.memory.fpga_mapping import measure
from hamming.synth.memory.fpga_table import MemoryRow, markdown, read, write
from tests.test_docs import ROOT

#: The others are for the document.
TESTED = ("ecp5", "ice40", "gowin", "xc7")


@pytest.mark.parametrize("preset", preset_names())
def test_a_preset_is_inferred_as_the_file_says(preset: str) -> None:
    kept = [row for row in read() if row.preset == preset and row.family in TESTED]
    assert kept
    assert measure(load_design(preset), TESTED) == kept


def test_keys_and_values_of_all_presets_but_the_smallest_are_block_ram() -> None:
    """Where 7-series have a key memory of 64 words in LUT RAM, they can have it in block RAM."""
    for row in read():
        if row.preset != "tiny" and row.family != "xc7" and row.memory != "replay.list":
            assert (row.kind, row.extra_bits) == ("block RAM", 0), row
        if row.memory.startswith("value_memory") and row.preset != "tiny":
            assert row.kind == "block RAM", row


def test_a_whole_design_has_what_its_memories_have_by_themselves() -> None:
    design = load_design("tiny", ["spec.n_keys=64", "engine.n_lanes=2"])
    whole = measure(design, ["ice40"], whole=True)
    assert whole == measure(design, ["ice40"])
    assert {row.memory: row.kind for row in whole} == {
        "key_memory": "block RAM",
        "value_memory": "block RAM",
        "selector.scores": "block RAM",
        "replay.list": "registers",
    }


def test_a_memory_that_is_read_at_once_is_no_block_ram(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would become of a preset whose read ports had no register."""

    def asynchronous(*arguments: Any) -> str:
        text, count = re.subn(
            r"always @\(posedge clk\) begin\n +if \(read__en\) begin\n( +_0_) <= (memory.*;)\n +end\n",
            r"always @* begin\n\1 = \2\n",
            emit(*arguments),
        )
        assert count == 3
        return text

    monkeypatch.setattr(fpga_mapping, "emit", asynchronous)
    rows = measure(load_design("minilm"), ["ice40"])
    assert {row.kind for row in rows} == {"registers"}
    assert rows != [row for row in read() if (row.preset, row.family) == ("minilm", "ice40")]


def test_the_file_is_what_was_written(tmp_path) -> None:
    rows = [MemoryRow("tiny", "ecp5", "key_memory", 16, 8, "LUT RAM", "2 TRELLIS_DPR16X4", 8)]
    write(rows, tmp_path / "rows.csv")
    assert read(tmp_path / "rows.csv") == rows


def test_equal_banks_are_a_row_of_the_table() -> None:
    bank = MemoryRow("big", "ecp5", "value_memory.bank_0", 256, 256, "block RAM", "8 DP16KD", 0)
    lines = markdown([bank, dataclasses.replace(bank, memory="value_memory.bank_1")]).splitlines()
    assert lines[2:] == ["| `big` | `value_memory.bank_n`, each of 2 | 256 x 256 | 8 DP16KD |"]


def test_the_document_has_the_table() -> None:
    assert markdown(read()) in (ROOT / "docs" / "memories.md").read_text(encoding="utf-8")


def test_every_preset_and_family_is_in_the_file() -> None:
    assert {(row.preset, row.family) for row in read()} == {(p, f) for p in preset_names() for f in FAMILIES}
