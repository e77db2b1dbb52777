"""What is found of one part."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass

__all__ = ["Finding", "pip_install"]


@dataclass(frozen=True)
class Finding:
    """What is found of one part.

    Attributes
    ----------
    name
        The part.
    is_ok
        Whether it works.
    found
        Its version; if it does not work, what is wrong.
    mend
        The command that mends or betters it; empty if there is nothing to do.
    """

    name: str
    is_ok: bool
    found: str
    mend: str = ""


def pip_install(*arguments: str) -> str:
    """Return the command that installs packages for this very Python."""
    return shlex.join([sys.executable, "-m", "pip", "install", *arguments])
