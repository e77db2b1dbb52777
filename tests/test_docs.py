"""The documents: every command and every program that they show runs, and every link leads somewhere."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])

#: Commands that are not for this test, being slow or about the installation itself, and what runs them instead: a
#: target of the Makefile.
RUN_ELSEWHERE = {
    "make demo": "demo",
    "make test": "test",
    "make lint test": "lint",
    "make regression": "regression",
    "make mutants": "mutants",
    "make bench": "bench",
    "python3 -m venv .venv": "$(BIN)/python",
    ".venv/bin/pip install -e .": "$(VENV)/base.stamp",
}

#: A shell command, where the environment has the project's Python and no activated environment is needed.
SHIM = '#!/bin/sh\nexec "{python}" {module} "$@"\n'


def fenced(page: Path) -> list[tuple[str, str]]:
    """Return a page's fenced code as languages and texts."""
    return re.findall(r"^```(.*)\n((?:.*\n)*?)```$", page.read_text(encoding="utf-8"), re.MULTILINE)


def commands(code: str) -> list[str]:
    """Return the commands of a block of shell; lines that end in a backslash go on."""
    lines = code.replace("\\\n", " ").splitlines()
    return [line.removeprefix("$ ") for line in lines if shlex.split(line, comments=True)]


def without_comment(command: str) -> str:
    return shlex.join(shlex.split(command, comments=True))


@pytest.fixture
def shell(tmp_path_factory):
    """Run a command line, with `hamming` and `python` those of this environment, in the current folder."""
    programs = tmp_path_factory.mktemp("bin")
    for name, module in (("hamming", "-m hamming"), ("python", "")):
        program = programs / name
        program.write_text(SHIM.format(python=sys.executable, module=module))
        program.chmod(0o755)
    environment = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}

    def run(command: str) -> None:
        done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"

    return run


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_works_from_top_to_bottom(page, shell, tmp_path, monkeypatch):
    """In one empty folder, as a reader would go through it."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for language, code in fenced(page):
        if language == "python":
            exec(compile(code, page.name, "exec"), names)
        elif language == "sh":
            for command in commands(code):
                if without_comment(command) not in RUN_ELSEWHERE:
                    shell(command)
        else:
            assert language in ("", "toml", "verilog", "json"), f"nothing runs a block of {language!r}"


def test_what_is_run_elsewhere_is():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    shown = {
        without_comment(command)
        for page in PAGES
        for lang, code in fenced(page)
        if lang == "sh"
        for command in commands(code)
    }
    for command, where in RUN_ELSEWHERE.items():
        assert command in shown, f"{command} is in no page"
        assert f"\n{where}:" in makefile, f"{where} does not exist"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page):
    for path, heading in re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", page.read_text(encoding="utf-8")):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), path
        if heading:
            titles = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}, heading
