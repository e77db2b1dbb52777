"""The documents: every command and every program that they show runs, and every link leads somewhere."""

from __future__ import annotations

import csv
import os
import re
import runpy
import shlex
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hamming.distill.report.language import read_points
from hamming.golden.fixture import load_minilm
from hamming.golden.values import quantize
from hamming.rtl.design import load_design, preset_names
from hamming.rtl.dimensions import Dimensions
from tests.programs import add_programs

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])

RUN = runpy.run_path(str(ROOT / "docs" / "tutorials" / "run.py"))

#: Pages that a script wrote: the script is what runs (`test_a_tutorial_prints_what_its_page_shows`).
WRITTEN = [page for page in PAGES if page.with_suffix(".py").exists()]

#: Commands, with whatever options, that are not for this test, being slow or about the installation itself, and what
#: runs them instead: a target of the Makefile.
RUN_ELSEWHERE = {
    "make demo": "demo",
    "make test": "test",
    "make lint test": "lint",
    "make regression": "regression",
    "make fuzz": "fuzz",
    "make mutants": "mutants",
    "make mutation": "mutation",
    "make coverage": "coverage",
    "make prove": "prove",
    "make bench": "bench",
    "make compare": "compare",
    "make sweep": "sweep",
    "make distill": "distill",
    "make docs": "docs",
    "make tutorials": "tutorials",
    "python -m hamming.synth.studies.areas": "areas",
    "python -m hamming.golden.bench": "bench",
    "python -m hamming.synth.studies.references": "bench",
    "python -m hamming.audit.lint": "bench",
    "python -m hamming.audit.coverage": "coverage",
    "python -m hamming.audit.mutation": "mutation",
    "python -m hamming.sim.regression": "regression",
    "python -m hamming.sim.protocol": "protocol",
    "dask scheduler": "test",  # tests/hamming/test_hamming_pool.py
    "dask worker": "test",
    "python3 -m venv .venv": "$(BIN)/python",
    ".venv/bin/pip install -e .": "$(VENV)/base.stamp",
}

#: Commands of half a minute that several pages show, by page, and the page that runs them.
RUN_BY_ANOTHER = {
    ("distillation.md", "hamming distill sample"): "train.md",
    ("command-line.md", "hamming compare tiny"): "comparison.md",
}

SHELLS = ("sh", "console")


#: What a reader of C has around the lines that a page shows.
C_READER = """#include "hamming.h"
void reader(struct hamming_bus bus, uint32_t n, uint8_t **keys, int32_t **values, uint8_t *query, int32_t *out);
void reader(struct hamming_bus bus, uint32_t n, uint8_t **keys, int32_t **values, uint8_t *query, int32_t *out)
{
static uint8_t scratch[4096];
%s}
"""


def compiles(code: str) -> None:
    """Compile C that uses the driver: a file if it has an include, else a function's body."""
    Path("reader.c").write_text(code if code.startswith("#include") else C_READER % code, encoding="utf-8")
    command = ["cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", f"-I{ROOT / 'driver'}", "reader.c"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def fenced(page: Path) -> list[tuple[str, str]]:
    """Return a page's fenced code as languages and texts."""
    return re.findall(r"^```(.*)\n((?:.*\n)*?)```$", page.read_text(encoding="utf-8"), re.MULTILINE)


def commands(code: str) -> list[str]:
    """Return the commands of a block of shell; lines that end in a backslash go on."""
    lines = code.replace("\\\n", " ").splitlines()
    return [line.removeprefix("$ ") for line in lines if shlex.split(line, comments=True)]


def is_run_elsewhere(command: str, known: str) -> bool:
    words = shlex.split(command, comments=True)
    return words[: len(known.split())] == known.split()


@pytest.fixture
def shell(tmp_path_factory):
    """Run a command line, with `hamming`, `python` and others those of this environment, in the current folder."""
    programs = tmp_path_factory.mktemp("bin")
    add_programs(programs)
    environment = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}

    def run(command: str) -> None:
        done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"

    return run


@pytest.fixture
def vectors() -> dict[str, Any]:
    """What a reader brings: vectors for the preset `minilm`, two heads."""
    inputs = load_minilm()
    return {"q": inputs.q[:2], "k": inputs.k[:2], "v": quantize(inputs.v[:2]).integers}


@pytest.mark.parametrize("page", [page for page in PAGES if page not in WRITTEN], ids=lambda page: page.name)
def test_a_page_works_from_top_to_bottom(page, shell, vectors, tmp_path, monkeypatch):
    """In one folder that holds nothing but the reader's `vectors.npz`, as the reader would go through it."""
    monkeypatch.chdir(tmp_path)
    np.savez("vectors.npz", **vectors)
    names: dict[str, object] = {**vectors, "n_valid": np.arange(1, 129)[None]}
    for language, code in fenced(page):
        if language == "python":
            exec(compile(code, page.name, "exec"), names)
        elif language in SHELLS:
            for command in commands(code):
                others = [*RUN_ELSEWHERE, *(known for name, known in RUN_BY_ANOTHER if name == page.name)]
                if not any(is_run_elsewhere(command, known) for known in others):
                    shell(command)
        elif language == "c":
            compiles(code)
        else:
            assert language in ("", "text", "toml", "verilog", "json"), f"nothing runs a block of {language!r}"


@pytest.mark.parametrize("script", RUN["TUTORIALS"], ids=lambda script: script.stem)
def test_a_tutorial_prints_what_its_page_shows(script, tmp_path, monkeypatch):
    """`make tutorials` writes the pages; floating point may differ in its last digits from machine to machine."""
    pytest.importorskip("matplotlib", reason="pip install matplotlib draws it")
    monkeypatch.chdir(tmp_path)
    number = re.compile(r"(?<![\w.])\d+\.\d+")
    now, kept = RUN["page"](script), script.with_suffix(".md").read_text(encoding="utf-8")
    assert number.sub("#", now) == number.sub("#", kept)
    assert [float(n) for n in number.findall(now)] == pytest.approx([float(n) for n in number.findall(kept)], rel=0.02)
    assert {path.name for path in tmp_path.glob("*.svg")} == set(re.findall(r"\]\(([\w-]+\.svg)\)", kept))


def test_a_tutorial_begins_with_a_cell(tmp_path):
    (tmp_path / "a.py").write_text("print(1)\n")
    with pytest.raises(ValueError, match="must begin with a cell"):
        RUN["page"](tmp_path / "a.py")


def test_what_is_run_elsewhere_is():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    shown = [command for page in PAGES for lang, code in fenced(page) if lang in SHELLS for command in commands(code)]
    for known, target in RUN_ELSEWHERE.items():
        assert any(is_run_elsewhere(command, known) for command in shown), f"{known} is in no page"
        assert f"\n{target}:" in makefile, f"{target} does not exist"


@pytest.mark.parametrize(("name", "known"), RUN_BY_ANOTHER)
def test_what_another_page_runs_is_there(name, known):
    for shown in (name, RUN_BY_ANOTHER[name, known]):
        [page] = [page for page in PAGES if page.name == shown]
        blocks = [code for language, code in fenced(page) if language in SHELLS]
        assert any(is_run_elsewhere(command, known) for code in blocks for command in commands(code))
    assert (RUN_BY_ANOTHER[name, known], known) not in RUN_BY_ANOTHER


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page):
    for path, heading in re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", page.read_text(encoding="utf-8")):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), path
        if heading:
            titles = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}, heading


def test_readme_states_what_the_repository_measured() -> None:
    """Cycles and areas of the first screen's table are the manifest's and those of `synth/studies/areas.csv`."""
    with (ROOT / "synth" / "studies" / "areas.csv").open() as file:
        totals = {row["preset"]: row for row in csv.DictReader(file) if row["block"] == "total"}
    stated = re.findall(r"^\| `(\w+)` \|.*\| (\d+) \| ([\d,]+) \| ([\d,]+) \|$", (ROOT / "README.md").read_text(), re.M)
    assert [name for name, *_ in stated] == sorted(preset_names(), key=lambda name: float(totals[name]["area"]))
    for name, cycles, area, bits in stated:
        design = load_design(name)
        assert int(cycles) == max(Dimensions(design.spec, design.config).cycle_terms().values())
        assert area == f"{float(totals[name]['area']):,.0f}"
        assert bits == f"{int(totals[name]['memory_bits']):,}"


def test_readme_states_what_the_language_model_loses() -> None:
    """The student through the integers, with 64 of 1,024 keys, beside its teacher with all."""
    points = read_points(ROOT / "distill" / "report" / "results" / "language" / "perplexity.json")
    found = {(point.kind, point.context, point.top_n): point.perplexity for point in points}
    teacher, student = found["teacher", 1024, None], found["integer", 1024, 64]
    [stated] = re.findall(r"grows by ([\d.]+) %, of ([\d.]+) to ([\d.]+) a byte", (ROOT / "README.md").read_text())
    assert stated == (f"{100 * (student / teacher - 1):.1f}", f"{teacher:.3f}", f"{student:.3f}")
