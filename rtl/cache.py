"""Where simulation and synthesis keep what follows from Verilog and took long."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_folder"]


def cache_folder() -> Path:
    """Return `$HAMMING_CACHE`, or `hamming` in the user's cache folder."""
    if own := os.environ.get("HAMMING_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hamming"
