"""A user's value in a message: quoted, on one line, whatever it is and however long."""

from __future__ import annotations

import reprlib
from typing import Any

__all__ = ["shown"]

#: Bits beyond which an integer is not written out: its digits would fill the line, and Python refuses to write many.
_MAX_SHOWN_BITS = 256


class _Short(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 3
        self.maxlist = self.maxtuple = self.maxdict = 10
        self.maxstring = self.maxother = 100

    def repr_int(self, x: int, level: int) -> str:
        if x.bit_length() > _MAX_SHOWN_BITS:
            return f"{'-' if x < 0 else ''}(an integer of {x.bit_length()} bits)"
        return str(x)


def shown(value: Any) -> str:
    """Return `repr(value)`, shortened in its middle where it is long, without line breaks."""
    return " ".join(_Short().repr(value).split())
