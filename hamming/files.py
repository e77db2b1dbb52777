"""Users' files: results written whole or not at all, and never over what is read."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

__all__ = ["check_distinct", "check_writable", "new_folder", "staged"]

#: Numbers of temporary files.
_number = itertools.count()

#: Age from which the temporary file of a process that is gone is taken away: another machine's could look like one.
_STALE_SECONDS = 24 * 3600


@contextlib.contextmanager
def staged(*targets: Path, inputs: Iterable[Path] = ()) -> Iterator[tuple[Path, ...]]:
    """Give a temporary path for each target, and move all of them into place at the end, or none.

    The temporary files are made at once, beside their targets and with the folders they need, so that a target that
    cannot be written is found before the work and not after it. An exception leaves everything as it was.

    Parameters
    ----------
    targets
        Files to write.
    inputs
        Files that are read, which no target may be.

    Raises
    ------
    ValueError
        A target cannot be written, is written twice or is read; one line that names it.
    """
    check_distinct(targets, inputs)
    with contextlib.ExitStack() as undo:
        places = [_place(target) for target in targets]
        temporary = tuple(_stage(target, place, undo) for target, place in zip(targets, places, strict=True))
        yield temporary
        for source, place, target in zip(temporary, places, targets, strict=True):
            try:
                source.replace(place)
            except OSError as error:
                raise ValueError(f"cannot write {str(target)!r}: {error.strerror}") from error
        undo.pop_all()


@contextlib.contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Give a temporary folder that becomes `folder`, which is new or empty, unless something is raised.

    Raises
    ------
    ValueError
        `folder` is there and not empty, or cannot be written.
    """
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ValueError(f"{str(folder)!r} must be a new folder, or an empty one")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
            whole = Path(temporary) / "whole"
            whole.mkdir()
            yield whole
            whole.replace(folder)
    except OSError as error:
        raise ValueError(f"cannot write {str(folder)!r}: {error.strerror}") from error


def check_writable(target: Path) -> None:
    """Raise what `staged` would raise, and leave everything as it was."""
    with contextlib.ExitStack() as undo:
        _stage(target, _place(target), undo)


def check_distinct(targets: Iterable[Path], inputs: Iterable[Path] = ()) -> None:
    """Raise `ValueError` if two targets are one file, or a target is an input, by whatever paths and links."""
    before: list[Path] = []
    for target in targets:
        for other in inputs:
            if _is_same(target, other):
                raise ValueError(f"cannot write {str(target)!r}: it is the input{_otherwise(target, other)}")
        for other in before:
            if _is_same(target, other):
                raise ValueError(
                    f"cannot write {str(target)!r} twice: two outputs are one file{_otherwise(target, other)}"
                )
        before.append(target)


def _is_same(one: Path, other: Path) -> bool:
    try:
        if one.resolve() == other.resolve():
            return True
        return one.samefile(other)
    except (OSError, RuntimeError):  # one that is not there, or links that go round in circles
        return False


def _otherwise(target: Path, other: Path) -> str:
    return "" if str(target) == str(other) else f", by the name of {str(other)!r}"


def _place(target: Path) -> Path:
    """Return where the file lies that `target` names: a link to a file stays a link."""
    try:
        return target.resolve() if target.is_symlink() else target
    except (OSError, RuntimeError) as error:
        raise ValueError(f"cannot write {str(target)!r}: {getattr(error, 'strerror', None) or error}") from error


def _stage(target: Path, place: Path, undo: contextlib.ExitStack) -> Path:
    try:
        if place.exists() and not place.is_file():
            raise OSError(None, "not a regular file")
        if place.exists() and not os.access(place, os.W_OK):
            raise OSError(None, "Permission denied")
        for folder in reversed([folder for folder in place.parents if not folder.exists()]):
            folder.mkdir()
            undo.callback(_remove_if_empty, folder)
        _tidy(place.parent)
        temporary = place.with_name(f".hamming-{os.getpid()}-{next(_number)}.tmp")
        temporary.open("xb").close()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ValueError(f"cannot write {str(target)!r}: {reason}") from error
    undo.callback(temporary.unlink, missing_ok=True)
    return temporary


def _tidy(folder: Path) -> None:
    """Take away what processes left that were killed."""
    with contextlib.suppress(OSError):
        for path in folder.glob(".hamming-*.tmp"):
            found = re.fullmatch(r"\.hamming-(\d+)-\d+\.tmp", path.name)
            if found and time.time() - path.stat().st_mtime > _STALE_SECONDS and not _is_alive(int(found[1])):
                path.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        pass
    return True


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()
