"""The tables of `docs/hardware-accuracy.md`: made of the results that are kept, and what the page shows."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from hamming.distill.hardware.widths import points
from hamming.distill.report.page import PAGE, updated
from hamming.distill.report.tables import RESULTS, all_width_rows, evaluation_rows, read, verilog_rows


def evaluation(**accuracy: float) -> dict:
    return {
        "items": 2000,
        "top_n": 8,
        "accuracy": accuracy,
        "agreement": 0.9985,
        "attention": {"mean": 0.99991, "worst": 0.9 + accuracy["integer"] / 100},
        "flipped": {"blocks.0": 0, "blocks.1": 0.0037},
        "cpu_seconds": dict.fromkeys(accuracy, 1.234),
        "peak_mib": dict.fromkeys(accuracy, 500.4),
    }


@pytest.fixture
def results(tmp_path) -> Path:
    def save(name: str, facts: dict | list) -> None:
        (tmp_path / name).write_text(json.dumps(facts))

    save("evaluate-reviews-0.json", evaluation(teacher=0.88, float=0.86, integer=0.85))
    save("evaluate-reviews-1.json", evaluation(teacher=0.89, float=0.87, integer=0.88))
    save("evaluate-novels-3.json", evaluation(float=0.9, integer=0.9))
    point = {"accuracy": 0.85, "agreement": 0.99, "attention": {"mean": 0.9876543, "worst": 0.5}}
    steps = [vars(widths) | point | {"accuracy": 0.8 + n / 1000} for n, widths in enumerate(points())]
    save("widths-reviews-0.json", {"items": 2000, "float": 0.86, "points": steps})
    engine = {"layer": "blocks.0", "heads": 12, "queries": 3840, "mismatches": 0}
    save("verilog-reviews-0.json", [engine | {"cycles_a_query": 20.004, "cycles_bound": 20.0}])
    save("verilog-reviews-1.json", [engine | {"cycles_a_query": 20.024, "cycles_bound": 20.0}])
    return tmp_path


def test_seeds_of_a_run_share_a_row(results):
    lines = list(evaluation_rows(results))
    assert set(read("evaluate", results)) == {"reviews", "novels"}
    assert (
        "| `reviews` | 2 | 2,000 | 8 | 88.50 | 86.50 | 86.50 | 99.85 | 0.99991 | 0.90850 | 0.37 "
        "| 1.23 | 1.23 | 1.23 | 500 | 500 | 500 |"
    ) in lines
    assert any(line.startswith("| `novels` | 1 | 2,000 | 8 |  | 90.00 | 90.00 |") for line in lines)


def test_a_row_for_each_point_and_each_layer(results):
    lines = [*all_width_rows(results), *verilog_rows(results)]
    assert "`reviews`, 1 seed, 2,000 items; floating point: 86.00 %" in lines
    assert "| 12* | 8 | 8 | exponential | 80.00 | 99.00 | 0.98765 | 0.50000 |" in lines
    assert "| 2 | 8 | 8 | exponential | 80.10 | 99.00 | 0.98765 | 0.50000 |" in lines
    assert sum("| 99.00 | 0.98765 |" in line for line in lines) == len(list(points()))
    assert "| `reviews` | `blocks.0` | 2 | 12 | 7,680 | 0 | 20.01 | 20.00 |" in lines


def test_the_page_shows_what_is_kept():
    """`python -m hamming.distill.report.page` after new results, in `synth/compare/results` too."""
    page = PAGE.read_text(encoding="utf-8")
    assert RESULTS.is_dir()
    assert updated(page) == page
    other = page.replace("| `fashion_mnist` |", "| `another` |")
    assert updated(other) == page != other


def test_a_page_without_a_place():
    with pytest.raises(ValueError, match="must have '<!-- evaluation -->' once, and '<!-- end -->' after it"):
        updated("<!-- end -->\n<!-- evaluation -->")


def test_what_is_kept_has_no_mismatch():
    for found in read("verilog").values():
        for one in itertools.chain(*found):
            assert (one["mismatches"], one["violations"]) == (0, 0)
