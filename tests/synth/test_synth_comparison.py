"""A comparison: its sums and JSON, and what a terminal and a browser show of it."""

from __future__ import annotations

import dataclasses
import io
import itertools
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from hamming.synth.compare.comparison import Comparison
from hamming.synth.compare.figures import Energy, MemoryFigures
from hamming.synth.compare.page import comparison_page
from hamming.synth.compare.pictures import _Box, _Part, squarify
from hamming.synth.compare.table import comparison_tables
from hamming.synth.memory.sram import SramModel
from tests.synth.comparison_sample import sample

SAMPLE = sample()
PICTURES = {"floor-logic", "floor-memories", "area-by-block", "energy-by-block", "energy-memories", "energy-left"}


# --- sums


def test_totals_are_the_sums_of_the_parts():
    ours = SAMPLE.hamming
    assert ours.area == pytest.approx(20100 + 8900 + 9800 + 5900 + 2400 + 700 + 490 + 230 + 20)
    assert ours.energy == pytest.approx(310 + 95 + 255 + 280 + 60 + 20 + 4 + 9 + 1)
    assert ours.energy_by_cause.clock == pytest.approx(0.2 * ours.energy)
    assert ours.role_area("scores") == pytest.approx(5900 + 700)
    assert ours.role_energy("selection") == pytest.approx(255 + 60)
    assert ours.memory_bits == 64 * 1024 + 2048 * 256 + 64 * 224
    assert ours.total_area == pytest.approx(ours.area + sum(memory.area for memory in ours.memories))


def test_energies_add_by_cause():
    one, two = (
        Energy(switching=1, internal=2, clock=3, leakage=4),
        Energy(switching=10, internal=20, clock=30, leakage=40),
    )
    assert one + two == Energy(switching=11, internal=22, clock=33, leakage=44)
    assert (one + two).total == 110


def test_what_is_saved_is_a_share_of_the_baseline():
    saving = SAMPLE.saving()
    assert saving.area == pytest.approx(1 - 48540 / 1371300)
    assert saving.energy == pytest.approx(1 - 1034 / 78145)
    assert saving.total_area < saving.area  # memories are less apart than logic
    variant, bf16 = SAMPLE.of_kind("hamming")[1], SAMPLE.of_kind("standard")[1]
    assert SAMPLE.saving(variant, bf16).area == pytest.approx(1 - 37540 / 3083100)


def test_power_is_energy_times_queries_a_second():
    # 640.2 pJ in 64.02 cycles of 0.5 ns are 20 mW.
    assert dataclasses.replace(SAMPLE, clock=2.0).power(640.2, SAMPLE.hamming) == pytest.approx(20.0)


def test_a_memory_asks_the_model():
    model = SramModel()
    found = MemoryFigures.of(
        model,
        name="keys",
        role="keys",
        depth=64,
        width=1024,
        reads=64,
        writes=2,
        written=1 / 16,
        query_time=50.0,
    )
    assert (found.area, found.access_time) == (model.area(64, 1024), model.access_time(64, 1024))
    assert found.read_energy == pytest.approx(64 * model.read_energy(64, 1024))
    assert found.write_energy == pytest.approx(2 * model.write_energy(64, 64))  # a lane is a macro of its own
    assert found.leakage_energy == pytest.approx(50 * model.leakage(64, 1024))
    assert found.energy == found.read_energy + found.write_energy + found.leakage_energy
    assert found.writes == 2 / 16


def test_a_comparison_has_both_kinds():
    for kind in ("hamming", "standard"):
        with pytest.raises(ValueError, match=r"needs a design of kind '(hamming|standard)'"):
            dataclasses.replace(SAMPLE, designs=SAMPLE.of_kind(kind))


# --- JSON


def test_json_and_back():
    text = json.dumps(SAMPLE.to_dict(), allow_nan=False)
    assert Comparison.from_dict(json.loads(text)) == SAMPLE


def test_json_states_what_follows_from_the_parts():
    derived = SAMPLE.to_dict()["derived"]
    assert list(derived["designs"]) == ["hamming", "hamming-pow2", "standard-int8", "standard-bf16"]
    assert derived["designs"]["hamming"]["power"] == pytest.approx(1034 / 64.02)
    assert derived["saving"]["hamming against standard-int8"]["area"] == SAMPLE.saving().area
    assert len(derived["saving"]) == 4


def test_json_of_another_format_is_refused():
    with pytest.raises(ValueError, match="a comparison has format 1, not 2"):
        Comparison.from_dict(SAMPLE.to_dict() | {"format": 2})


# --- terminal


def lines(comparison: Comparison) -> list[str]:
    console = Console(width=118, record=True, file=io.StringIO())
    console.print(comparison_tables(comparison))
    return [" ".join(line.split()) for line in console.export_text().splitlines() if line.strip()]


def test_the_tables_show_both_designs_side_by_side():
    shown = lines(SAMPLE)
    assert shown[0] == "flagship: this engine against standard attention, int8"
    assert "scores 6,600 561,000 1.2% 300.0 34,200 0.9%" in shown
    assert "selection 12,200 0 - 315.0 0.0 -" in shown
    assert "logic 48,540 1,371,300 3.5% 1,034 78,145 1.3%" in shown
    assert "weighted_sum 20,100 30% 12,562 124.0 108.5 62.0 15.5 310.0" in shown


def test_the_tables_show_time_and_what_vouches():
    shown = lines(SAMPLE)
    assert "cycles a query, simulated 64.02 64.02 64.03 64.03" in shown
    assert "Fmax by ABC 1.042 GHz 0.990 GHz" in shown
    assert "critical path weighted_sum > normalizer" in shown
    assert "glitches' share of energy 31% 37%" in shown
    assert "that differed 0 0" in shown
    assert "pJ a query, random vectors 1,102 88,110" in shown


def test_the_tables_show_savings_beside_the_published_ones():
    shown = lines(SAMPLE)
    assert any(line.startswith("hamming against standard-int8 96.5% 98.7%") for line in shown)
    assert any(line.startswith("hamming-pow2 against standard-int8 97.3%") for line in shown)
    assert "published: HAD 79% 87%" in shown
    assert "hamming-pow2: weights are powers of two: 0.9931 instead of 0.9998 mean cosine" in shown
    assert "cycles a query 64.0 327" in shown
    assert "logic, µm² 48,540 185,865" in shown
    assert any(line.startswith("not comparable: scores are analog") for line in shown)


def test_only_what_is_asked_for_is_shown_of_what_others_publish():
    shown = "\n".join(lines(dataclasses.replace(SAMPLE, published=("had",))))
    assert "published: HAD" in shown
    assert "CAMformer" not in shown


# --- pictures


def test_tiles_fill_the_box_and_do_not_overlap():
    parts = [_Part(str(size), "scores", float(size)) for size in (60, 30, 20, 20, 5, 4, 1)]
    box = _Box(10, 20, 400, 300)
    tiles = squarify(parts, box)
    assert [part for part, _ in tiles] == parts
    for part, tile in tiles:
        assert tile.width * tile.height == pytest.approx(part.size / 140 * 400 * 300)
        assert tile.x >= 10 - 1e-6
        assert tile.y >= 20 - 1e-6
        assert tile.x + tile.width <= 410 + 1e-6
        assert tile.y + tile.height <= 320 + 1e-6
        assert max(tile.width / tile.height, tile.height / tile.width) < 4
    for number, (_, one) in enumerate(tiles):
        for _, two in tiles[number + 1 :]:
            apart_x = one.x + one.width <= two.x + 1e-6 or two.x + two.width <= one.x + 1e-6
            apart_y = one.y + one.height <= two.y + 1e-6 or two.y + two.height <= one.y + 1e-6
            assert apart_x or apart_y


def rectangles(page: str, picture: str) -> list[tuple[float, float, str]]:
    """Width, height and tip of each rectangle of a picture."""
    drawn = re.search(f'<svg id="{picture}".*?</svg>', page, re.DOTALL)
    assert drawn
    pattern = r'<rect x="\S+" y="\S+" width="(\S+)" height="(\S+)" class="(?!hatch)[^"]*"><title>(.*?)</title>'
    return [(float(width), float(height), tip) for width, height, tip in re.findall(pattern, drawn[0])]


def test_both_floors_have_one_scale():
    found = rectangles(comparison_page(SAMPLE), "floor-logic")
    theirs, ours = SAMPLE.standard.blocks, SAMPLE.hamming.blocks
    drawn = [width * height for width, height, _ in found]
    large, small, enlarged = (
        sum(drawn[: len(theirs)]),
        sum(drawn[len(theirs) : len(theirs) + len(ours)]),
        sum(drawn[len(theirs) + len(ours) :]),
    )
    assert small / large == pytest.approx(48540 / 1371300, rel=0.01)
    assert enlarged == pytest.approx(large, rel=0.01)
    assert found[0][2] == "weighted_sum (weighted sum): 0.7420 mm², 54.1%"


def test_bars_have_one_scale():
    widths: dict[str, float] = {}
    for width, _, tip in rectangles(comparison_page(SAMPLE), "energy-by-block"):
        widths[tip] = widths.get(tip, 0) + width
    assert widths["score, fetch: 300.0 pJ"] / widths["score: 34.2 nJ"] == pytest.approx(300 / 34200, rel=0.1)
    assert widths["score: 34.2 nJ"] / widths["weighted_sum: 41.9 nJ"] == pytest.approx(34200 / 41900, rel=0.01)


def test_the_pieces_of_a_bar_touch():
    drawn = re.search(r'<svg id="energy-left".*?</svg>', comparison_page(SAMPLE), re.DOTALL)
    assert drawn
    pieces = re.findall(r'<rect x="(\S+)" y="(\S+)" width="(\S+)"', drawn[0])
    assert len(pieces) == 4 * len(SAMPLE.hamming.blocks)
    for (x, y, width), (next_x, next_y, _) in itertools.pairwise(pieces):
        if y == next_y and float(width) > 0.5:  # a piece is half a unit at least, to be seen
            assert float(x) + float(width) == pytest.approx(float(next_x), abs=0.02)


def test_two_designs_of_one_size_need_no_lens():
    same = dataclasses.replace(SAMPLE.standard, key="same", kind="hamming", title="the same")
    page = comparison_page(dataclasses.replace(SAMPLE, designs=(same, SAMPLE.standard)))
    found = [width * height for width, height, _ in rectangles(page, "floor-logic")]
    half = len(found) // 2
    assert sum(found[:half]) == pytest.approx(sum(found[half:]), rel=1e-3)
    assert "enlarged" not in re.search('<svg id="floor-logic".*?</svg>', page, re.DOTALL)[0]  # pyright: ignore


# --- page


class Page(HTMLParser):
    """What a page holds: attributes that could fetch, identifiers, figures, the embedded JSON, text, style."""

    def __init__(self, text: str):
        super().__init__()
        self.references: list[str] = []
        self.ids: list[str] = []
        self.figures: list[tuple[str, str]] = []
        self.data = self.text = self.style = ""
        self._open: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        fetching = ("src", "href", "srcset", "data", "poster", "action", "xlink:href", "background")
        self.references += [str(value) for name, value in attrs if name in fetching]
        self.style += found.get("style") or ""
        if found.get("id"):
            self.ids.append(str(found["id"]))
        if tag not in ("meta", "br", "link", "img", "input", "hr"):
            self._open.append((tag, found))

    def handle_endtag(self, tag):
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        tag, attributes = self._open[-1] if self._open else ("", {})
        if tag == "script":
            self.data += data
        elif tag == "style":
            self.style += data
        else:
            self.text += data
        if "data-figure" in attributes:
            self.figures.append((str(attributes["data-figure"]), data))


def assert_page_is_whole(page: Page) -> None:
    """Pictures are there, nothing is fetched, and every figure that is shown is that of the JSON."""
    assert set(page.ids) >= PICTURES
    assert page.references == []
    assert set(re.findall(r"url\((.*?)\)", page.style)) <= {"#hatch", '"#hatch"'}
    assert "@import" not in page.style
    facts = json.loads(page.data)
    assert Comparison.from_dict(facts) == SAMPLE
    shown = set()
    for path, text in page.figures:
        value = facts["derived"]
        for name in path.split("/"):
            value = value[name]
        digits = len(text.rstrip("%").partition(".")[2])
        factor = 100 if text.endswith("%") else 1
        assert float(text.rstrip("%").replace(",", "")) == pytest.approx(factor * value, abs=0.501 * 10**-digits), path
        shown.add(path)
    for design in ("hamming", "standard-int8"):
        for name in ("area", "energy", "total_area", "total_energy", "memory_area", "memory_energy", "cells", "power"):
            assert f"designs/{design}/{name}" in shown
    assert {path for path in shown if path.startswith("saving/")} == {
        f"saving/{pair}/{name}" for pair, shares in facts["derived"]["saving"].items() for name in shares
    }


def test_the_page_is_whole():
    page = Page(comparison_page(SAMPLE))
    assert_page_is_whole(page)
    assert "Content-Security-Policy" in comparison_page(SAMPLE)
    assert "not comparable" in page.text.lower()


def test_the_headline_is_about_the_first_pair():
    page = Page(comparison_page(SAMPLE))
    expected = []
    for name in ("area", "energy", "total_area", "total_energy"):
        expected.append(f"saving/hamming against standard-int8/{name}")
        expected += [f"designs/{key}/{name}" for key in ("hamming", "standard-int8")]
    assert [path for path, _ in page.figures[:12]] == expected


def test_names_cannot_break_the_page():
    title = "</script><img src=x onerror=alert(1)> & more"
    named = dataclasses.replace(SAMPLE, title=title)
    page = Page(comparison_page(named))
    assert page.references == []
    assert json.loads(page.data)["title"] == title
    assert title in page.text


def browser() -> str | None:
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.mark.skipif(browser() is None, reason="no chromium, chromium-browser or google-chrome on this machine")
def test_a_browser_shows_the_page(tmp_path):
    path = tmp_path / "page.html"
    path.write_text(comparison_page(SAMPLE), encoding="utf-8")
    options = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    command = [str(browser()), *options.split(), profile, "--window-size=1200,1500"]
    picture = tmp_path / "shot.png"
    done = subprocess.run(
        [*command, "--dump-dom", path.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    assert_page_is_whole(Page(done.stdout))
    subprocess.run([*command, f"--screenshot={picture}", path.as_uri()], capture_output=True, timeout=120, check=True)
    blank = 20_000  # bytes: a white page of this size compresses to less
    assert picture.stat().st_size > blank
    assert Path(path).read_text(encoding="utf-8").count("<svg") == len(PICTURES) + 1  # and the pattern's
