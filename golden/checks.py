"""Validation shared by every parameter object: one wording for one kind of mistake."""

from __future__ import annotations

import math
from typing import Any

from hamming.golden.words import shown


def require_int(name: str, value: Any, low: int, high: int | None = None, *, why: str = "") -> int:
    """Return `value` as an int, or say what was given and what is allowed.

    Raises
    ------
    TypeError
        `value` is not an integer (booleans are not).
    ValueError
        `value` lies outside `low` to `high`.
    """
    if isinstance(value, bool) or not hasattr(type(value), "__index__"):
        raise TypeError(f"{name} must be an integer, not {shown(value)}")
    value = value.__index__()
    if value < low or (high is not None and value > high):
        allowed = f"{low} to {high}" if high is not None else f"{low} or more"
        raise ValueError(f"{name} must be {allowed}{f' ({why})' if why else ''}, not {shown(value)}")
    return value


def require_number(name: str, value: Any, low: float, high: float = math.inf) -> float:
    """Return `value` as a float of `low` to `high`; raise `TypeError` or `ValueError` otherwise."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number, not {shown(value)}")
    number = _as_float(value)
    if number is None or not low <= number <= high:  # NaN is in no range
        allowed = f"{low} or more" if high == math.inf else f"{low} to {high}"
        raise ValueError(f"{name} must be {allowed}, not {shown(value)}")
    return number


def require_bool(name: str, value: Any) -> bool:
    """Return `value` if it is a bool; raise `TypeError` naming it otherwise."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be true or false, not {shown(value)}")
    return value


def require_choice(name: str, value: Any, choices: tuple[str, ...]) -> str:
    """Return `value` if it is one of `choices`; raise `TypeError` or `ValueError` otherwise."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be one of {', '.join(choices)}, not {shown(value)}")
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, not {shown(value)}")
    return value


def require_logit_scale(value: Any) -> float:
    """Return `value` if it is a finite number of 0 or more; raise `TypeError` or `ValueError` otherwise."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"logit_scale must be a number, not {shown(value)}")
    number = _as_float(value)
    if number is None or not math.isfinite(number) or number < 0:
        raise ValueError(f"logit_scale must be finite and 0 or more, not {shown(value)}")
    return number


def _as_float(value: float) -> float | None:
    """Return a number as a float, None for an integer that is too large for one."""
    try:
        return float(value)
    except OverflowError:
        return None


def require_table(weights: Any, high: int, *, why: str = "", name: str = "weights") -> tuple[int, ...]:
    """Return a softmax table: integers of 0 to `high` that never rise, the first positive.

    Raises
    ------
    TypeError
        It is not a sequence of integers.
    ValueError
        It is no such table.
    """
    if isinstance(weights, (str, bytes)) or not hasattr(weights, "__iter__"):
        raise TypeError(f"{name} must be a list of integers, not {shown(weights)}")
    table = tuple(require_int(f"{name}[{t}]", weight, 0, high, why=why) for t, weight in enumerate(weights))
    if table and table[0] == 0:
        raise ValueError(f"{name}[0], the weight of the best key, must be positive, not 0")
    for t in range(1, len(table)):
        if table[t] > table[t - 1]:
            raise ValueError(
                f"{name} must never rise, but {name}[{t}] = {table[t]} is above {name}[{t - 1}] = {table[t - 1]}"
            )
    return table


def require_tables(weights: Any, n_entries: int, most: int, high: int, *, why: str = "") -> tuple[tuple[int, ...], ...]:
    """Return softmax tables of `n_entries`, 1 to `most` of them: of a table, or of a sequence of tables.

    Raises
    ------
    TypeError, ValueError
        As of `require_table`, or there are too many.
    """
    if not isinstance(weights, (str, bytes)) and hasattr(weights, "__iter__"):
        weights = tuple(weights)
    several = isinstance(weights, tuple) and any(hasattr(type(one), "__iter__") for one in weights)
    several = several and not any(isinstance(one, (str, bytes)) for one in weights)
    if several and len(weights) > most:
        raise ValueError(f"weights must be at most {most} tables, not {len(weights)}")
    named = {f"weights[{n}]": one for n, one in enumerate(weights)} if several else {"weights": weights}
    tables = tuple(require_table(one, high, why=why, name=name) for name, one in named.items())
    for name, table in zip(named, tables, strict=True):
        if len(table) != n_entries:
            raise ValueError(f"{name} must have d_head + 1 = {n_entries} entries, not {len(table)}")
    return tables
