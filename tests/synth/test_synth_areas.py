from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest
from click.testing import CliRunner

from hamming.pool import Pool
from hamming.rtl.design import preset_names
from hamming.synth.studies import areas
from hamming.synth.studies.areas import AreaRow, difference, markdown, measure, read, write
from hamming.synth.yosys.process import SynthesisError
from tests.pools import in_this_process

TOTAL = AreaRow("tiny", "toy", "total", "auto", 12.5, 7, 10.0, 128, 1.25)
BLOCK = AreaRow("tiny", "toy", "score", "adders", 2.5, 6, 0.0, 0, 0.5)
OTHER = AreaRow("bert", "toy", "total", "auto", 99.0, 70, 10.0, 256, 0.9876)


def test_rows_survive_the_file(tmp_path: Path):
    path = tmp_path / "areas.csv"
    write([BLOCK, TOTAL, OTHER], path)
    assert read(path) == [OTHER, BLOCK, TOTAL]
    assert path.read_text().splitlines() == [
        "preset,library,block,mapping,area,cells,sequential_area,memory_bits,period_ns",
        "bert,toy,total,auto,99.0,70,10.0,256,0.9876",
        "tiny,toy,score,adders,2.5,6,0.0,0,0.5",
        "tiny,toy,total,auto,12.5,7,10.0,128,1.25",
    ]


def test_difference_is_what_moved_came_or_went():
    moved = AreaRow("tiny", "toy", "total", "auto", 13.5, 8, 10.0, 128, 1.25)
    assert difference([TOTAL, OTHER], [TOTAL, OTHER]) == []
    assert difference([TOTAL, OTHER], [moved, OTHER]) == [(TOTAL, moved)]
    assert difference([TOTAL], [TOTAL, BLOCK]) == [(None, BLOCK)]
    assert difference([TOTAL, BLOCK], [BLOCK]) == [(TOTAL, None)]


def test_the_file_has_every_preset_and_its_blocks_add_up():
    totals, blocks, periods = {}, defaultdict(float), defaultdict(list)
    for row in read():
        assert row.library == "nangate45"
        if row.block == "total":
            totals[row.preset] = row
        else:
            blocks[row.preset] += row.area
            periods[row.preset].append(row.period_ns)
    assert tuple(sorted(totals)) == preset_names()
    for preset, total in totals.items():
        assert blocks[preset] == pytest.approx(total.area, abs=1e-6)
        assert total.memory_bits > 0
        assert 0 < max(periods[preset]) <= total.period_ns


def test_the_area_of_tiny_is_the_one_in_the_file():
    """Fails when a change moves an area: look at what moved, then rewrite the file (`make areas`)."""
    known = [row for row in read() if row.preset == "tiny"]
    assert difference(known, measure("tiny", "nangate45")) == []


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of its own, and a measurement that always yields the same."""
    path = tmp_path / "areas.csv"
    monkeypatch.setattr(areas, "AREAS", path)
    monkeypatch.setattr(areas, "read", lambda: read(path))
    monkeypatch.setattr(areas, "write", lambda rows: write(rows, path))
    monkeypatch.setattr(areas, "load_library", lambda name: None)
    monkeypatch.setattr(areas, "measure", lambda preset, library: [BLOCK, TOTAL])
    monkeypatch.setattr(Pool, "results", in_this_process)
    return path


def test_the_command_rewrites_what_it_measured_and_keeps_the_rest(file: Path):
    other_library = AreaRow("tiny", "osu018", "total", "auto", 1.0, 1, 1.0, 1, 1.0)
    gone = AreaRow("tiny", "toy", "old", "abc", 1.0, 1, 1.0, 1, 1.0)
    write([gone, OTHER, other_library], file)
    done = CliRunner().invoke(areas.main, ["tiny", "--library", "toy"])
    assert done.exit_code == 0
    assert read(file) == [OTHER, other_library, BLOCK, TOTAL]
    assert [line.split()[:2] for line in done.output.splitlines() if line.strip().startswith("tiny")] == [
        ["tiny", "old"],
        ["tiny", "score"],
        ["tiny", "total"],
    ]


def test_a_preset_that_fails_keeps_its_rows_and_the_others_are_measured(file: Path, monkeypatch: pytest.MonkeyPatch):
    def measure(preset: str, library: str) -> list[AreaRow]:
        if preset == "bert":
            raise SynthesisError("Yosys: no")
        return [BLOCK, TOTAL]

    monkeypatch.setattr(areas, "measure", measure)
    write([OTHER], file)
    done = CliRunner().invoke(areas.main, ["bert", "tiny", "--library", "toy"])
    assert done.exit_code == 1
    assert done.output.endswith("Error: 1 of 2 jobs failed\nbert: Yosys: no\n")
    assert read(file) == [OTHER, BLOCK, TOTAL]


def test_check_tells_by_its_status_and_changes_nothing(file: Path):
    write([BLOCK, TOTAL], file)
    assert CliRunner().invoke(areas.main, ["tiny", "--library", "toy", "--check"]).exit_code == 0
    write([TOTAL], file)
    done = CliRunner().invoke(areas.main, ["tiny", "--library", "toy", "--check"])
    assert done.exit_code == 1
    assert read(file) == [TOTAL]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tinny"], "Error: no preset 'tinny'; presets: "),
        (["tiny", "--library", "no"], "Error: no cell library 'no': give nangate45 or osu018, "),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], message: str):
    done = CliRunner().invoke(areas.main, arguments)
    assert done.exit_code == 1
    assert done.output.startswith(message)
    assert done.output.count("\n") == 1


def test_a_document_gets_blocks_down_and_presets_across(monkeypatch: pytest.MonkeyPatch):
    rows = [OTHER, BLOCK, TOTAL]
    monkeypatch.setattr(areas, "read", lambda: [*rows, AreaRow("tiny", "osu018", "total", "auto", 1.0, 1, 1.0, 1, 1.0)])
    done = CliRunner().invoke(areas.main, ["--markdown", "--library", "toy"])
    assert done.output.splitlines() == [
        "| block | tiny | bert |",
        "|---|---:|---:|",
        "| score | 2 | - |",
        "| **total** | 12 | 99 |",
        "| shortest clock period, ns | 1.250 | 0.988 |",
        "| cells | 7 | 70 |",
        "| sequential | 80% | 10% |",
        "| bits of memories, not in the area | 128 | 256 |",
    ]


def test_the_documents_table_is_the_files():
    page = Path(__file__).parents[2] / "docs" / "synthesis.md"
    assert markdown(read()) in page.read_text(encoding="utf-8")
