"""`python -m tests.mutants`: break the hardware in ways that engineers break hardware; a test must notice each.

Each mutant is a change of one line of `rtl/`, made in a copy of the repository, and the test that must fail for it.
The same test must pass without the change. A mutant that survives is a hole in the tests: the exit status says so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.mutants import MUTANTS, ROOT, Mutant


def fails(mutant: Mutant | None, test: str) -> bool:
    """Run `test` in a copy of the repository with `mutant` in it; return whether it failed."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        ignored = shutil.ignore_patterns(".git", ".venv", "build", "__pycache__", ".pytest_cache", "*.npz")
        shutil.copytree(ROOT, copy, ignore=ignored)
        if mutant is not None:
            file = copy / "rtl" / mutant.file
            text = file.read_text()
            if text.count(mutant.before) != 1:
                raise SystemExit(f"{mutant.file} has {text.count(mutant.before)} times, not once: {mutant.before}")
            file.write_text(text.replace(mutant.before, mutant.after))
        result = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", test],
            cwd=copy,
            env=os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
        )
        if result.returncode not in (0, 1):
            raise SystemExit(f"{test} did not run:\n{result.stdout}{result.stderr}")
        return result.returncode == 1


def main() -> None:
    """Run all mutants, two at a time, and print which test noticed each."""
    console = Console()
    tests = sorted({mutant.test for mutant in MUTANTS})
    jobs = [(None, test) for test in tests] + [(mutant, mutant.test) for mutant in MUTANTS]
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(track(pool.map(lambda job: fails(*job), jobs), "mutants", len(jobs), console=console))
    broken = [test for test, failed in zip(tests, outcomes, strict=False) if failed]
    if broken:
        raise SystemExit(f"without any mutant these fail: {', '.join(broken)}")
    killed = outcomes[len(tests) :]

    table = Table(title=f"{sum(killed)} of {len(MUTANTS)} mutants killed")
    for heading in ("in", "mutant", "test", ""):
        table.add_column(heading, overflow="fold")
    for mutant, is_killed in zip(MUTANTS, killed, strict=True):
        outcome = "killed" if is_killed else "[bold red]survived"
        table.add_row(f"rtl/{mutant.file}", mutant.what, mutant.test.removeprefix("tests/rtl/"), outcome)
    console.print(table)
    if not all(killed):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
