"""What `mkdocs build` does beside rendering `docs/`: pages of the repository's root, datasheets, help of the commands.

Files at the root (README.md, CONTRIBUTING.md, ...) keep their places on a git host; here they are pages beside the
others, so that links to them lose one `../`, and theirs the `docs/`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from typing import Any

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from hamming.cli import main
from hamming.datasheet import Datasheet, preset_datasheet
from hamming.rtl.design import preset_names

ROOT = Path(__file__).resolve().parents[1]

#: Files at the root, and their places in the site.
AT_ROOT = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "LICENSE": "LICENSE.md",
    "CITATION.cff": "CITATION.cff",
}

_SHEETS: dict[str, Datasheet] = {}

#: What the theme would fetch for the search of pages that are opened as files, and what stands in its place.
_FETCHED, _KEPT = "https://unpkg.com/iframe-worker/shim", "assets/iframe-worker.js"

_LINK = re.compile(r"(\]\()(?!https?:|#)([^)\s#]+)(#[^)\s]*)?(\))")
_PICTURE = re.compile(r"!\[[^\]]*\]\(([\w-]+\.svg)\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Make the datasheets, and put them into the navigation."""
    _SHEETS.update({name: preset_datasheet(name) for name in preset_names()})
    for entry in config.nav or ():
        if "Datasheets" in entry:
            entry["Datasheets"] = [{name: f"datasheets/{name}.md"} for name in _SHEETS]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what is not in `docs/`."""
    for source, place in AT_ROOT.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        if source == "LICENSE":
            text = f"# Licence\n\n```text\n{text}```\n"
        files.append(File.generated(config, place, content=text))
    for name, sheet in _SHEETS.items():
        files.append(File.generated(config, f"datasheets/{name}.md", content=sheet.text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Mend links to and from the root; put pictures of datasheets and the commands' help in."""
    place = page.file.src_uri
    if place == "index.md":
        page.meta["hide"] = ["navigation"]
    if place == "reference/command-line.md":
        markdown = f"{markdown.rstrip()}\n\n{_help()}"
    if place.startswith("datasheets/"):
        pictures = _SHEETS[PurePosixPath(place).stem].pictures
        return _PICTURE.sub(lambda found: f"<div>{pictures[found[1]].strip()}</div>", markdown)
    at = {there: here for here, there in AT_ROOT.items()}.get(place)
    folder = PurePosixPath("." if at else PurePosixPath("docs", place).parent)

    def mended(found: re.Match[str]) -> str:
        target = os.path.normpath(folder / found[2])
        inside = AT_ROOT.get(target) or target.removeprefix("docs/")
        link = os.path.relpath(inside, PurePosixPath(place).parent)
        return f"{found[1]}{link}{found[3] or ''}{found[4]}"

    return _LINK.sub(mended, markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Read docstrings' `::` before a literal block as the colon that it stands for."""
    return html.replace("::</p>", ":</p>") if page.file.src_uri.startswith("reference/") else html


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Let pages fetch nothing."""
    return output.replace(_FETCHED, os.path.relpath(_KEPT, PurePosixPath(page.file.dest_uri).parent))


def on_post_template(output: str, template_name: str, config: MkDocsConfig) -> str:
    """Let the page for what is not found fetch nothing either."""
    return output.replace(_FETCHED, f"/{_KEPT}")


def _help() -> str:
    """Return the help of every command, as its own section."""
    sections = []
    everything = click.Context(main)
    for name in main.list_commands(everything):
        command = main.get_command(everything, name)
        assert command is not None
        context: Any = click.Context(command, info_name=f"hamming {name}", max_content_width=100)
        sections.append(f"### {name}\n\n```text\n{command.get_help(context)}\n```\n")
    return "\n".join(sections)
