"""What a mutant is."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

#: The repository.
ROOT = Path(__file__).resolve().parents[2]


class Mutant(NamedTuple):
    """What is broken, where, the text before and after, and the test that must notice."""

    what: str
    file: str
    before: str
    after: str
    test: str
