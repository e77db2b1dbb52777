"""The site: it builds without a warning, needs nothing from elsewhere, and every link in it leads somewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from hamming.datasheet import preset_datasheet
from hamming.rtl.design import preset_names

pytest.importorskip("material", reason="pip install -e .[docs] builds the site")

ROOT = Path(__file__).parents[1]

#: What a page loads by itself, as it is opened.
LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}


class Links(HTMLParser):
    """What a page links to, what it loads, and the places in it."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.places: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if place := found.get("id"):
            self.places.add(place)
        if tag == "a" and (link := found.get("href")):
            self.links.append(link)
        if link := found.get(LOADED.get(tag, "")):
            self.loaded.append(link)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr, "and with --quiet none is counted"
    return folder


@pytest.fixture(scope="module")
def pages(site) -> dict[Path, Links]:
    return {page: Links(page) for page in sorted(site.rglob("*.html")) if page.name != "404.html"}


def test_every_link_leads_to_a_page_and_a_place(pages):
    n_links = 0
    for page, found in pages.items():
        for link in found.links + found.loaded:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            n_links += 1
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            assert target.is_file(), f"{page}: {link}"
            if parts.fragment and target.suffix == ".html":
                assert unquote(parts.fragment) in pages[target].places, f"{page}: {link}"
    assert n_links > 50 * len(preset_names())


def test_pages_load_nothing_from_elsewhere(pages):
    for page, found in pages.items():
        assert not [link for link in found.loaded if urlsplit(link).netloc], page


def test_every_page_of_docs_is_in_it(site):
    for page in ROOT.glob("docs/**/*.md"):
        assert (site / page.relative_to(ROOT / "docs").with_suffix(".html")).is_file(), page


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_has_its_datasheet(name, site, pages):
    page = site / "datasheets" / f"{name}.html"
    assert any(unquote(link).endswith(f"datasheets/{name}.html") for link in pages[site / "guide.html"].links)
    text = page.read_text(encoding="utf-8")
    for line in preset_datasheet(name).text.splitlines():
        if line.startswith("| `"):
            for cell in line.strip("| ").split(" | "):
                assert f">{cell.strip('*`')}<" in text or not cell.strip("*`").replace(",", "").isdigit(), line
    assert text.count('<svg class="hp"') == 4
