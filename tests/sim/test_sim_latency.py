"""What a DRAM costs: bytes by hand, and that the document shows what was measured."""

from pathlib import Path

import pytest

from hamming.sim.latency import POINTS, Point, bytes_read, main, markdown, plot, read

PAGE = Path(__file__).parents[2] / "docs" / "long-context.md"


def test_bytes_worked_by_hand():
    """1,024 keys of 64 bits are 8 kB; 32 values of 64 bytes 2 kB; in int8 keys and values are 64 kB each."""
    assert bytes_read(1024, 32) == {"binary, top k": 8192 + 2048, "int8": 2 * 65536, "bfloat16": 4 * 65536}


def test_what_was_measured_is_every_point_and_on_the_page():
    rows = read()
    assert [Point(*(row[name] for name in Point._fields)) for row in rows] == list(POINTS)
    assert markdown(rows) in PAGE.read_text(encoding="utf-8")


def test_requests_enough_hide_the_latency():
    rows = {Point(*(row[name] for name in Point._fields)): row for row in read()}
    for point, row in rows.items():
        assert row["cycles_at_once"] == pytest.approx(max(point.design.dimensions.cycle_terms().values()), rel=0.001)
        if point.outstanding == 512:
            assert row["cycles_at_once"] / row["cycles_dram"] > 0.95
        if "key" in row["bytes_a_query"]:
            told = bytes_read(point.n_keys, point.top_k)["binary, top k"]
            assert sum(row["bytes_a_query"].values()) == pytest.approx(told, rel=0.001)


def test_picture_is_the_same_each_time(tmp_path):
    plot(read(), tmp_path / "picture.svg")
    assert (tmp_path / "picture.svg").read_bytes() == PAGE.with_suffix(".svg").read_bytes()


def test_command_prints_what_is_kept(capsys):
    assert main(["--print"]) == 0
    assert capsys.readouterr().out == markdown(read())
