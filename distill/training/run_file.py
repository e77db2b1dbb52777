"""Run files: one TOML file, and those that it is based on, say everything that a training run depends on."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hamming.distill.training.config import RunConfig, nearest
from hamming.golden.words import shown
from hamming.rtl.toml_file import parse_toml, read_toml

__all__ = ["load_run_file", "preset_names"]

_PRESETS = Path(__file__).parents[1] / "presets"


def preset_names() -> tuple[str, ...]:
    """Return the names of the run files in this package, in alphabetical order."""
    return tuple(sorted(path.stem for path in _PRESETS.glob("*.toml")))


def load_run_file(name_or_path: str | os.PathLike[str], overrides: Iterable[str] = ()) -> RunConfig:
    """Read a run file and check it whole.

    Parameters
    ----------
    name_or_path
        A name of `preset_names`, or the path of a TOML file. Its top level and sections are the fields of `RunConfig`;
        a key `base` names another run file (a path is relative to this one), whose values it has where it says nothing.
    overrides
        `KEY=VALUE` or `SECTION.KEY=VALUE` each, as in `seed=1` or `student.top_n=5`: a TOML value or a bare word, in
        place of the file's.

    Raises
    ------
    ValueError
        One line that names the file, the value and what is allowed.
    """
    name, overrides = os.fspath(name_or_path), tuple(overrides)
    tables = _read(name, Path(), ())
    try:
        for override in overrides:
            _apply(override, tables)
        return RunConfig.from_dict(tables)
    except (TypeError, ValueError) as error:
        changed = f", changed by {', '.join(map(shown, overrides))}" if overrides else ""
        raise ValueError(f"{name}{changed}: {error}") from error


def _read(name: str, folder: Path, above: tuple[Path, ...]) -> dict[str, Any]:
    """Return the tables of a run file over those of its base; `above` are the files that it is the base of."""
    path = _PRESETS / f"{name}.toml" if name in preset_names() else folder / name
    if path.resolve() in above:
        raise ValueError(f"{name}: base must not be a run file that is based on this one")
    try:
        tables = parse_toml(read_toml(path))
    except FileNotFoundError:
        raise ValueError(
            f"no run file {name!r}, and none of this name in the package: {', '.join(preset_names())}"
            f"{nearest(name, preset_names())}"
        ) from None
    except ValueError as error:
        said = str(error)
        raise ValueError(said if said.startswith("cannot read") else f"{name}: {said}") from error
    tables.setdefault("name", path.stem)
    base = tables.pop("base", None)
    if base is None:
        return tables
    if not isinstance(base, str):
        raise ValueError(f"{name}: base must be a run file's name or path, not {base!r}")
    return _merged(_read(base, path.parent, (*above, path.resolve())), tables)


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Return `below` with what `above` says in its place, section by section, key by key."""
    merged = below | above
    for key in below.keys() & above.keys():
        if isinstance(below[key], dict) and isinstance(above[key], dict):
            merged[key] = below[key] | above[key]
    return merged


def _apply(override: str, tables: dict[str, Any]) -> None:
    """Change `tables` as `KEY=VALUE` or `SECTION.KEY=VALUE` says."""
    target, equals, text = (part.strip() for part in override.partition("="))
    *section, key = target.split(".")
    if not equals or not key or len(section) > 1:
        raise ValueError(f"{override!r} must be KEY=VALUE or SECTION.KEY=VALUE, as in student.top_n=5")
    try:
        value = parse_toml(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        if not re.fullmatch(r"[\w./-]+", text):
            raise ValueError(f"{target} must be a TOML value (5, 0.1, true) or a word, not {text!r}") from None
        value = text
    values = tables.setdefault(section[0], {}) if section else tables
    if not isinstance(values, dict):
        raise ValueError(f"{override!r}: {section[0]} is a value, and no section with keys")
    values[key] = value
