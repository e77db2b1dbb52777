"""Designs of blocks: which engines they are of, and the table that a document shows."""

from __future__ import annotations

from hamming.synth.studies.blocks import BITS, ENGINES, POINTS, STUDY, TRIED, design_of, markdown, read


def test_the_document_shows_the_file():
    page = STUDY.page.read_text(encoding="utf-8")
    assert STUDY.marks[0] + markdown(read()) + STUDY.marks[1] in page


def test_every_block_was_tried_at_both_widths():
    assert [(row["engine"], row["bits"]) for row in read()] == list(POINTS)
    assert {tried.engine for tried in TRIED} == set(ENGINES)
    for block in {tried.block for tried in TRIED}:
        assert len([tried for tried in TRIED if tried.block == block]) >= 3
    for row in read():
        assert row["queries_checked"] > 0
        assert {tried.block for tried in TRIED} <= set(row["blocks"])


def test_designs():
    for name, bits in POINTS:
        design = design_of(name, bits)
        assert (design.spec.weight_bits, design.spec.value_bits, design.spec.top_k) == (bits, bits, 30)
        for option, value in ENGINES[name].items():
            assert getattr(design.config, option) == value
    assert {bits for _, bits in POINTS} == set(BITS)


def test_a_row_of_the_table():
    blocks = {"selector": {"area_um2": 1234.5, "energy_pj": 67.8}}
    rows = [{"engine": "list", "bits": 4, "cycles": 83.2, "period_ns": 0.8, "blocks": blocks}]
    [line] = [line for line in markdown(rows).splitlines() if "sorted list" in line]
    assert line.startswith("| selector | a sorted list of 30 cells |  |  |  |  | 1,234 | 68 | 1.25 | 83 | kept for one")
