"""Parses the text of Liberty files: groups, and in them attributes, as strings. What they mean is `liberty`'s.

A file is statements of three forms, `name : value;`, `name (value, ...);` and `name (value, ...) { statements }`, among
blanks, comments and continued lines. A statement is one match of one pattern, all of whose repetitions are possessive:
time grows with the text, however broken it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

__all__ = ["Group", "LibertyError", "parse"]


class LibertyError(ValueError):
    """A text is not Liberty's; the message is one line, with the number of the text's line."""


@dataclass(eq=False)
class Group:
    """A group of statements, `kind (arguments) { ... }`.

    Attributes
    ----------
    kind, arguments, line
        What stands before the brace, and the line where it does.
    simple
        Values of `name : value;`, by name, in the file's order. Quotes are taken off.
    complex
        Values of `name (value, ...);`, likewise.
    groups
        Groups inside, by kind, in the file's order.
    """

    kind: str
    arguments: list[str]
    line: int
    simple: dict[str, list[str]] = field(default_factory=dict)
    complex: dict[str, list[list[str]]] = field(default_factory=dict)
    groups: dict[str, list[Group]] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        """Say whether there is a simple attribute of this name."""
        return name in self.simple

    def text(self, name: str, default: str = "") -> str:
        """Return the value of a simple attribute, the last if it is there more than once."""
        return self.simple[name][-1] if name in self.simple else default

    def number(self, name: str, default: float | None = None) -> float:
        """Return the value of a simple attribute that is a number; without a default, it must be there."""
        return float(self.simple[name][-1]) if default is None or name in self.simple else default

    def all(self, kind: str) -> list[Group]:
        """Return the groups of a kind."""
        return self.groups.get(kind, [])


_CONTINUED = r"\\[ \t\r]*\n"
_COMMENT = r"/\*(?:[^*]|\*(?!/))*+\*/|//[^\n]*+"
_STRING = rf'"(?:[^"\\\n]++|{_CONTINUED}|\\[^\n])*+"'
_BLANK = rf"(?:\s++|{_COMMENT}|{_CONTINUED})*+"
_VALUE = rf'(?P<value>{_STRING}|[^\s;{{}}"](?:(?!/[*/])[^;{{}}"\n])*+)'
_VALUES = rf'\((?P<values>(?:[^()"/{{}};]++|{_STRING}|{_COMMENT}|/)*+)\)'

_STATEMENT = re.compile(
    rf"{_BLANK}(?:(?P<name>[A-Za-z_]\w*+){_BLANK}"
    rf"(?::{_BLANK}{_VALUE}|{_VALUES}{_BLANK}(?P<opens>\{{)?)|(?P<closes>\}}))(?:{_BLANK};)*+"
)
_SPACE = re.compile(_BLANK)
_ONE = re.compile(rf'{_COMMENT}|{_CONTINUED}|({_STRING}|[^\s,"\\]++)')
_ESCAPE = re.compile(rf"{_CONTINUED}|\\(?=.)")


def parse(text: str) -> Group:
    """Return the one group that a Liberty file's text holds.

    Raises
    ------
    LibertyError
        A statement has none of the three forms, a brace is missing or too many, or there is not one group.
    """
    file = Group("file", [], 1)
    inside = [file]
    place, line = 0, 1
    match = _STATEMENT.match
    while found := match(text, place):
        name, value, values, opens, closes = found.group("name", "value", "values", "opens", "closes")
        if closes:
            if len(inside) == 1:
                raise LibertyError(f"line {_line(text, found.start('closes'))}: '}}' closes nothing")
            inside.pop()
        elif opens:
            start = found.start("name")
            line += text.count("\n", place, start)
            group = Group(name, _split(values), line)
            line += text.count("\n", start, found.end())
            place = found.end()
            inside[-1].groups.setdefault(name, []).append(group)
            inside.append(group)
            continue
        elif values is None:
            inside[-1].simple.setdefault(name, []).append(_plain(value.rstrip()))
        else:
            inside[-1].complex.setdefault(name, []).append(_split(values))
        line += text.count("\n", place, found.end())
        place = found.end()
    _check_end(text, _end_of(_SPACE, text, place), inside)
    tops = [group for groups in file.groups.values() for group in groups]
    if len(tops) != 1 or file.simple or file.complex:
        raise LibertyError(f"a file holds one group, this one {len(tops)}, and nothing outside it")
    return tops[0]


def _check_end(text: str, place: int, inside: list[Group]) -> None:
    if place < len(text):
        start = text[place : place + 60].partition("\n")[0].rstrip()
        raise LibertyError(
            f"line {_line(text, place)}: {start!r} begins no statement; "
            "give 'name : value;', 'name (values);' or 'name (values) { statements }'"
        )
    if len(inside) > 1:
        raise LibertyError(f"line {inside[-1].line}: the group {inside[-1].kind!r} is not closed by '}}'")


def _end_of(pattern: re.Pattern[str], text: str, place: int) -> int:
    found = pattern.match(text, place)
    return found.end() if found else place


def _line(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1


def _split(values: str) -> list[str]:
    return [_plain(found[1]) for found in _ONE.finditer(values) if found[1] is not None]


def _plain(value: str) -> str:
    """Take quotes and backslashes off; a continued line goes on after a blank."""
    if value.startswith('"'):
        value = value[1:-1]
    return _ESCAPE.sub(lambda found: " " if "\n" in found[0] else "", value) if "\\" in value else value
