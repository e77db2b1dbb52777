"""Cell models as JSON's types and back, to the last bit: what a cache may hold, since reading it runs nothing."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from hamming.synth.library.cell_model import CellLibrary, Table

__all__ = ["from_json", "to_json"]


def to_json(library: CellLibrary) -> dict[str, Any]:
    """Return a library in JSON's types; tables and axes that are shared are written once."""
    axes: dict[int, tuple[int, np.ndarray]] = {}
    tables: dict[int, tuple[int, Table]] = {}

    def number(known: dict[int, tuple[int, Any]], thing: Any) -> int:
        return known.setdefault(id(thing), (len(known), thing))[0]

    def plain(value: Any) -> Any:
        if isinstance(value, Table):
            return number(tables, value)
        if dataclasses.is_dataclass(value):
            return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        if isinstance(value, Mapping):
            return {key: plain(entry) for key, entry in value.items()}
        return [plain(entry) for entry in value] if isinstance(value, tuple) else value

    facts = plain(library)
    written = [[number(axes, t.rows), number(axes, t.columns), t.values.tolist()] for _, t in tables.values()]
    return {"library": facts, "tables": written, "axes": [axis.tolist() for _, axis in axes.values()]}


def from_json(facts: Mapping[str, Any]) -> CellLibrary:
    """Return the library of which `to_json` made this.

    Raises
    ------
    KeyError, IndexError, TypeError, ValueError
        It is no such thing.
    """
    axes = [np.array(axis, np.float64) for axis in facts["axes"]]
    tables = [Table(axes[row], axes[column], np.array(values, np.float64)) for row, column, values in facts["tables"]]

    def build(kind: Any, data: Any) -> Any:
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if origin in (types.UnionType, typing.Union):
            if data is None:
                return None
            return build(next(one for one in arguments if one is not type(None)), data)
        if kind is Table:
            return tables[data]
        if origin is tuple:
            entries = (arguments[0],) * len(data) if arguments[1:] == (...,) else arguments[: len(data)]
            return tuple(build(one, entry) for one, entry in zip(entries, data, strict=True))
        if origin is Mapping:
            return {key: build(arguments[1], entry) for key, entry in data.items()}
        if dataclasses.is_dataclass(kind):
            return kind(**{name: build(own, data[name]) for name, own in _fields(kind).items()})  # pyright: ignore[reportCallIssue]
        if not isinstance(data, (float, int) if kind is float else kind):
            raise TypeError(f"{data!r} is no {kind.__name__}")
        return data

    return build(CellLibrary, facts["library"])


@cache
def _fields(kind: type) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}
