"""The comparisons that the repository keeps, and the documents that show them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hamming.synth.compare.results import ACCURACIES, MARKS, TASKS, keep, markdown, read, read_accuracies
from hamming.synth.compare.variants import LIST, WAITING

DOCS = Path(__file__).parents[2] / "docs"


def test_the_document_shows_the_files():
    page = (DOCS / "comparison.md").read_text(encoding="utf-8")
    assert markdown(read()) in page


def test_tables_are_put_into_a_document(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{MARKS[0]}old{MARKS[1]}\nafter\n", encoding="utf-8")
    keep(page)
    assert page.read_text(encoding="utf-8") == f"before\n{MARKS[0]}{markdown(read())}{MARKS[1]}\nafter\n"


@pytest.mark.parametrize("task", TASKS)
def test_every_design_has_an_accuracy_on_each_task(task):
    accuracies = read_accuracies(task)
    assert {design.key for comparison in read().values() for design in comparison.designs} <= set(accuracies)
    assert {path.stem for path in ACCURACIES.iterdir()} == set(TASKS)


def test_accuracies_in_words():
    accuracies = read_accuracies("fashion_mnist")
    assert re.fullmatch(r"8\d\.\d%", accuracies["hamming"])
    assert re.fullmatch(r"8\d\.\d% \(8\d\.\d%\)", accuracies["standard-sparse_int8"])
    assert accuracies["standard-bf16"].endswith("% of 300")


def test_both_designs_of_a_comparison_take_the_same_cycles():
    assert {"bert", "bert256"} <= set(read())
    for comparison in read().values():
        for design in comparison.designs:
            rel = 0.03 if design.key == WAITING else 0.02  # rows wait, but now and then for too long
            assert design.cycles == pytest.approx(comparison.standard.cycles, rel=rel)
            if design.key in (LIST, WAITING):  # stated at most: keys in rising order
                assert design.cycles < design.cycles_by_formula == comparison.shape["n_keys"]
            else:
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
