"""Validation shared by every parameter object: one wording for one kind of mistake."""

from __future__ import annotations

from typing import Any


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
        raise TypeError(f"{name} must be an integer, not {value!r}")
    value = value.__index__()
    if value < low or (high is not None and value > high):
        allowed = f"{low} to {high}" if high is not None else f"{low} or more"
        raise ValueError(f"{name} must be {allowed}{f' ({why})' if why else ''}, not {value}")
    return value


def require_bool(name: str, value: Any) -> bool:
    """Return `value` if it is a bool; raise `TypeError` naming it otherwise."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be true or false, not {value!r}")
    return value


def require_choice(name: str, value: Any, choices: tuple[str, ...]) -> str:
    """Return `value` if it is one of `choices`; raise `TypeError` or `ValueError` otherwise."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
    return value
