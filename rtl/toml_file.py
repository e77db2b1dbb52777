"""TOML that users write: whatever is wrong with a file is one line, and no file is too large or too deep for it."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

__all__ = ["parse_toml", "read_toml"]

#: Most bytes of a file: many times a spec with a table of the longest kind.
MAX_FILE_BYTES = 1 << 20


def read_toml(path: str | os.PathLike[str]) -> str:
    """Return a file's text, without the mark of its encoding that some editors begin it with.

    Raises
    ------
    FileNotFoundError
        There is none.
    ValueError
        It cannot be read, or is no text of a sensible length.
    """
    name = os.fspath(path)
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise ValueError(f"cannot read {name!r}: longer than {MAX_FILE_BYTES} bytes")
        return content.decode("utf-8-sig")
    except FileNotFoundError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ValueError(f"cannot read {name!r}: {reason}") from error


def parse_toml(text: str) -> dict[str, Any]:
    """Return the tables of TOML.

    Raises
    ------
    tomllib.TOMLDecodeError
        It is none.
    ValueError
        It is too much for Python: this many digits, this deep.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except ValueError:  # Python's limit on the conversion of decimal digits
        raise ValueError("a number has too many digits") from None
    except RecursionError:
        raise ValueError("arrays or tables are nested too deeply") from None
