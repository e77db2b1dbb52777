"""What the commands share: options, a user's mistakes, outputs that are whole or not there, a progress bar."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from hamming.files import Vectors, read_vectors, staged
from rtl.design import Design, load_design

__all__ = [
    "Mistake",
    "Update",
    "design_facts",
    "file_option",
    "load_vectors",
    "mistakes",
    "outputs",
    "progress_bar",
    "read_design",
    "save_arrays",
    "save_json",
    "takes_design",
]

#: Shows the share done, and the step.
Update = Callable[[float, str], None]


class Mistake(click.ClickException):
    """A user's mistake: one line on standard error, exit status 1, no traceback."""


@contextlib.contextmanager
def mistakes(*kinds: type[Exception], where: str = "") -> Iterator[None]:
    """Turn what checking a user's input raises into the user's mistake."""
    try:
        yield
    except kinds as error:
        raise Mistake(f"{where}: {error}" if where else str(error)) from error


def read_design(config: str, overrides: tuple[str, ...]) -> Design:
    """Return the design of a preset or a TOML file; what is wrong with it is the user's mistake."""
    with mistakes(ValueError):
        return load_design(config, overrides)


def design_facts(design: Design) -> dict[str, Any]:
    """Return what a report says of its design."""
    return {"spec": design.spec.to_dict(), "engine": design.config.to_dict()}


def load_vectors(path: Path) -> Vectors:
    """Return a file's vectors; what is wrong with them is the user's mistake."""
    with mistakes(ValueError):
        return read_vectors(path)


@contextlib.contextmanager
def outputs(*targets: Path) -> Iterator[tuple[Path, ...]]:
    """`staged`, where a target that cannot be written is the user's mistake."""
    with contextlib.ExitStack() as stack:
        with mistakes(ValueError):
            temporary = stack.enter_context(staged(*targets))
        yield temporary


def save_arrays(path: Path, **arrays: Any) -> None:
    """Write arrays as NumPy's .npz, under exactly this name."""
    with path.open("wb") as file:  # given a name, NumPy would add .npz to it
        np.savez_compressed(file, **arrays)


def save_json(path: Path, facts: dict[str, Any]) -> None:
    """Write facts as JSON."""
    path.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


@contextlib.contextmanager
def progress_bar(first_step: str) -> Iterator[Update]:
    """Show a bar on standard error, if that is a terminal; gives what updates it."""
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task(first_step, total=1.0)
        yield lambda done, step: bars.update(task, completed=done, description=step)


def takes_design(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the argument CONFIG and the option --set."""
    change = click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="KEY=VALUE",
        help="Change a key, as in spec.top_k=16 or engine.selector=insertion. Repeatable.",
    )
    return click.argument("config")(change(command))


def file_option(*names: str, **settings: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return an option that is a path."""
    return click.option(*names, type=click.Path(path_type=Path), **settings)
