"""Memories in Yosys: cells of their own, which become macros, and Verilog without what fills them."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["MACRO", "MOST_UNROLLED", "set_memories_apart", "without_contents"]

#: Most words of a memory that Yosys is told the first contents of.
MOST_UNROLLED = 16_384

#: Type of a memory that is a macro. Yosys lets names alone that begin like this.
MACRO = "$__memory_macro"


def without_contents(verilog: str) -> str:
    """Return the Verilog without the loops that fill memories of more than `MOST_UNROLLED` words (`rtl.verilog`).

    Neither an SRAM nor a flip-flop of the libraries has a content when it is switched on, and Yosys unrolls the loops
    in a time that grows with the square of the words.
    """
    return re.sub(
        r"^ *initial for \(\w+ = 0; \w+ < (\d+);.*\n",
        lambda loop: "" if int(loop[1]) > MOST_UNROLLED else loop[0],
        verilog,
        flags=re.MULTILINE,
    )


def set_memories_apart(memories: Iterable[str]) -> list[str]:
    """Make memories, with their read registers, cells that no command looks into, so that the logic around them stays.

    `memories` are named as Yosys selects them, `module/cell`.
    """
    names = " ".join(memories)
    if not names:
        return []
    return [
        f"select -set macros {names}",
        "memory_dff @macros",
        "opt_clean",
        "setattr -set keep 1 @macros",
        f"chtype -set {MACRO} @macros",
    ]
