"""Where simulation and synthesis keep what follows from Verilog and took long."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_folder"]


def cache_folder() -> Path:
    """Return `$HAMMING_CACHE`, or `hamming` in the user's cache folder, from the root on.

    Raises
    ------
    OSError
        The user has no home.
    """
    if own := os.environ.get("HAMMING_CACHE"):
        return Path(own).absolute()
    if caches := os.environ.get("XDG_CACHE_HOME"):
        return Path(caches).absolute() / "hamming"
    try:
        return Path.home() / ".cache" / "hamming"
    except RuntimeError:
        raise OSError(None, "the user has no home folder for the cache; set HAMMING_CACHE to a folder") from None
