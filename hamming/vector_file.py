"""A user's vectors, NumPy's .npz: whatever is wrong with a file, and however large it says it is, is one line."""

from __future__ import annotations

import difflib
import math
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

__all__ = ["Vectors", "read_vectors"]

_REQUIRED = ("q", "k", "v")
_OPTIONAL = ("n_valid", "mask", "first", "base", "table")

#: Most bytes of an array. A file of a thousandth of that can hold as much, compressed.
MAX_ARRAY_BYTES = 2**32

#: Most bytes of the dictionary before an array: a hundred times what NumPy writes.
MAX_HEADER_BYTES = 10_000

#: Most axes that NumPy can read.
MAX_AXES = 64

_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


@dataclass(frozen=True)
class Vectors:
    """What a vector file holds, shaped as `golden.attention.attend` takes it.

    Attributes
    ----------
    q, k, v, n_valid, mask, first, base, table
        The arrays, of whatever type and shape they are.
    notes
        What the user may not expect, in words: arrays that are not used.
    """

    q: np.ndarray
    k: np.ndarray
    v: np.ndarray
    n_valid: np.ndarray | None = None
    mask: np.ndarray | None = None
    first: np.ndarray | None = None
    base: np.ndarray | None = None
    table: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    @property
    def limits(self) -> dict[str, np.ndarray]:
        """What a query names, by the names of `golden.attention.attend`'s arguments; absent ones are left out."""
        given = {name: getattr(self, name) for name in _OPTIONAL}
        return {name: array for name, array in given.items() if array is not None}


def read_vectors(path: Path, *, n_tables: int | None = None) -> Vectors:
    """Read the arrays `q`, `k`, `v` of an `.npz` file, and those of the optional ones that are there.

    Other arrays may be there; they are named in the notes and not read. Types, shapes and values are
    `golden.attention.attend`'s to check; but what it takes as less than it is, a mistake in a file, is refused.

    Parameters
    ----------
    path
        The file.
    n_tables
        Tables of the spec, below which those of `table` must be. None: any.

    Raises
    ------
    ValueError
        One line that names the file: unreadable, an array missing, damaged, or too large.
    """
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise OSError(None, "not a regular file")  # no end, or no way back to its beginning
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):
                raise ValueError("not an .npz file; numpy.savez writes one")
            with zipfile.ZipFile(file) as archive:
                return _vectors(archive, n_tables)
    except OSError as error:
        raise ValueError(f"cannot read {str(path)!r}: {error.strerror or error}") from error
    except MemoryError as error:
        raise ValueError(f"{path}: not enough memory to read it") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    except Exception as error:  # zipfile, its decompressors and NumPy's parser raise what they like at damaged bytes
        raise ValueError(f"{path}: not a readable .npz file: {_first_line(error)}") from error


def _vectors(archive: zipfile.ZipFile, n_tables: int | None) -> Vectors:
    known = (*_REQUIRED, *_OPTIONAL)
    entries = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    unused = sorted(entries.keys() - set(known))
    for name in _REQUIRED:
        if name not in entries:
            near = "".join(f"; is it {word!r}?" for word in difflib.get_close_matches(name, unused, 1))
            raise ValueError(
                f"no array {name!r}; it needs {', '.join(_REQUIRED)}, and may have {', '.join(_OPTIONAL)}{near}"
            )
    arrays = {}
    for name in known:
        if name in entries:
            try:
                arrays[name] = _array(archive, entries[name])
            except (ValueError, MemoryError, OSError):
                raise
            except Exception as error:
                raise ValueError(f"{name} cannot be read: {_first_line(error)}") from error
    if arrays["k"].ndim > 1:
        n_keys = arrays["k"].shape[-2]
        for name, most in (("n_valid", n_keys), ("first", n_keys), ("base", max(0, n_keys - 1))):
            _check_range(name, arrays.get(name), most)
    if n_tables is not None:
        _check_range("table", arrays.get("table"), n_tables - 1)
    return Vectors(**arrays, notes=tuple(_unused_note(name, known) for name in unused))


def _check_range(name: str, array: np.ndarray | None, most: int) -> None:
    """Refuse what is not there: what hardware takes as the most is a mistake in a file."""
    if array is None or array.dtype.kind not in "iu" or not array.size:
        return  # `attend` says what is wrong
    for extreme in (array.min(), array.max()):
        if not 0 <= extreme <= most:
            raise ValueError(f"{name} must be 0 to {most}, not {extreme}")


def _unused_note(name: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, known, 1, 0.65)
    return f"the array {name!r} is not used" + (f"; did you mean {near[0]!r}?" if near else "")


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    """Read one array, once its header and the bytes that the archive holds agree."""
    name = info.filename.removesuffix(".npy")
    if info.flag_bits & 1:
        raise ValueError(f"{name} is encrypted")
    with archive.open(info) as file:
        shape, dtype = _header(name, file)
        n_bytes = math.prod(shape) * dtype.itemsize
        if n_bytes > MAX_ARRAY_BYTES:
            raise ValueError(f"{name} must have at most {MAX_ARRAY_BYTES >> 30} GiB, not a shape of {shape} of {dtype}")
        if n_bytes + file.tell() != info.file_size:
            raise ValueError(f"{name} is damaged: its header and its length disagree")
    with archive.open(info) as file:
        array = npy.read_array(file, allow_pickle=False, max_header_size=MAX_HEADER_BYTES)
        file.read(1)  # its checksum is compared at the end
    return array


def _header(name: str, file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    try:
        version = npy.read_magic(file)
    except ValueError:
        raise ValueError(f"{name} is no array; numpy.savez writes them") from None
    if version not in _HEADERS:
        raise ValueError(f"{name} is in version {version[0]}.{version[1]} of NumPy's format, which integers never need")
    try:
        shape, _, dtype = _HEADERS[version](file, max_header_size=MAX_HEADER_BYTES)
    except Exception:  # of whatever its parser stumbles on
        raise ValueError(f"{name} has a header that is not understood") from None
    if dtype.hasobject:
        raise ValueError(f"{name} must not hold Python objects, which can run code when they are read")
    if len(shape) > MAX_AXES:
        raise ValueError(f"{name} has too many axes: {len(shape)}")
    if any(length < 0 for length in shape):
        raise ValueError(f"{name} is damaged: a shape of {shape}")
    return shape, dtype


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    line = text[0].rstrip(".,;: ") if text else type(error).__name__
    return line if len(line) <= 160 else f"{line[:157]}..."
