"""Every module that can be run says what it takes, and refuses what it does not take before it does anything."""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

#: Other programs start these, and give them all that they need.
CHILDREN = {"hamming/alone.py", "synth/yosys/worker.py", "tests/hamming/pool_jobs.py"}

#: Its packages are its own.
ELSEWHERE = {"tests/fixtures/make_minilm.py"}

ROOMS = ("audit", "distill", "driver", "formal", "golden", "hamming", "rtl", "sim", "synth", "tests")


def mains() -> dict[str, str]:
    """Return what each module does when it is run, by its file."""
    found = {}
    for path in sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        last = ast.parse(path.read_text(encoding="utf-8")).body[-1:]
        if last and isinstance(last[0], ast.If) and "__name__" in ast.unparse(last[0].test):
            found[path.relative_to(ROOT).as_posix()] = "\n".join(map(ast.unparse, last[0].body))
    return {path: start for path, start in found.items() if path not in CHILDREN | ELSEWHERE}


@pytest.mark.parametrize(("path", "start"), mains().items(), ids=mains())
def test_a_program_refuses_an_option_that_it_does_not_have(path, start, monkeypatch, capsys):
    if path.startswith("distill"):
        pytest.importorskip("torch")
    name = path.removesuffix(".py").replace("/", ".")
    module = importlib.import_module(name if name.startswith(("hamming", "tests")) else f"hamming.{name}")
    monkeypatch.setattr(sys, "argv", [path, "--nonsense", "1", "2", "3"])
    with pytest.raises(SystemExit) as stopped:
        exec(start, vars(module))
    assert stopped.value.code == 2
    assert "--nonsense" in capsys.readouterr().err
