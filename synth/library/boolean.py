"""Boolean functions of Liberty files, as truth tables."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Function", "parse_function"]


@dataclass(frozen=True)
class Function:
    """A Boolean function of pins.

    Attributes
    ----------
    text
        As the Liberty file writes it.
    pins
        What it depends on by its text, in the order of first mention.
    table
        Truth table: bit `i` is the value where `pins[j]` is bit `j` of `i`.
    """

    text: str
    pins: tuple[str, ...]
    table: int

    def over(self, pins: Sequence[str]) -> int:
        """Return the truth table over other pins, which must include all of `self.pins`."""
        if missing := [pin for pin in self.pins if pin not in pins]:
            raise ValueError(f"{self.text!r} depends on {missing[0]!r}, which is not among {', '.join(pins)}")
        places = [pins.index(pin) for pin in self.pins]
        table = 0
        for i in range(1 << len(pins)):
            own = sum((i >> place & 1) << j for j, place in enumerate(places))
            table |= (self.table >> own & 1) << i
        return table

    def holds(self, values: Mapping[str, bool]) -> bool:
        """Return the value where each pin has one; pins that are not among `values` are 0."""
        state = sum(1 << j for j, pin in enumerate(self.pins) if values.get(pin))
        return bool(self.table >> state & 1)

    def __call__(self, values: Mapping[str, Any]) -> np.ndarray:
        """Return the value where the pins have these (0 and 1, scalars or arrays of one shape)."""
        index = np.zeros((), dtype=np.int64)
        for j, pin in enumerate(self.pins):
            index = index | np.asarray(values[pin], dtype=np.int64) << j
        bits = np.array([self.table >> i & 1 for i in range(1 << len(self.pins))], dtype=bool)
        return bits[index]


def parse_function(text: str) -> Function:
    """Parse the Liberty syntax: `!a` or `a'`, `a & b`, `a * b` or `a b`, `a ^ b`, `a | b` or `a + b`, `0`, `1`.

    Operators are given from the strongest to the weakest.

    Raises
    ------
    ValueError
        The text is no such expression.
    """
    tokens = re.findall(r"[A-Za-z_][\w\[\].]*|[01]|\S", text)
    pins = tuple(dict.fromkeys(token for token in tokens if _is_name(token)))
    parser = _Parser(text, tokens, pins)
    table = parser.disjunction()
    if parser.peek() is not None:
        raise parser.error()
    return Function(text, pins, table)


def _is_name(token: str | None) -> bool:
    return token is not None and (token[0].isalpha() or token[0] == "_")


class _Parser:
    """Recursive descent over `tokens`; every method returns a truth table over `pins`."""

    def __init__(self, text: str, tokens: Sequence[str], pins: Sequence[str]):
        self.text = text
        self.tokens = tokens
        self.at = 0
        n = 1 << len(pins)
        self.ones = (1 << n) - 1
        self.tables = {pin: sum(1 << i for i in range(n) if i >> j & 1) for j, pin in enumerate(pins)}

    def peek(self) -> str | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def take(self, allowed: str) -> bool:
        token = self.peek()
        found = token is not None and token in allowed
        self.at += found
        return found

    def error(self) -> ValueError:
        return ValueError(f"{self.text!r} is no Boolean function: not understood at {self.peek() or 'its end'!r}")

    def disjunction(self) -> int:
        table = self.exclusive()
        while self.take("|+"):
            table |= self.exclusive()
        return table

    def exclusive(self) -> int:
        table = self.conjunction()
        while self.take("^"):
            table ^= self.conjunction()
        return table

    def conjunction(self) -> int:
        table = self.literal()
        while self.take("&*") or _is_name(self.peek()) or self.peek() in ("(", "!", "0", "1"):
            table &= self.literal()
        return table

    def literal(self) -> int:
        if self.take("!"):
            return self.ones ^ self.literal()
        token = self.peek()
        if token == "(":
            self.at += 1
            table = self.disjunction()
            if not self.take(")"):
                raise self.error()
        elif token is not None and (_is_name(token) or token in "01"):
            self.at += 1
            table = self.tables[token] if _is_name(token) else self.ones * int(token)
        else:
            raise self.error()
        while self.take("'"):
            table ^= self.ones
        return table
