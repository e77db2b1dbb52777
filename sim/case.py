"""What passes between who asks for a simulation and the process that runs it: fields and arrays, in a folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["load", "save"]


def save(folder: Path, name: str, fields: Mapping[str, Any], arrays: Mapping[str, NDArray] | None = None) -> None:
    """Write `fields`, of JSON's types, to `NAME.json`, and `arrays` to `NAME.npz`."""
    np.savez(folder / f"{name}.npz", allow_pickle=False, **dict(arrays or {}))
    # Last, so that whoever finds it finds both.
    (folder / f"{name}.json").write_text(json.dumps(fields), encoding="utf-8")


def load(folder: Path, name: str) -> tuple[dict[str, Any], dict[str, NDArray]]:
    """Read what `save` wrote."""
    with np.load(folder / f"{name}.npz") as file:
        arrays = {key: file[key] for key in file.files}
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8")), arrays
