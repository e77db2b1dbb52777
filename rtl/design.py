"""Designs: a spec and an engine configuration, read from a preset or a TOML file."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hamming.golden.spec import AttentionSpec
from hamming.golden.words import shown
from hamming.rtl.config import EngineConfig
from hamming.rtl.dimensions import Dimensions
from hamming.rtl.names import require_module_name
from hamming.rtl.toml_file import parse_toml, read_toml

__all__ = [
    "Design",
    "Sections",
    "changed_sections",
    "design_of",
    "load_design",
    "load_sections",
    "preset_names",
    "preset_text",
]

#: A design's file: values by key, by section.
Sections = dict[str, dict[str, Any]]

_PRESETS = Path(__file__).parent / "presets"

_SPEC_FIELDS = dataclasses.fields(AttentionSpec)
#: The two ways to give the softmax table.
_TABLES = {"logit_scale", "weights"}
#: Sections of a file, and the keys of each.
_KEYS = {
    "spec": (*(field.name for field in _SPEC_FIELDS), "logit_scale", "weight_form"),
    "engine": tuple(field.name for field in dataclasses.fields(EngineConfig)),
}
_REQUIRED = {field.name for field in _SPEC_FIELDS if field.default is dataclasses.MISSING} - _TABLES


@dataclass(frozen=True)
class Design:
    """What is computed and how, checked against each other.

    Parameters
    ----------
    spec
        What every output bit is.
    config
        How the bits are computed.

    Raises
    ------
    ValueError
        The configuration does not fit the spec.
    """

    spec: AttentionSpec
    config: EngineConfig

    def __post_init__(self) -> None:
        self.config.require_module()
        _ = self.dimensions

    @cached_property
    def dimensions(self) -> Dimensions:
        """Every size that follows from the two."""
        return Dimensions(self.spec, self.config)


def preset_names() -> tuple[str, ...]:
    """Return the names of the presets, in alphabetical order."""
    return tuple(sorted(path.stem for path in _PRESETS.glob("*.toml")))


def preset_text(name: str) -> str:
    """Return a preset's TOML, whose first line is a comment that says what it is for."""
    if name not in preset_names():
        raise ValueError(f"no preset {name!r}; presets: {', '.join(preset_names())}{_nearest(name, preset_names())}")
    return (_PRESETS / f"{name}.toml").read_text(encoding="utf-8")


def load_design(name_or_path: str | os.PathLike[str], overrides: Iterable[str] = ()) -> Design:
    """Read a design and check it whole.

    The file has a section `[spec]` with the fields of `AttentionSpec`, the softmax table given either as
    `weights` or as the `logit_scale` that it follows from (with `weight_form`, as of `AttentionSpec.from_logit_scale`),
    and a section `[engine]` with fields of `EngineConfig`, each optional. The engine's name defaults to the preset's,
    or to the file's without `.toml`.

    Parameters
    ----------
    name_or_path
        A preset's name, or the path of a TOML file. A file named like a preset is reached as `./NAME`.
    overrides
        `SECTION.KEY=VALUE` each, as in `spec.top_k=30` or `engine.selector=insertion`: a TOML value or a bare
        word, in place of the file's. Giving one of `spec.weights` and `spec.logit_scale` drops the file's other;
        `spec.weights` drops `weight_form` too.

    Raises
    ------
    ValueError
        One line that names the file or preset, the value and what is allowed: no such preset or file, no TOML, an
        unknown or missing key, a wrong type, or a value that spec or engine cannot have.
    """
    overrides = tuple(overrides)
    origin, stem, text = _source(os.fspath(name_or_path))
    with _blamed(origin, overrides):
        return design_of(_sections(stem, text, overrides))


def load_sections(name_or_path: str | os.PathLike[str], overrides: Iterable[str] = ()) -> Sections:
    """Return what `load_design` makes a design of: the sections `spec` and `engine`, with every key known."""
    overrides = tuple(overrides)
    origin, stem, text = _source(os.fspath(name_or_path))
    with _blamed(origin, overrides):
        return _sections(stem, text, overrides)


def changed_sections(sections: Mapping[str, Mapping[str, Any]], changes: Mapping[str, Mapping[str, Any]]) -> Sections:
    """Return sections with other values of some keys; one of `weights` and `logit_scale` drops the other."""
    found = {section: dict(values) for section, values in sections.items()}
    for section, values in changes.items():
        for key in values:
            _require_known(section, key)
        dropped = _TABLES if _TABLES & values.keys() else set()
        dropped = dropped | {"weight_form"} if "weights" in values else dropped
        found[section] = {key: value for key, value in found[section].items() if key not in dropped} | dict(values)
    return found


def design_of(sections: Mapping[str, Mapping[str, Any]]) -> Design:
    """Return the design of sections, checked whole."""
    return Design(_spec(dict(sections["spec"])), EngineConfig.from_dict(sections["engine"]))


def _sections(stem: str, text: str, overrides: tuple[str, ...]) -> Sections:
    sections = changed_sections(_checked_sections(parse_toml(text)), _parsed_overrides(overrides))
    if "name" not in sections["engine"]:
        sections["engine"]["name"] = _default_name(stem)
    return sections


@contextlib.contextmanager
def _blamed(origin: str, overrides: tuple[str, ...]) -> Iterator[None]:
    try:
        yield
    except (TypeError, ValueError) as error:
        changed = f", changed by {', '.join(map(shown, overrides))}" if overrides else ""
        raise ValueError(f"{origin}{changed}: {error}") from error


def _source(name: str) -> tuple[str, str, str]:
    """Find a design: words that name it in messages, the engine's default name, and the TOML."""
    if name in preset_names():
        return f"preset {name}", name, preset_text(name)
    try:
        return name, Path(name).stem, read_toml(name)
    except FileNotFoundError:
        raise ValueError(
            f"no preset or file {name!r}; presets: {', '.join(preset_names())}{_nearest(name, preset_names())}"
        ) from None


def _default_name(stem: str) -> str:
    """Return the engine's name after its file."""
    name = re.sub(r"\W", "_", stem, flags=re.ASCII)
    try:
        return require_module_name(name)
    except ValueError as error:
        raise ValueError(f"{error}; it comes from the file's name, and engine.name gives another") from None


def _checked_sections(tables: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the sections, with every key known."""
    for section, values in tables.items():
        if section not in _KEYS:
            name = f"[{section}]" if section.isidentifier() else shown(section)
            raise ValueError(f"unknown section {name}; known: [spec] and [engine]{_nearest(section, _KEYS)}")
        if not isinstance(values, dict):
            raise TypeError(f"{section} must be a section, [{section}], not {shown(values)}")
        for key in values:
            _require_known(section, key)
    if "spec" not in tables:
        raise ValueError(f"no section [spec]; it needs {', '.join(sorted(_REQUIRED))}, and logit_scale or weights")
    return {section: tables.get(section, {}) for section in _KEYS}


def _parsed_overrides(overrides: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the sections that overrides `SECTION.KEY=VALUE` make."""
    sections: dict[str, dict[str, Any]] = {}
    for override in overrides:
        target, equals, text = (part.strip() for part in override.partition("="))
        section, _, key = target.partition(".")
        if not (equals and key and section in _KEYS):
            raise ValueError(f"{shown(override)} must be spec.KEY=VALUE or engine.KEY=VALUE, as in spec.top_k=30")
        _require_known(section, key)
        values = sections.setdefault(section, {})
        if key in values:
            raise ValueError(f"{target} is given twice")
        values[key] = _parsed_value(target, text)
    return sections


def _parsed_value(target: str, text: str) -> Any:
    """Read a TOML value; a bare word is a string."""
    if re.fullmatch(r"[A-Za-z_]\w*", text) and text not in ("true", "false", "inf", "nan"):
        return text
    try:
        parsed = parse_toml(f"value = {text}")
    except tomllib.TOMLDecodeError:
        parsed = {}
    except ValueError as error:
        raise ValueError(f"{target}: {error}") from None
    if parsed.keys() != {"value"}:
        raise ValueError(f"{target} must be a TOML value (30, 0.125, true, [4095, 0]) or a word, not {shown(text)}")
    return parsed["value"]


def _spec(values: dict[str, Any]) -> AttentionSpec:
    missing = sorted(_REQUIRED - values.keys())
    if missing:
        raise ValueError(f"[spec] has no {missing[0]}; it needs {', '.join(sorted(_REQUIRED))}")
    given = sorted(_TABLES & values.keys())
    if len(given) != 1:
        raise ValueError(
            f"[spec] must have exactly one of logit_scale and weights, not {' and '.join(given) or 'none'}"
        )
    if "logit_scale" in values:
        return AttentionSpec.from_logit_scale(**values)
    if "weight_form" in values:
        raise ValueError("weight_form says what the table of a logit_scale is; it cannot go with weights")
    return AttentionSpec.from_dict(values)


def _require_known(section: str, key: str) -> None:
    known = _KEYS[section]
    if key not in known:
        raise ValueError(f"unknown key {shown(key)} in [{section}]; known: {', '.join(known)}{_nearest(key, known)}")


def _nearest(word: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {found[0]!r}?" if found else ""
