"""The comparisons that the repository keeps, and the documents that show them."""

from __future__ import annotations

from pathlib import Path

import pytest

from hamming.synth.compare.results import markdown, read

DOCS = Path(__file__).parents[2] / "docs"


def test_the_document_shows_the_files():
    page = (DOCS / "comparison.md").read_text(encoding="utf-8")
    assert markdown(read()) in page


def test_both_designs_of_a_comparison_take_the_same_cycles():
    assert {"bert", "bert256"} <= set(read())
    for comparison in read().values():
        for design in comparison.designs:
            assert design.cycles == pytest.approx(comparison.standard.cycles, rel=0.02)
            assert design.cycles == pytest.approx(design.cycles_by_formula, rel=0.02)
            assert design.verification is not None
            assert design.verification.mismatches == 0 < design.verification.queries


def test_timers_agree():
    """OpenSTA reads the same tables; ABC merges those that depend on other pins (docs/timing.md)."""
    for comparison in read().values():
        for design in comparison.designs:
            for timing in design.timings:
                tolerance = 0.1 if timing.tool == "ABC" else 0.01
                assert timing.period == pytest.approx(design.timings[0].period, rel=tolerance)
