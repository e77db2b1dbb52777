"""What the commands share: options, a user's mistakes, outputs that are whole or not there, a progress bar."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from hamming.cli.ending import Mistake
from hamming.files import check_distinct, check_writable, staged

if TYPE_CHECKING:
    from hamming.rtl.design import Design
    from hamming.vector_file import Vectors

# NumPy is imported where it is used: `hamming doctor` works without.

__all__ = [
    "FilePath",
    "Frequency",
    "Gigahertz",
    "Mistake",
    "Outputs",
    "Update",
    "check_trace",
    "design_facts",
    "file_option",
    "load_vectors",
    "mistakes",
    "outputs",
    "print_wide",
    "progress_bar",
    "read_design",
    "read_files",
    "takes_design",
]

#: Shows the share done, and the step.
Update = Callable[[float, str], None]


@contextlib.contextmanager
def mistakes(*kinds: type[Exception], where: str = "") -> Iterator[None]:
    """Turn what checking a user's input raises into the user's mistake."""
    try:
        yield
    except kinds as error:
        raise Mistake(f"{where}: {error}" if where else str(error)) from error


def read_design(config: str, overrides: tuple[str, ...]) -> Design:
    """Return the design of a preset or a TOML file; what is wrong with it is the user's mistake."""
    from hamming.rtl.design import load_design

    with mistakes(ValueError):
        return load_design(config, overrides)


def design_facts(design: Design) -> dict[str, Any]:
    """Return what a report says of its design."""
    return {"spec": design.spec.to_dict(), "engine": design.config.to_dict()}


def load_vectors(path: Path, design: Design) -> Vectors:
    """Return a file's vectors; what is wrong with them is the user's mistake, what is not used is noted."""
    from hamming.vector_file import read_vectors

    with mistakes(ValueError):
        vectors = read_vectors(path, n_tables=design.spec.n_tables)
    for note in vectors.notes:
        click.echo(f"Note: {path}: {note}", err=True)
    return vectors


def read_files(config: str, *others: Path | str | None) -> list[Path]:
    """Return the files that a command reads, which it must not write: the design's, unless a preset, and others."""
    from hamming.rtl.design import preset_names

    own = [] if config in preset_names() else [config]
    return [Path(path) for path in (*own, *others) if path is not None]


class Outputs:
    """Files that appear when the command is done, all or none; until then they are elsewhere."""

    def __init__(self, places: dict[Path, Path]) -> None:
        self._places = places

    def save_arrays(self, target: Path, **arrays: Any) -> None:
        """Write arrays as NumPy's .npz, under exactly this name."""
        import numpy as np

        with self._writing(target) as path, path.open("wb") as file:  # given a name, NumPy would add .npz to it
            np.savez_compressed(file, **arrays)

    def save_json(self, target: Path, facts: dict[str, Any]) -> None:
        """Write facts as JSON."""
        self.save_text(target, json.dumps(facts, indent=2) + "\n")

    def save_text(self, target: Path, text: str) -> None:
        """Write text."""
        with self._writing(target) as path:
            path.write_text(text, encoding="utf-8")

    @contextlib.contextmanager
    def _writing(self, target: Path) -> Iterator[Path]:
        try:
            yield self._places[target]
        except OSError as error:
            raise Mistake(f"cannot write {str(target)!r}: {error.strerror or error}") from error


@contextlib.contextmanager
def outputs(*targets: Path | None, inputs: Sequence[Path] = ()) -> Iterator[Outputs]:
    """`staged`, where a target that cannot be written is the user's mistake; None is one that is not wanted."""
    wanted = [target for target in targets if target is not None]
    with contextlib.ExitStack() as stack:
        with mistakes(ValueError):
            temporary = stack.enter_context(staged(*wanted, inputs=inputs))
        yield Outputs(dict(zip(wanted, temporary, strict=True)))
        with mistakes(ValueError):
            stack.close()


def check_trace(waves: Path, others: Sequence[Path | None], inputs: Sequence[Path]) -> None:
    """Check the file of a trace, which is not staged: that of a run that failed is the one to look at."""
    with mistakes(ValueError):
        check_distinct([*(path for path in others if path is not None), waves], inputs)
        check_writable(waves)


class FilePath(click.Path):
    """A path; nothing at all, as of a variable that is not set, is none."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a `Path`."""
        if not str(value):
            self.fail("it is empty; a path is needed.", param, ctx)
        return super().convert(value, param, ctx)


class Frequency(click.FloatRange):
    """A clock's frequency, of a unit and between two bounds."""

    def __init__(self, unit: str, least: float, most: float) -> None:
        super().__init__(least, most)
        self.name = unit

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read a number; NaN, which no comparison refuses, is none."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is not in the range {self._describe_range()}.", param, ctx)
        return number


class Gigahertz(Frequency):
    """A clock's frequency, for which gates can be sized."""

    def __init__(self) -> None:
        super().__init__("GHz", 0.001, 100)


@contextlib.contextmanager
def progress_bar(first_step: str) -> Iterator[Update]:
    """Show a bar on standard error, if that is a terminal; gives what updates it."""
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task(first_step, total=1.0)
        yield lambda done, step: bars.update(task, completed=done, description=step)


def print_wide(tables: RenderableType) -> None:
    """Print tables that want 120 columns, also where a terminal has fewer."""
    console = Console()
    console.width = max(console.width, 120)
    console.print(tables)


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
    return click.option(*names, type=FilePath(), **settings)
