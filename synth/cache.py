"""Results that took long, kept by what they follow from. As JSON: reading a file that another left runs nothing."""

from __future__ import annotations

import gzip
import hashlib
import json
import tempfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hamming.rtl.cache import cache_folder

__all__ = ["load", "store"]


def _path(kind: str, request: Mapping[str, Any]) -> Path:
    key = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
    return cache_folder() / "synth" / f"{kind}-{key}.json.gz"


def load(kind: str, request: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the result kept for `request`, None if there is none that can be read."""
    try:
        result = json.loads(gzip.decompress(_path(kind, request).read_bytes()))
    except (OSError, ValueError, EOFError, zlib.error, RecursionError, MemoryError):
        return None
    return result if isinstance(result, dict) else None


def store(kind: str, request: Mapping[str, Any], result: Mapping[str, Any]) -> None:
    """Keep `result` for `request`, whole or not at all; a cache that cannot be written is no error."""
    try:
        path = _path(kind, request)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix="storing-") as folder:
            file = Path(folder) / path.name
            file.write_bytes(gzip.compress(json.dumps(result).encode(), compresslevel=1, mtime=0))
            file.replace(path)
    except OSError:
        pass
