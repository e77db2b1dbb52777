"""Accuracy beside area and energy: engines and models matched by their widths."""

from __future__ import annotations

import re

import pytest

from hamming.distill.report import price
from hamming.synth.compare.results import read as read_comparisons


def point(weight_bits: int, accuracy: float, form: str | None = None, value_bits: int = 8) -> dict:
    widths = {"weight_bits": weight_bits, "value_bits": value_bits, "out_frac_bits": 8, "weight_form": form}
    return widths | {"accuracy": accuracy}


RESULTS = {
    "widths": {
        "two_seeds": [
            {"points": [point(8, 0.90), point(8, 0.1, value_bits=4), point(8, 0.84, "power_of_two")]},
            {"points": [point(8, 0.92), point(8, 0.1, value_bits=4), point(8, 0.86, "power_of_two")]},
        ],
        "another": [{"points": [point(8, 0.7)]}],
    },
    "evaluate": {
        "two_seeds": [{"accuracy": {"teacher": 0.93}}, {"accuracy": {"teacher": 0.95}}],
        "another": [{"accuracy": {"integer": 0.7}}],
    },
}


@pytest.fixture
def few_results(monkeypatch):
    monkeypatch.setattr(price, "read", RESULTS.__getitem__)


def test_engines_and_models_are_matched_by_widths(few_results):
    comparison = read_comparisons()[price.COMPARISON]
    shift, eight, standard = price.prices(comparison)  # no run has the widths of another engine
    assert (shift.title, eight.title) == ("8 bits, powers of two", "8 bits")
    assert shift.accuracy == {"two_seeds": pytest.approx(0.85)}
    assert eight.accuracy == {"two_seeds": pytest.approx(0.91), "another": 0.7}
    assert standard.accuracy == {"two_seeds": pytest.approx(0.94)}
    assert (standard.area, standard.energy_share) == (comparison.standard.area, 1)
    design = next(design for design in comparison.designs if design.title == "8-bit weights that are powers of two")
    assert (shift.area, shift.energy) == (design.area, design.energy)
    assert shift.energy_share == design.energy / comparison.standard.energy


def test_the_table_has_a_column_a_run(few_results):
    head, _, *rows = price.markdown()
    assert head.endswith("| `two_seeds`, % | `another`, % |")
    assert [row.split(" | ")[-2:] for row in rows] == [["85.00", " |"], ["91.00", "70.00 |"], ["94.00", " |"]]


def test_the_picture_has_every_engine(few_results, tmp_path):
    pytest.importorskip("matplotlib", reason="pip install matplotlib draws it")
    price.plot(tmp_path / "a.svg")
    price.plot(tmp_path / "b.svg")
    text = (tmp_path / "a.svg").read_text()
    assert text == (tmp_path / "b.svg").read_text()
    assert set(re.findall(r"<!-- +(8 bits.*?) +-->", text)) == {"8 bits", "8 bits, powers of two"}
