"""The sweep: its points, their engines, its file, and what is shown of it."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from hamming.pool import Pool
from hamming.synth.studies import sweep
from hamming.synth.studies.sweep import AXES, along, design_of, markdown, points, read, write
from tests.pools import in_this_process


def test_points_are_the_axes_through_the_flagship():
    found = list(points())
    assert len(found) == sum(map(len, AXES.values())) - len(AXES) + 1
    assert {"n_keys": 1024, "n_lanes": 16, "d_head": 64, "top_k": 32} in found
    assert {point["n_keys"] for point in found} == set(AXES["n_keys"])


@pytest.mark.parametrize("point", list(points()), ids=str)
def test_engines_are_balanced(point: dict[str, int]):
    """Sums keep up with the lanes, and with half the multipliers they would not, unless each element has one."""
    design = design_of(point)
    terms = design.dimensions.cycle_terms()
    n_macs, d = design.dimensions.n_macs, point["d_head"]
    assert terms["sum"] <= terms["score"] or n_macs == d
    if n_macs > 1:
        assert point["top_k"] * (d // (n_macs // 2)) > terms["score"]
    assert max(design.dimensions.value_bank_depths) <= 2048


def fake(point: dict[str, int]) -> dict:
    return {
        **point,
        "n_macs": 2,
        "value_banks": 1,
        "cycles": 64.0,
        "period_ns": {"synth.timing": 0.8},
        "area_um2": 1000.0 * point["n_lanes"],
        "memory_area_um2": 500.0,
        "energy_pj": 20.0,
        "memory_energy_pj": 10.0,
    }


def test_what_is_done_is_not_done_again(tmp_path, monkeypatch):
    file = tmp_path / "sweep.json"
    rows = [fake(point) for point in points()]
    write(rows[1:], file)
    monkeypatch.setattr(sweep, "SWEEP", file)
    monkeypatch.setattr(sweep, "read", lambda: read(file))
    monkeypatch.setattr(sweep, "write", lambda rows: write(rows, file))
    done = []

    monkeypatch.setattr(sweep, "measure", lambda point: done.append(point) or fake(point))
    monkeypatch.setattr(Pool, "results", in_this_process)
    result = CliRunner().invoke(sweep.main, [])
    assert result.exit_code == 0, result.output
    assert done == [next(points())]
    assert json.loads(file.read_text()) == rows  # in the order of the points


def test_tables_and_pictures_have_every_point(tmp_path):
    rows = [fake(point) for point in points()]
    table = markdown(rows)
    for axis, values in AXES.items():
        assert [row[axis] for row in along(rows, axis)] == list(values)
    assert table.count("\n| ") >= len(rows)
    assert "| 64 | 2 | 1 | 64 | 1.25 | 64,000 | 500 | 20 | 10 |" in table
    pytest.importorskip("matplotlib", reason="pip install matplotlib draws the sweep")
    picture = tmp_path / "sweep.svg"
    sweep.plot(rows, picture)
    text = picture.read_text()
    assert text.count("<svg") == 1
    sweep.plot(rows, picture)
    assert picture.read_text() == text
