"""What a plan is asked: a model's attention, its context, and rates. A TOML file, checked whole."""

from __future__ import annotations

import dataclasses
import difflib
import math
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hamming.golden.words import shown
from hamming.rtl.toml_file import parse_toml, read_toml

__all__ = ["PLACES", "Phase", "Question", "model_names", "model_text", "read_question"]

_PRESETS = Path(__file__).parent / "presets"

#: Where keys and values lie.
PLACES = ("engines", "dram")


@dataclass(frozen=True, kw_only=True)
class Phase:
    """Queries of one kind.

    Attributes
    ----------
    name
        `encode`, `prefill` or `decode`.
    tokens
        A second: each brings a query of every head of every layer.
    least_keys, most_keys
        Keys that a query sees, each number as often.
    """

    name: str
    tokens: float
    least_keys: int
    most_keys: int

    @property
    def mean_keys(self) -> float:
        """Keys that a query sees, on average."""
        return (self.least_keys + self.most_keys) / 2


@dataclass(frozen=True, kw_only=True)
class Question:
    """A model and what is asked of it.

    Attributes
    ----------
    name
        Of the file, or the preset.
    layers, heads, kv_heads, d_head, d_value
        Shape of its attention; heads in groups of `heads / kv_heads` have the same keys and values.
    causal
        Whether a token sees no later one.
    context
        Tokens of a sequence.
    top_k, value_bits, weight_bits, logit_scale
        What the engines compute.
    sequences
        A second, of a model that is not causal.
    prefill, decode
        Tokens a second, of all sequences together, of one that is.
    batch
        Sequences whose keys and values are held at a time.
    place
        One of `PLACES`: memories of the engines, or a DRAM that rows are read from.
    dram_pj_a_bit
        Energy of reading a bit of it.
    n_lanes
        Keys that an engine takes a cycle; None: chosen.
    """

    name: str
    layers: int
    heads: int
    kv_heads: int
    d_head: int
    d_value: int
    causal: bool
    context: int
    top_k: int
    value_bits: int
    weight_bits: int
    logit_scale: float
    sequences: float
    prefill: float
    decode: float
    batch: int
    place: str
    dram_pj_a_bit: float
    n_lanes: int | None

    @property
    def group(self) -> int:
        """Heads that have the same keys and values."""
        return self.heads // self.kv_heads

    @property
    def phases(self) -> tuple[Phase, ...]:
        """What the engines do."""
        found = []
        if self.sequences:
            least = 1 if self.causal else self.context
            found.append(
                Phase(name="encode", tokens=self.sequences * self.context, least_keys=least, most_keys=self.context)
            )
        if self.prefill:
            found.append(Phase(name="prefill", tokens=self.prefill, least_keys=1, most_keys=self.context))
        if self.decode:
            found.append(Phase(name="decode", tokens=self.decode, least_keys=self.context, most_keys=self.context))
        return tuple(found)


def model_names() -> tuple[str, ...]:
    """Return the names of the models that are in the package."""
    return tuple(sorted(path.stem for path in _PRESETS.glob("*.toml")))


def model_text(name_or_path: str | os.PathLike[str]) -> str:
    """Return the TOML of a model in the package, or of a file."""
    name = os.fspath(name_or_path)
    try:
        return read_toml(_PRESETS / f"{name}.toml" if name in model_names() else name)
    except FileNotFoundError:
        near = difflib.get_close_matches(name, model_names(), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"no model or file {name!r}; models: {', '.join(model_names())}{hint}") from None


def read_question(name_or_path: str | os.PathLike[str], changes: Mapping[str, Any] | None = None) -> Question:
    """Read a model's file, or a preset; `changes` are other values of fields of `Question`.

    Raises
    ------
    ValueError
        One line that names the file, what is wrong and what is allowed.
    """
    name = os.fspath(name_or_path)
    text = model_text(name)
    try:
        given = _fields(parse_toml(text)) | {key: value for key, value in (changes or {}).items() if value is not None}
        return _question(Path(name).stem, given)
    except (TypeError, ValueError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{name}: {error}") from error


#: Fields by section; each with its default, None where there must be one, and the least and most that it may be.
_SECTIONS: dict[str, dict[str, tuple[Any, float, float]]] = {
    "model": {
        "layers": (None, 1, 10_000),
        "heads": (None, 1, 10_000),
        "kv_heads": ("heads", 1, 10_000),
        "d_head": (None, 1, 4096),
        "d_value": ("d_head", 1, 4096),
        "causal": (False, 0, 1),
        "context": (None, 1, 2**17),
        "top_k": (32, 1, 4096),
        "value_bits": (8, 2, 16),
        "weight_bits": (8, 1, 16),
        "logit_scale": ("d_head", 1e-6, 1e3),
    },
    "rate": {
        "sequences": (0.0, 0, 1e12),
        "prefill": (0.0, 0, 1e15),
        "decode": (0.0, 0, 1e15),
        "batch": (1, 1, 10_000_000),
    },
    "memory": {"place": ("engines", 0, 0), "dram_pj_a_bit": (4.0, 0, 1e6)},
    "engine": {"n_lanes": (None, 1, 512)},
}

#: Fields that may be left out although they have no default.
_OPTIONAL = ("n_lanes",)

_REALS = ("logit_scale", "sequences", "prefill", "decode", "dram_pj_a_bit")


def _fields(sections: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for section, values in sections.items():
        _require_known("section", section, _SECTIONS)
        if not isinstance(values, dict):
            raise TypeError(f"{section} must be a section, [{section}], not {shown(values)}")
        for key in values:
            _require_known(f"key of [{section}]", key, _SECTIONS[section])
        found |= values
    return found


def _question(name: str, given: Mapping[str, Any]) -> Question:
    found: dict[str, Any] = {"name": name}
    for section, fields in _SECTIONS.items():
        for key, (default, low, high) in fields.items():
            if key in given:
                found[key] = _checked(key, given[key], low, high)
            elif default is None and key not in _OPTIONAL:
                raise ValueError(f"[{section}] has no {key}")
            else:
                found[key] = default
    for key in ("kv_heads", "d_value"):
        found[key] = found[found[key]] if isinstance(found[key], str) else found[key]
    if found["logit_scale"] == "d_head":
        found["logit_scale"] = found["d_head"] ** -0.5
    question = Question(**{field.name: found[field.name] for field in dataclasses.fields(Question)})
    _require_sense(question)
    return question


def _checked(key: str, value: Any, low: float, high: float) -> Any:
    if key == "place":
        if value not in PLACES:
            raise ValueError(f"place must be one of {', '.join(PLACES)}, not {shown(value)}")
        return value
    if key == "causal":
        if not isinstance(value, bool):
            raise TypeError(f"causal must be true or false, not {shown(value)}")
        return value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or (key not in _REALS and not isinstance(value, int)):
        raise TypeError(f"{key} must be a {'number' if key in _REALS else 'whole number'}, not {shown(value)}")
    if not low <= value <= high:
        raise ValueError(f"{key} must be from {low:,.12g} to {high:,.12g}, not {value:,}")
    return value


def _require_sense(question: Question) -> None:
    if question.heads % question.kv_heads:
        raise ValueError(f"kv_heads must divide heads = {question.heads}, not {question.kv_heads}")
    if question.causal and question.sequences and (question.prefill or question.decode):
        raise ValueError("a rate is of sequences, or of prefill and decode, not of both")
    if not question.causal and (question.prefill or question.decode):
        raise ValueError("prefill and decode are of a causal model; give it causal = true, or a rate of sequences")
    if not question.phases:
        wanted = "prefill or decode, tokens a second" if question.causal else "sequences, a second"
        raise ValueError(f"[rate] asks for nothing; it needs {wanted}")
    if question.n_lanes is not None and question.n_lanes & (question.n_lanes - 1):
        raise ValueError(f"n_lanes must be a power of two, not {question.n_lanes}")


def _require_known(what: str, name: Any, known: Iterable[str]) -> None:
    known = tuple(known)
    if name not in known:
        near = difflib.get_close_matches(str(name), known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"unknown {what} {shown(name)}; known: {', '.join(known)}{hint}")
