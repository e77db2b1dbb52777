"""The Makefile: what it offers, and what it says where Python is missing, old, or without venv."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make as if no make were running these tests."""
    command = ["make", "--no-print-directory", "-C", str(ROOT), *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def fake_python(folder: Path, code: str) -> str:
    """Return a program whose `-c CODE` sees `code` run first, and whose `-m venv` fails as Debian's does."""
    program = folder / "python"
    program.write_text(
        "#!/bin/sh\n"
        'if [ "$1" = -m ]; then echo "ensurepip is not available" >&2; exit 1; fi\n'
        f'exec "{sys.executable}" -c "{code}; import sys; exec(sys.argv[1])" "$2"\n'
    )
    program.chmod(0o755)
    return str(program)


def test_help_lists_every_target():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)[0].split()
    assert set(targets) >= set("demo test lint verilog sim synth bench clean".split())
    lines = make("help").stdout.splitlines()
    assert sorted(line.split()[1] for line in lines) == sorted(targets)


@pytest.mark.parametrize(
    "target", ["demo", "test", "lint", "verilog", "sim", "synth", "bench", "regression", "mutants", "prove"]
)
def test_every_target_can_be_planned_on_a_fresh_machine(target, tmp_path):
    plan = make("--dry-run", target, f"VENV={tmp_path}/venv")
    assert plan.returncode == 0, plan.stderr
    assert f"-m venv {tmp_path}/venv" in plan.stdout
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    installed = re.findall(r"--editable '(.*)'", plan.stdout)
    assert installed[0] == "."
    assert set(installed[1:]) <= {f".[{extra}]" for extra in extras}


POOLED = "regression fuzz mutants prove coverage mutation areas compare sweep distill".split()


@pytest.mark.parametrize("target", POOLED)
def test_long_work_goes_where_it_is_sent(target, tmp_path):
    here = make("--dry-run", target, f"VENV={tmp_path}/venv", "WORKERS=3").stdout
    assert "--workers 3" in here
    assert "[cluster]" not in here
    there = make("--dry-run", target, f"VENV={tmp_path}/venv", "CLUSTER=tcp://host:8786").stdout
    assert "--cluster tcp://host:8786" in there
    assert "--editable '.[cluster]'" in there


def test_missing_python_is_one_clear_line(tmp_path):
    done = make("verilog", "PYTHON=python9", f"VENV={tmp_path}/venv")
    assert done.returncode == 2
    expected = "Error: no 'python9' found; install Python 3.11 or later, or name one: make PYTHON=python3.12"
    assert done.stderr.splitlines()[0] == expected
    assert not (tmp_path / "venv").exists()


def test_old_python_is_one_clear_line(tmp_path):
    python = fake_python(tmp_path, "import sys; sys.version_info = (3, 10, 2)")
    done = make("verilog", f"PYTHON={python}", f"VENV={tmp_path}/venv")
    assert done.returncode == 2
    expected = f"Error: Python 3.11 or later is needed, {python} is 3.10; name another: make PYTHON=python3.12"
    assert done.stderr.splitlines()[0] == expected
    assert not (tmp_path / "venv").exists()


def test_python_without_venv_says_what_to_install(tmp_path):
    python = fake_python(tmp_path, "pass")
    done = make("verilog", f"PYTHON={python}", f"VENV={tmp_path}/venv")
    assert done.returncode == 2
    expected = f"Error: '{python} -m venv' failed; on Debian and Ubuntu: apt install python3-venv"
    assert done.stderr.splitlines()[:2] == ["ensurepip is not available", expected]
