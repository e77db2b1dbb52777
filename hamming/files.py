"""Users' files: vectors read with every check, results written whole or not at all."""

from __future__ import annotations

import contextlib
import difflib
import os
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

__all__ = ["Vectors", "check_writable", "read_vectors", "staged"]

_REQUIRED = ("q", "k", "v")
_OPTIONAL = ("n_valid", "mask")
_BITS_HINT = "golden.score.binarize makes bits of real numbers"
_REAL_HINTS = {"q": _BITS_HINT, "k": _BITS_HINT, "v": "golden.values.quantize makes integers of real numbers"}


@dataclass(frozen=True)
class Vectors:
    """What a vector file holds, shaped as `golden.attention.attend` takes it."""

    q: np.ndarray
    k: np.ndarray
    v: np.ndarray
    n_valid: np.ndarray | None = None
    mask: np.ndarray | None = None


def read_vectors(path: Path) -> Vectors:
    """Read the arrays `q`, `k`, `v`, and where present `n_valid` and `mask`, of an `.npz` file.

    Shapes and values are the spec's to check.

    Raises
    ------
    ValueError
        One line that names the file: unreadable, an array missing, unknown, or not of integers or booleans.
    """
    try:
        if not zipfile.is_zipfile(path):
            path.open("rb").close()  # a missing or unreadable file says so itself
            raise ValueError("not an .npz file; numpy.savez writes one")
        with np.load(path, allow_pickle=False) as archive:
            _check_names(archive.files)
            arrays = {name: _integers(name, archive[name]) for name in archive.files}
            _check_n_valid(arrays)
    except OSError as error:
        raise ValueError(f"cannot read {str(path)!r}: {error.strerror or error}") from error
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path}: {error}") from error
    return Vectors(**arrays)


def _check_names(names: list[str]) -> None:
    known = (*_REQUIRED, *_OPTIONAL)
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise ValueError(
                f"unknown array {name!r}; known: {', '.join(known)}" + (f"; did you mean {near[0]!r}?" if near else "")
            )
    for name in _REQUIRED:
        if name not in names:
            raise ValueError(f"no array {name!r}; it needs {', '.join(_REQUIRED)}, and may have {', '.join(_OPTIONAL)}")


def _check_n_valid(arrays: dict[str, np.ndarray]) -> None:
    """Refuse more keys than there are: what hardware takes as all of them is a mistake in a file."""
    n_valid, k = arrays.get("n_valid"), arrays["k"]
    if n_valid is not None and n_valid.size and k.ndim > 1 and n_valid.max() > k.shape[-2]:
        raise ValueError(f"n_valid must be 0 to {k.shape[-2]}, not {n_valid.max()}")


def _integers(name: str, array: np.ndarray | bytes) -> np.ndarray:
    if isinstance(array, bytes):  # so NumPy returns an entry that is no array
        raise ValueError(f"{name} is no array; numpy.savez writes them")
    if array.dtype.kind not in "biu":
        hint = f"; {_REAL_HINTS[name]}" if array.dtype.kind == "f" and name in _REAL_HINTS else ""
        raise ValueError(f"{name} must hold integers or booleans, not {array.dtype}{hint}")
    return array


@contextlib.contextmanager
def staged(*targets: Path) -> Iterator[tuple[Path, ...]]:
    """Give a temporary path for each target, and move all of them into place at the end, or none.

    The temporary files are made at once, beside their targets and with the folders they need, so that a target that
    cannot be written is found before the work and not after it. An exception leaves everything as it was.

    Raises
    ------
    ValueError
        A target cannot be written; one line that names it.
    """
    with contextlib.ExitStack() as undo:
        temporary = tuple(_stage(target, undo) for target in targets)
        yield temporary
        for source, target in zip(temporary, targets, strict=True):
            source.replace(target)
        undo.pop_all()


def check_writable(target: Path) -> None:
    """Raise what `staged` would raise, and leave everything as it was."""
    with contextlib.ExitStack() as undo:
        _stage(target, undo)


def _stage(target: Path, undo: contextlib.ExitStack) -> Path:
    try:
        if target.exists() and not target.is_file():
            raise OSError(None, "not a regular file")
        for folder in reversed([folder for folder in target.parents if not folder.exists()]):
            folder.mkdir()
            undo.callback(_remove_if_empty, folder)
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        temporary.open("xb").close()
    except OSError as error:
        raise ValueError(f"cannot write {str(target)!r}: {error.strerror}") from error
    undo.callback(temporary.unlink, missing_ok=True)
    return temporary


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()
