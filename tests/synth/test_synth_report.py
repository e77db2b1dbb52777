from __future__ import annotations

import io

from rich.console import Console

from hamming.synth.mapping.area import AreaReport, Block, Figures, Memory
from hamming.synth.mapping.table import area_table


def figures(area: float, cells: int, sequential_area: float) -> Figures:
    return Figures(area=area, cells=cells, sequential_area=sequential_area, cells_by_type={})


def report(**fields) -> AreaReport:
    values = {
        "top": "engine",
        "library": {"name": "cells", "sha256": "0123456789abcdef", "area_unit": "µm²"},
        "mapping": "auto",
        "clock_ns": None,
        "clock_gating": True,
        "total": figures(4000, 500, 1000),
        "blocks": (
            Block(name="sums", figures=figures(3000, 400, 300), mapping="adders", candidates={"adders": 3000}),
            Block(name="(top)", figures=figures(1000, 100, 700), mapping="abc", candidates={"abc": 1000}),
        ),
        "flat": figures(3600, 450, 1000),
        "memories": (
            Memory(name="keys", depth=1024, bits_a_word=64, is_macro=True),
            Memory(name="ring", depth=4, bits_a_word=10, is_macro=False),
        ),
        "yosys_version": "Yosys 0.70 (git sha1 28ba3cb92)",
        "abc_commands": "strash; amap",
        "script": "",
        "verilog_sha256": "",
    }
    return AreaReport(**{**values, **fields})


def lines(shown: AreaReport) -> list[list[str]]:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(area_table(shown))
    return [line.split() for line in console.export_text().splitlines() if line.strip()]


def test_the_table_has_blocks_totals_and_what_made_them():
    shown = lines(report())
    assert shown[0] == ["engine", "in", "cells"]
    assert "area, µm² share cells sequential mapping".split() == shown[1][1:]
    assert ["sums", "3,000", "75.0%", "400", "10%", "adders"] in shown
    assert ["(top)", "1,000", "25.0%", "100", "70%", "abc"] in shown
    assert ["total", "4,000", "100.0%", "500", "25%"] in shown
    assert ["flattened", "3,600", "90.0%", "450", "28%"] in shown
    assert shown[-1] == ["Yosys", "0.70;", "cells", "0123456789ab;", "mapping", "auto;", "smallest", "gates"]


def test_memories_say_whether_they_are_in_the_area():
    shown = lines(report())
    assert "keys 1,024 64 65,536 macro, not in the area".split() in shown
    assert "ring 4 10 40 flip-flops, in the area".split() in shown


def test_what_is_not_there_is_not_shown():
    words = [line[0] for line in lines(report(flat=None, memories=()))]
    assert "flattened" not in words
    assert "storage" not in words


def test_a_design_without_cells_has_no_shares():
    nothing = report(total=figures(0, 0, 0), blocks=(), flat=None)
    assert ["total", "0", "0.0%", "0", "0%"] in lines(nothing)
