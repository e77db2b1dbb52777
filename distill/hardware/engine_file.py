"""The engine that serves every head of a model, and the TOML files of heads that go with it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hamming.golden.spec import AttentionSpec
from hamming.rtl.config import EngineConfig
from hamming.rtl.dimensions import Dimensions

__all__ = ["engine_settings", "write_design"]


def engine_settings(
    specs: Sequence[AttentionSpec], *, name: str, mask: bool = False, has_range: bool = False
) -> dict[str, Any]:
    """Choose the engine of some heads as the presets are chosen: scoring takes about as many cycles as summing.

    Half of the value elements are multiplied each cycle (all, if their number is odd), and the number of lanes is the
    power of two nearest to `n_keys / (top_k * fold)`. Products are shifts if all tables are of powers of two. Tables
    are loaded.

    Parameters
    ----------
    specs
        Of the heads, alike in everything but their tables.
    name
        Of the engine.
    mask, has_range
        Whether queries bring masks, and where their keys begin.

    Returns
    -------
    Keys of the section `[engine]` that are not left at their defaults.

    Raises
    ------
    ValueError
        The specs differ in shape or widths, so that no engine serves them all, or no engine can have this name.
    """
    shapes = [{key: value for key, value in spec.to_dict().items() if key != "weights"} for spec in specs]
    for shape in shapes:
        if shape != shapes[0]:
            raise ValueError(
                f"all heads must have the same shape, for one engine to serve them, not {shapes[0]}, {shape}"
            )
    spec = specs[0]
    fold = 1 if spec.d_value % 2 else 2
    lanes = 2 ** max(0, round(math.log2(spec.n_keys / (spec.top_k * fold))))
    settings: dict[str, Any] = {"name": name, "n_lanes": lanes, "n_macs": spec.d_value // fold, "table": "loadable"}
    if all(weight & (weight - 1) == 0 for one in specs for table in one.tables for weight in table):
        settings["product"] = "shift"
    if mask:
        settings["mask"] = True
    if has_range:
        settings["range"] = True
    Dimensions(spec, EngineConfig.from_dict(settings))  # the hardware's own checks
    return settings


def write_design(path: Path, about: str, spec: AttentionSpec, engine: Mapping[str, Any]) -> None:
    """Write a design's file, as `rtl.design.load_design` reads it, with a comment on top."""
    path.write_text(f"# {about}\n\n{_toml(spec=spec.to_dict(), engine=engine)}", encoding="utf-8")


def _toml(**sections: Mapping[str, Any]) -> str:
    """Write sections of numbers, words, truths and lists of numbers; JSON's forms of these are TOML's."""
    return "\n".join(
        "".join([f"[{section}]\n", *(f"{key} = {json.dumps(value)}\n" for key, value in values.items())])
        for section, values in sections.items()
    )
