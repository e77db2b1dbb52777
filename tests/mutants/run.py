"""Runs the mutants: each change in a copy of the repository, and the test that must fail for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from hamming.pool import Failed, Pool, takes_pool
from tests.mutants import MUTANTS, ROOT, Mutant

__all__ = ["fails", "main"]


def fails(mutant: Mutant | None, test: str) -> bool:
    """Run `test` in a copy of the repository with `mutant` in it; return whether it failed."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        ignored = shutil.ignore_patterns(".git", ".venv", "build", "__pycache__", ".pytest_cache", "*.npz")
        shutil.copytree(ROOT, copy, ignore=ignored, symlinks=True)  # hamming/rtl is one
        if mutant is not None:
            file = copy / "rtl" / mutant.file
            text = file.read_text()
            if text.count(mutant.before) != 1:
                raise ValueError(f"{mutant.file} has {text.count(mutant.before)} times, not once: {mutant.before}")
            file.write_text(text.replace(mutant.before, mutant.after))
        result = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", test],
            cwd=copy,
            env=os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
        )
        if result.returncode not in (0, 1):
            raise RuntimeError(f"{test} did not run:\n{result.stdout}{result.stderr}")
        return result.returncode == 1


@click.command()
@click.argument("files", nargs=-1, metavar="[FILE]...", type=click.Choice(sorted({m.file for m in MUTANTS})))
@takes_pool
def main(pool: Pool, files: tuple[str, ...]) -> None:
    """Run all mutants, or those of some files of rtl/, as score.py; print which test noticed each."""
    console = Console()
    mutants = [mutant for mutant in MUTANTS if not files or mutant.file in files]
    tests = sorted({mutant.test for mutant in mutants})
    names = [f"{number} {mutant.what}" for number, mutant in enumerate(mutants)]
    jobs: dict[str, tuple[Mutant | None, str]] = {test: (None, test) for test in tests}
    jobs |= {name: (mutant, mutant.test) for name, mutant in zip(names, mutants, strict=True)}
    outcomes: dict[str, bool] = {}
    failed = None
    try:
        with pool.results(fails, jobs, "mutants") as results:
            outcomes.update(results)
    except Failed as error:
        failed = error
    broken = [test for test in tests if outcomes.get(test)]
    if broken:
        raise SystemExit(f"without any mutant these fail: {', '.join(broken)}")

    n_killed = sum(outcomes.get(name, False) for name in names)
    table = Table(title=f"{n_killed} of {len(mutants)} mutants killed")
    for heading in ("in", "mutant", "test", ""):
        table.add_column(heading, overflow="fold")
    words = {True: "killed", False: "[bold red]survived", None: "[bold red]not run"}
    for name, mutant in zip(names, mutants, strict=True):
        outcome = words[outcomes.get(name)]
        table.add_row(f"rtl/{mutant.file}", mutant.what, mutant.test.removeprefix("tests/rtl/"), outcome)
    console.print(table)
    if failed is not None:
        raise failed
    if n_killed < len(mutants):
        raise SystemExit(1)
