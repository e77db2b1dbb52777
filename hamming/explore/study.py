"""What a user asks of the design space: a TOML file, checked whole before anything is done."""

from __future__ import annotations

import difflib
import math
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hamming.explore.quantities import QUANTITIES
from hamming.golden.standard import logit_scale_of
from hamming.golden.words import shown
from hamming.rtl.design import Design, Sections, changed_sections, design_of, load_sections, preset_names
from hamming.rtl.toml_file import parse_toml, read_toml

__all__ = ["EXAMPLE", "SAMPLERS", "Bounds", "Study", "read_study"]

#: A study with every key.
EXAMPLE = Path(__file__).with_name("example.toml")

#: Where candidates come from.
SAMPLERS = ("nsga2", "tpe", "random", "all")

#: Candidates, at most: what estimates take a minute or two for.
MAX_CANDIDATES = 20_000

#: Elements of keys and values, at most: those of all heads of the vectors that designs are measured with.
MAX_ELEMENTS = 768

#: Designs that are measured, at most.
MAX_MEASURED = 1_000

#: What a study is about, and not what it may change.
_SHAPE = ("d_head", "d_value", "n_keys", "n_sinks", "logit_scale", "weights")

_KEYS = ("design", "candidates", "measured", "sampler", "seed", "objectives", "constraints", "free")

#: One setting of a parameter: values by key, by section.
Setting = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Bounds:
    """Least and most that a quantity may be."""

    least: float = -math.inf
    most: float = math.inf


@dataclass(frozen=True, kw_only=True)
class Study:
    """A question.

    Attributes
    ----------
    name, design
        The study's name, and that of the preset or file that it begins with.
    sections
        What that holds.
    free
        Settings of each parameter that may change, by its name.
    candidates, measured
        How many designs are estimated, and synthesized of these, at most.
    sampler, seed
        One of `SAMPLERS`, and what its choices follow from.
    objectives
        Names of `QUANTITIES`.
    constraints
        Bounds by name of `QUANTITIES`.
    """

    name: str
    design: str
    sections: Sections
    free: Mapping[str, tuple[Setting, ...]]
    candidates: int
    measured: int
    sampler: str
    seed: int
    objectives: tuple[str, ...]
    constraints: Mapping[str, Bounds]

    @property
    def size(self) -> int:
        """Combinations of all settings."""
        return math.prod(len(settings) for settings in self.free.values())

    @property
    def logit_scale(self) -> float:
        """Of the softmax that the design stands for."""
        given = self.sections["spec"].get("logit_scale")
        return logit_scale_of(design_of(self.sections).spec.tables[0]) if given is None else given

    def sections_of(self, choice: Mapping[str, int]) -> Sections:
        """Return the sections with a setting of each parameter, by its number."""
        found = self.sections
        for name, number in choice.items():
            found = changed_sections(found, self.free[name][number])
        left_out = {key for key, value in found["engine"].items() if value == "auto"}
        return found | {"engine": {key: value for key, value in found["engine"].items() if key not in left_out}}

    def design_of(self, choice: Mapping[str, int]) -> Design:
        """Return the design of a choice; `ValueError` or `TypeError` if there is none."""
        return design_of(self.sections_of(choice))

    def missed(self, figures: Mapping[str, float], errors: Mapping[str, float] | None = None) -> dict[str, float]:
        """Return by how much, as a share, figures are outside of the bounds, by quantity, beyond the errors given."""
        found = {}
        for name, bounds in self.constraints.items():
            value, error = figures[name], (errors or {}).get(name, 0.0)
            by = max(bounds.least - value * (1 + error), value * (1 - error) - bounds.most)
            if by > 0:
                found[name] = by / max(abs(value), 1e-12)
        return found


def read_study(path: str | os.PathLike[str], measured: int | None = None) -> Study:
    """Read a study; `measured` takes the place of its own.

    Raises
    ------
    ValueError
        One line that names the file, what is wrong and what is allowed.
    """
    path = Path(path)
    try:
        text = read_toml(path)
    except FileNotFoundError:
        raise ValueError(f"no study {str(path)!r}; it is a TOML file (docs/guide/explore.md)") from None
    try:
        given = parse_toml(text)
        return _study(path, given if measured is None else given | {"measured": measured})
    except (TypeError, ValueError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{path}: {error}") from error


def _study(path: Path, given: Mapping[str, Any]) -> Study:
    for key in given:
        _require_known("key", key, _KEYS)
    design = given.get("design")
    if not isinstance(design, str) or not design:
        raise ValueError(f'design must be a preset ({", ".join(preset_names())}) or a TOML file, as in design = "bert"')
    source = design if design in preset_names() else str(path.parent / design)
    sections = load_sections(source)
    begin = design_of(sections)  # what it begins with must be a design
    widest = max(begin.spec.d_head, begin.spec.d_value)
    if widest > MAX_ELEMENTS:
        raise ValueError(f"a study is of at most {MAX_ELEMENTS} elements, for which there are vectors, not of {widest}")
    if begin.spec.n_tables > 1:
        raise ValueError(f"design {design!r} has {begin.spec.n_tables} softmax tables; a study is of one")
    free = _free(given.get("free"))
    sampler = given.get("sampler", "nsga2")
    if sampler not in SAMPLERS:
        raise ValueError(f"sampler must be one of {', '.join(SAMPLERS)}, not {shown(sampler)}")
    return Study(
        name=path.stem,
        design=design,
        sections=sections,
        free=free,
        candidates=_whole("candidates", given.get("candidates", 1000), 1, MAX_CANDIDATES),
        measured=_whole("measured", given.get("measured", 10), 0, MAX_MEASURED),
        sampler=sampler,
        seed=_whole("seed", given.get("seed", 0), 0, 2**31 - 1),
        objectives=_objectives(given.get("objectives", ["area", "energy"])),
        constraints=_constraints(given.get("constraints", {})),
    )


def _free(given: Any) -> dict[str, tuple[Setting, ...]]:
    if not isinstance(given, dict) or not given:
        raise ValueError("[free] must say what may change, as in [free.engine] with n_lanes = [1, 2, 4]")
    found: dict[str, tuple[Setting, ...]] = {}
    for name, values in given.items():
        if name in ("spec", "engine"):
            if not isinstance(values, dict):
                raise TypeError(f"free.{name} must be a section, [free.{name}], not {shown(values)}")
            for key, choices in values.items():
                full = f"{name}.{key}"
                found[full] = tuple({name: {key: value}} for value in _list(f"free.{full}", choices))
        else:
            found[name] = tuple(_together(name, setting) for setting in _list(f"free.{name}", values))
    keys = [(section, key) for settings in found.values() for section, key in _keys(settings[0])]
    for section, key in keys:
        if keys.count((section, key)) > 1:
            raise ValueError(f"{section}.{key} is free twice")
    for section, key in keys:
        if (section, key) == ("engine", "name"):
            raise ValueError("engine.name is what a study calls its engines; it cannot be free")
        if section == "spec" and key in _SHAPE:
            raise ValueError(f"spec.{key} is of what is asked for, and not free; a study of each value compares them")
    for name, settings in found.items():
        for setting in settings:
            changed_sections({"spec": {}, "engine": {}}, setting)  # every key is known
            if _keys(setting) != _keys(settings[0]):
                raise ValueError(f"free.{name}: every setting must give the same keys")
    return found


def _keys(setting: Setting) -> set[tuple[str, str]]:
    return {(section, key) for section, values in setting.items() for key in values}


def _together(name: str, setting: Any) -> Setting:
    if (
        not isinstance(setting, dict)
        or not setting
        or not all(section in ("spec", "engine") and isinstance(values, dict) for section, values in setting.items())
    ):
        raise ValueError(
            f"free.{name} must be a list of tables that set keys together, as in [[free.{name}]] with "
            f'spec.weight_form = "power_of_two" and engine.product = "shift"; not {shown(setting)}'
        )
    return setting


def _list(name: str, values: Any) -> list[Any]:
    if not isinstance(values, list) or not values:
        raise ValueError(f"{name} must be a list of what it may be, as in [1, 2, 4], not {shown(values)}")
    for number, value in enumerate(values):
        if value in values[:number]:
            raise ValueError(f"{name} has {shown(value)} twice")
    return values


def _objectives(given: Any) -> tuple[str, ...]:
    names = _list("objectives", given)
    for name in names:
        _require_known("objective", name, QUANTITIES)
    return tuple(names)


def _constraints(given: Any) -> dict[str, Bounds]:
    if not isinstance(given, dict):
        raise TypeError(f"constraints must be a section, [constraints], not {shown(given)}")
    found = {}
    for name, bounds in given.items():
        _require_known("constraint", name, QUANTITIES)
        is_table = isinstance(bounds, dict) and bounds and bounds.keys() <= {"least", "most"}
        if not is_table or not all(_is_number(value) for value in bounds.values()):
            raise ValueError(f"constraints.{name} must be bounds, as in {{ most = 64 }} or {{ least = 1.0 }}")
        found[name] = Bounds(**bounds)
        if found[name].least > found[name].most:
            raise ValueError(f"constraints.{name} has a least above its most")
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _whole(name: str, value: Any, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{name} must be a whole number, {low} to {high:,}, not {shown(value)}")
    return value


def _require_known(what: str, name: Any, known: Iterable[str]) -> None:
    known = tuple(known)
    if name not in known:
        near = difflib.get_close_matches(str(name), known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"unknown {what} {shown(name)}; known: {', '.join(known)}{hint}")
