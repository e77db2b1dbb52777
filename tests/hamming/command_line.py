"""Commands called in this process, and vectors for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np
from click.testing import CliRunner, Result

from hamming.cli import main
from hamming.rtl.design import load_design

TINY = load_design("tiny")


def call(*arguments: str | Path) -> Result:
    """Run a command; a traceback, which only a bug may give, fails the test."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def loaded(name: str) -> click.Command:
    found = main.get_command(click.Context(main), name)
    assert found is not None
    return found


def assert_mistake(result: Result, message: str, exit_code: int = 1) -> None:
    """One line on standard error, nothing on standard output, a status, and nothing written."""
    assert result.exit_code == exit_code
    assert result.stdout == ""
    if exit_code == 1:
        assert result.stderr == f"Error: {message}\n"
    else:  # click says how the command is used, too
        assert result.stderr.splitlines()[-1] == f"Error: {message}"


def files() -> set[str]:
    return {str(path) for path in Path().rglob("*")}


def save_vectors(path: str = "vectors.npz", **changed: np.ndarray | None) -> dict[str, np.ndarray]:
    """Write vectors for `tiny`: 2 heads, 5 queries, 16 keys."""
    rng = np.random.default_rng(5)
    given = {
        "q": rng.integers(0, 2, (2, 5, 8)),
        "k": rng.integers(0, 2, (2, 16, 8)),
        "v": rng.integers(-128, 128, (2, 16, 8)),
    }
    arrays: dict[str, Any] = {name: array for name, array in (given | changed).items() if array is not None}
    np.savez(path, **arrays)
    return arrays
