"""Accuracy beside area and energy: engines and models matched by their widths."""

from __future__ import annotations

import itertools
import re

import pytest

from hamming.distill.report import picture, price
from hamming.distill.report.page import PICTURE
from hamming.synth import plots
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


@pytest.fixture
def figures(monkeypatch) -> list:
    """Figures as they are drawn, laid out."""
    pytest.importorskip("matplotlib", reason="pip install matplotlib draws it")
    found = []

    def keep(figure, path, title):
        figure.canvas.draw()
        found.append(figure)
        save(figure, path, title)

    save = plots.save
    monkeypatch.setattr(plots, "save", keep)
    return found


def test_the_picture_has_every_engine(few_results, figures, tmp_path):
    for name in "ab":
        picture.draw(tmp_path / f"{name}.svg", items={"two_seeds": 1000, "another": 500})
    text = (tmp_path / "a.svg").read_text()
    assert text == (tmp_path / "b.svg").read_text()
    assert {"8 bits", "powers of two"} <= set(re.findall(r"<!-- +(.*?) +-->", text))
    (place,) = figures[0].axes  # a teacher's accuracy is the level: a run without one has no panel
    assert list(place.containers[0].lines[0].get_ydata()) == pytest.approx([85, 91])


def test_no_label_of_the_picture_lies_on_another_or_on_a_point(figures, tmp_path):
    from matplotlib.text import Text

    picture.draw(tmp_path / "a.svg")
    texts = [text for place in figures[0].axes for text in place.texts]
    for text in texts:
        text.get_window_extent()  # finds its place, with the line that leads from it
    boxes = {text.get_text(): Text.get_window_extent(text) for text in texts}
    assert len(texts) == len(price.prices()) + 2 * len(figures[0].axes)
    assert len(boxes) == len(texts)
    for (name, one), (other_name, other) in itertools.combinations(boxes.items(), 2):
        assert not one.overlaps(other), (name, other_name)
    for place in figures[0].axes:
        points = place.transData.transform(place.containers[0].lines[0].get_xydata())
        for x, y in points:
            assert [name for name, box in boxes.items() if box.contains(x, y)] == []


def test_the_picture_is_mostly_not_empty(figures, tmp_path):
    """No two engines are further apart than a third of the axis."""
    picture.draw(tmp_path / "a.svg")
    low, high = figures[0].axes[0].get_xlim()
    xs = sorted(100 * one.energy_share for one in price.prices()[:-1])
    assert max(b - a for a, b in itertools.pairwise([low, *xs, high])) < (high - low) / 3


def test_the_sampling_error_is_that_of_counting():
    assert picture.sampling_error(0.9, 10_000) == pytest.approx(0.003)


def test_the_kept_picture_is_of_the_kept_results(tmp_path):
    """`python -m hamming.distill.report.page` makes it."""
    pytest.importorskip("matplotlib", reason="pip install matplotlib draws it")
    picture.draw(tmp_path / "new.svg")
    assert PICTURE.read_text() == (tmp_path / "new.svg").read_text()


def test_a_picture_has_two_schemes(tmp_path):
    pytest.importorskip("matplotlib", reason="pip install matplotlib draws it")
    picture.draw(tmp_path / "new.svg")
    text = (tmp_path / "new.svg").read_text()
    sheet, _, drawing = text.partition("</style>")
    for number, (light, dark) in enumerate(plots.COLOURS.items()):
        assert re.search(rf"svg\{{[^}}]*--c{number}:{light};.*dark.*--c{number}:{dark};", sheet)
    used = {value for value in re.findall(r"(?:fill|stroke): ([^;\"]+)", drawing) if not value.startswith("var(")}
    assert used <= {"none"}, "colours that no scheme changes"
