"""Reads cell models from Liberty files.

`liberty_text` parses the text, `liberty_models` makes models of it, `libraries` says where files are, `cell_model` what
is in the models.
"""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

from hamming.synth import cache as result_cache
from hamming.synth.library import boolean, cell_file, cell_model, liberty_models, liberty_storage, liberty_text
from hamming.synth.library.cell_model import CellLibrary
from hamming.synth.library.liberty_models import ModelReader, understood
from hamming.synth.library.liberty_text import LibertyError
from hamming.synth.library.libraries import Library, LibraryError

__all__ = ["KNOWN", "load_cells", "read_library"]

#: Models that this process has, by the digest of their file: a measurement asks for them at each step.
KNOWN: dict[str, CellLibrary] = {}


def load_cells(library: Library, *, cache: bool = True) -> CellLibrary:
    """Read the cell models of a library.

    Parameters
    ----------
    library
        From `libraries.load_library`.
    cache
        Whether models that were read before may be taken, in this process or from the cache, and new ones left there.

    Raises
    ------
    LibraryError
        The file is no Liberty file, or holds what is not understood.
    """
    if not cache:
        return _read(library)
    if library.sha256 not in KNOWN:
        KNOWN[library.sha256] = _cached(library)
    return KNOWN[library.sha256]


def _cached(library: Library) -> CellLibrary:
    """Take the models from the cache, or read them and leave them there."""
    modules = (cell_model, cell_file, boolean, liberty_models, liberty_storage, liberty_text)
    code = [Path(__file__).read_bytes(), *(Path(str(module.__file__)).read_bytes() for module in modules)]
    request = {"library": library.sha256, "code": hashlib.sha256(b"".join(code)).hexdigest()}
    if known := result_cache.load("cells", request):
        with contextlib.suppress(KeyError, IndexError, TypeError, ValueError):  # what is not as it was left
            return cell_file.from_json(known)
    cells = _read(library)
    result_cache.store("cells", request, cell_file.to_json(cells))
    return cells


def _read(library: Library) -> CellLibrary:
    try:
        text = library.path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise LibraryError(f"cannot read {str(library.path)!r}: {error.strerror}") from error
    return read_library(text, library.sha256)


def read_library(text: str, sha256: str) -> CellLibrary:
    """Return the models in a Liberty file's text.

    Raises
    ------
    LibraryError
        The text is no Liberty file, or holds what is not understood.
    """
    try:
        library = liberty_text.parse(text)
    except LibertyError as error:
        raise LibraryError(f"no Liberty file: {error}") from error
    if library.kind != "library":
        raise LibraryError(f"a Liberty file holds a library, not {library.kind!r}")
    with understood(library):
        return ModelReader(library).library(sha256)
